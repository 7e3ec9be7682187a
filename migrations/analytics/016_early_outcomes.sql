-- Outcomes that came before their queries, from senders who write into some stores only: each waits for a query of these.
CREATE TABLE IF NOT EXISTS early_outcomes (
    number INTEGER PRIMARY KEY, -- in the order in which they came
    query_id TEXT NOT NULL,
    sender TEXT NOT NULL, -- a hash of the stores
    stores TEXT NOT NULL, -- JSON
    outcome TEXT NOT NULL, -- JSON
    UNIQUE (query_id, sender)
);

INSERT OR IGNORE INTO migration_metadata (version, applied_at, description)
VALUES (16, CAST(strftime('%s', 'now') AS INTEGER) * 1000, 'early outcomes');
