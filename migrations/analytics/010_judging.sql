-- What a label cost: by which instructions it was given (a name and a hash of the content), and what the model took for it.
ALTER TABLE voice_evaluations ADD COLUMN rubric TEXT;
ALTER TABLE voice_evaluations ADD COLUMN tokens_prompt INTEGER;
ALTER TABLE voice_evaluations ADD COLUMN tokens_completion INTEGER;
ALTER TABLE voice_evaluations ADD COLUMN cost_usd REAL; -- NULL where the model's price isn't known
ALTER TABLE voice_evaluations ADD COLUMN duration_ms REAL;

ALTER TABLE voice_evaluation_history ADD COLUMN rubric TEXT;
ALTER TABLE voice_evaluation_history ADD COLUMN tokens_prompt INTEGER;
ALTER TABLE voice_evaluation_history ADD COLUMN tokens_completion INTEGER;
ALTER TABLE voice_evaluation_history ADD COLUMN cost_usd REAL;
ALTER TABLE voice_evaluation_history ADD COLUMN duration_ms REAL;

-- Since when an interaction waits that was claimed before: `due_at` moves with each claim.
ALTER TABLE evaluation_queue ADD COLUMN waits_since INTEGER; -- epoch milliseconds
CREATE INDEX IF NOT EXISTS idx_evaluation_queue_waiting ON evaluation_queue (waits_since)
WHERE waits_since IS NOT NULL AND failed_at IS NULL;

-- Every request to a model, answered or not.
CREATE TABLE IF NOT EXISTS judge_calls (
    called_at INTEGER NOT NULL, -- epoch milliseconds
    query_id TEXT NOT NULL,
    store_id TEXT NOT NULL,
    model TEXT NOT NULL,
    rubric TEXT NOT NULL,
    outcome TEXT NOT NULL, -- `answered`, or why not
    duration_ms REAL, -- NULL in a batch, which has no time of its own for each
    tokens_prompt INTEGER NOT NULL,
    tokens_completion INTEGER NOT NULL,
    cost_usd REAL -- NULL where the model's price isn't known
);
CREATE INDEX IF NOT EXISTS idx_judge_calls_moment ON judge_calls (called_at);

-- What all evaluators together may still ask a model, and what a day has cost by now.
CREATE TABLE IF NOT EXISTS judge_allowance (
    name TEXT PRIMARY KEY,
    level REAL NOT NULL,
    at INTEGER NOT NULL -- epoch milliseconds
) WITHOUT ROWID;

-- Which person looks at an interaction, so that nobody else is given it meanwhile.
CREATE TABLE IF NOT EXISTS review_leases (
    query_id TEXT PRIMARY KEY,
    reviewer TEXT NOT NULL,
    leased_until INTEGER NOT NULL -- epoch milliseconds
) WITHOUT ROWID;

-- What was handed to a provider to be answered within a day. `id` is the lease of its interactions.
CREATE TABLE IF NOT EXISTS judge_batches (
    id TEXT PRIMARY KEY,
    model TEXT NOT NULL,
    rubric TEXT NOT NULL,
    requests INTEGER NOT NULL,
    made_at INTEGER NOT NULL, -- epoch milliseconds
    job TEXT, -- what the provider calls it; NULL until it has said so
    ended_at INTEGER, -- epoch milliseconds
    error TEXT,
    held_by TEXT, -- the one that looks after it now
    held_until INTEGER -- epoch milliseconds
) WITHOUT ROWID;

INSERT OR IGNORE INTO migration_metadata (version, applied_at, description)
VALUES (10, CAST(strftime('%s', 'now') AS INTEGER) * 1000, 'judging');
