-- The interactions that wait for their label. A claim pushes `due_at` to its lease's end, so that a claim that is never
-- kept opens again by itself. `failed_at` is set where no further try is made until somebody asks for it.
-- Its rows live for minutes: the space of those that are gone has to be found again soon.
CREATE TABLE evaluation_queue (
    query_id TEXT COLLATE "C" PRIMARY KEY,
    due_at BIGINT NOT NULL, -- epoch milliseconds
    attempts INTEGER NOT NULL DEFAULT 0,
    lease TEXT,
    last_error TEXT,
    failed_at BIGINT -- epoch milliseconds
) WITH (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_insert_scale_factor = 0.1, autovacuum_vacuum_cost_delay = 0);

CREATE INDEX idx_evaluation_queue_due ON evaluation_queue (due_at) WHERE failed_at IS NULL;
CREATE INDEX idx_evaluation_queue_failed ON evaluation_queue (failed_at) WHERE failed_at IS NOT NULL;
