-- What a label cost: by which instructions it was given (a name and a hash of the content), and what the model took for it.
ALTER TABLE voice_evaluations ADD COLUMN rubric TEXT;
ALTER TABLE voice_evaluations ADD COLUMN tokens_prompt BIGINT;
ALTER TABLE voice_evaluations ADD COLUMN tokens_completion BIGINT;
ALTER TABLE voice_evaluations ADD COLUMN cost_usd DOUBLE PRECISION; -- NULL where the model's price isn't known
ALTER TABLE voice_evaluations ADD COLUMN duration_ms DOUBLE PRECISION;

ALTER TABLE voice_evaluation_history ADD COLUMN rubric TEXT;
ALTER TABLE voice_evaluation_history ADD COLUMN tokens_prompt BIGINT;
ALTER TABLE voice_evaluation_history ADD COLUMN tokens_completion BIGINT;
ALTER TABLE voice_evaluation_history ADD COLUMN cost_usd DOUBLE PRECISION;
ALTER TABLE voice_evaluation_history ADD COLUMN duration_ms DOUBLE PRECISION;

-- Since when an interaction waits that was claimed before: `due_at` moves with each claim.
ALTER TABLE evaluation_queue ADD COLUMN waits_since BIGINT; -- epoch milliseconds
CREATE INDEX idx_evaluation_queue_waiting ON evaluation_queue (waits_since)
WHERE waits_since IS NOT NULL AND failed_at IS NULL;

-- Every request to a model, answered or not.
CREATE TABLE judge_calls (
    called_at BIGINT NOT NULL, -- epoch milliseconds
    query_id TEXT COLLATE "C" NOT NULL,
    store_id TEXT NOT NULL,
    model TEXT NOT NULL,
    rubric TEXT NOT NULL,
    outcome TEXT NOT NULL, -- `answered`, or why not
    duration_ms DOUBLE PRECISION, -- NULL in a batch, which has no time of its own for each
    tokens_prompt BIGINT NOT NULL,
    tokens_completion BIGINT NOT NULL,
    cost_usd DOUBLE PRECISION -- NULL where the model's price isn't known
);
CREATE INDEX idx_judge_calls_moment ON judge_calls USING brin (called_at);

-- What all evaluators together may still ask a model, and what a day has cost by now.
CREATE TABLE judge_allowance (
    name TEXT PRIMARY KEY,
    level DOUBLE PRECISION NOT NULL,
    at BIGINT NOT NULL -- epoch milliseconds
);

-- Which person looks at an interaction, so that nobody else is given it meanwhile.
CREATE TABLE review_leases (
    query_id TEXT COLLATE "C" PRIMARY KEY,
    reviewer TEXT NOT NULL,
    leased_until BIGINT NOT NULL -- epoch milliseconds
);

-- What was handed to a provider to be answered within a day. `id` is the lease of its interactions.
CREATE TABLE judge_batches (
    id TEXT PRIMARY KEY,
    model TEXT NOT NULL,
    rubric TEXT NOT NULL,
    requests BIGINT NOT NULL,
    made_at BIGINT NOT NULL, -- epoch milliseconds
    job TEXT, -- what the provider calls it; NULL until it has said so
    ended_at BIGINT, -- epoch milliseconds
    error TEXT,
    held_by TEXT, -- the one that looks after it now
    held_until BIGINT -- epoch milliseconds
);

