-- What shoppers said, as the speech recogniser heard it.
CREATE TABLE IF NOT EXISTS voice_queries (
    id TEXT PRIMARY KEY,
    store_id TEXT NOT NULL,
    session_id TEXT,
    user_id TEXT,
    created_at INTEGER NOT NULL, -- epoch milliseconds
    query_text TEXT NOT NULL,
    transcription_conf REAL,
    intent TEXT,
    fast_path INTEGER NOT NULL DEFAULT 0
);

CREATE INDEX IF NOT EXISTS idx_voice_queries_store_time ON voice_queries (store_id, created_at DESC);
CREATE INDEX IF NOT EXISTS idx_voice_queries_session ON voice_queries (session_id);
CREATE INDEX IF NOT EXISTS idx_voice_queries_created ON voice_queries (created_at DESC);

-- Which of these files a database has seen.
CREATE TABLE IF NOT EXISTS migration_metadata (
    version INTEGER PRIMARY KEY,
    applied_at INTEGER NOT NULL, -- epoch milliseconds
    description TEXT
);

INSERT OR IGNORE INTO migration_metadata (version, applied_at, description)
VALUES (1, CAST(strftime('%s', 'now') AS INTEGER) * 1000, 'voice queries');
