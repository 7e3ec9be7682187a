-- The interactions that wait for their label. A claim pushes `due_at` to its lease's end, so that a claim that is never
-- kept opens again by itself. `failed_at` is set where no further try is made until somebody asks for it.
CREATE TABLE IF NOT EXISTS evaluation_queue (
    query_id TEXT PRIMARY KEY,
    due_at INTEGER NOT NULL, -- epoch milliseconds
    attempts INTEGER NOT NULL DEFAULT 0,
    lease TEXT,
    last_error TEXT,
    failed_at INTEGER -- epoch milliseconds
) WITHOUT ROWID;

CREATE INDEX IF NOT EXISTS idx_evaluation_queue_due ON evaluation_queue (due_at) WHERE failed_at IS NULL;
CREATE INDEX IF NOT EXISTS idx_evaluation_queue_failed ON evaluation_queue (failed_at) WHERE failed_at IS NOT NULL;

-- What was there before this table is due at once.
INSERT OR IGNORE INTO evaluation_queue (query_id, due_at)
SELECT q.id, q.created_at FROM voice_queries AS q
LEFT JOIN voice_evaluations AS e ON e.query_id = q.id
WHERE e.query_id IS NULL;

INSERT OR IGNORE INTO migration_metadata (version, applied_at, description)
VALUES (6, CAST(strftime('%s', 'now') AS INTEGER) * 1000, 'evaluation queue');
