-- What shoppers bought, after which query or in which session. A conversion may come before either.
CREATE TABLE IF NOT EXISTS voice_conversions (
    id TEXT PRIMARY KEY,
    query_id TEXT,
    session_id TEXT,
    store_id TEXT,
    occurred_at INTEGER NOT NULL, -- epoch milliseconds
    received_at INTEGER, -- epoch milliseconds
    value REAL,
    currency TEXT, -- three capital letters
    order_id TEXT,
    correlation_id TEXT,
    extra TEXT -- JSON
);

CREATE INDEX IF NOT EXISTS idx_voice_conversions_query ON voice_conversions (query_id) WHERE query_id IS NOT NULL;
CREATE INDEX IF NOT EXISTS idx_voice_conversions_session ON voice_conversions (session_id) WHERE session_id IS NOT NULL;

-- Which conversions a transaction brought; NULL where it brought none.
ALTER TABLE change_feed ADD COLUMN conversion_ids TEXT; -- JSON array

-- The labels that an interaction had before the one that stands.
CREATE TABLE IF NOT EXISTS voice_evaluation_history (
    query_id TEXT NOT NULL,
    label TEXT NOT NULL,
    reason TEXT,
    confidence_score REAL,
    evaluated_at INTEGER NOT NULL, -- epoch milliseconds
    evaluated_by TEXT,
    method TEXT,
    explanation TEXT
);

CREATE INDEX IF NOT EXISTS idx_voice_evaluation_history_query ON voice_evaluation_history (query_id);

INSERT OR IGNORE INTO migration_metadata (version, applied_at, description)
VALUES (8, CAST(strftime('%s', 'now') AS INTEGER) * 1000, 'voice conversions');
