-- Browsers that signed in with a key. Of what a browser holds only its hash is kept; what it may, its key says each time.
CREATE TABLE IF NOT EXISTS page_sessions (
    hash TEXT PRIMARY KEY, -- SHA-256 of what the browser holds, in hexadecimal
    key_id TEXT NOT NULL,
    opened_at INTEGER NOT NULL, -- epoch milliseconds
    ends_at INTEGER NOT NULL -- epoch milliseconds
) WITHOUT ROWID;

CREATE INDEX IF NOT EXISTS idx_page_sessions_end ON page_sessions (ends_at);

INSERT OR IGNORE INTO migration_metadata (version, applied_at, description)
VALUES (14, CAST(strftime('%s', 'now') AS INTEGER) * 1000, 'page sessions');
