-- Who may come in. Of a key only its hash is kept; of what a request is signed with, the secret, since both sides need it.
CREATE TABLE IF NOT EXISTS api_keys (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    hash TEXT NOT NULL, -- SHA-256 of the key, in hexadecimal
    scopes TEXT NOT NULL, -- JSON list of ingest, read, review, admin
    stores TEXT, -- JSON list; absent: all
    networks TEXT, -- JSON list of addresses and networks; absent: all
    signed_only INTEGER NOT NULL DEFAULT 0,
    signing_secret TEXT,
    rotated_from TEXT, -- the key whose place it takes
    created_at INTEGER NOT NULL, -- epoch milliseconds, as all that follow
    expires_at INTEGER,
    revoked_at INTEGER,
    last_used_at INTEGER
);

-- Signed messages that have come, until their moment wouldn't be taken any more.
CREATE TABLE IF NOT EXISTS seen_signatures (
    id TEXT PRIMARY KEY, -- of the key and of the message
    until INTEGER NOT NULL -- epoch milliseconds
) WITHOUT ROWID;

CREATE INDEX IF NOT EXISTS idx_seen_signatures_until ON seen_signatures (until);

-- Who changed what about who may come in. Only added to.
CREATE TABLE IF NOT EXISTS audit_log (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    at INTEGER NOT NULL, -- epoch milliseconds
    actor TEXT NOT NULL,
    action TEXT NOT NULL,
    subject TEXT NOT NULL,
    details TEXT -- JSON
);

INSERT OR IGNORE INTO migration_metadata (version, applied_at, description)
VALUES (11, CAST(strftime('%s', 'now') AS INTEGER) * 1000, 'guard');
