-- Which interactions changed, a row a transaction, written in that transaction. Positions are never given out twice.
CREATE TABLE IF NOT EXISTS change_feed (
    position INTEGER PRIMARY KEY AUTOINCREMENT,
    changed_at INTEGER NOT NULL, -- epoch milliseconds
    query_ids TEXT NOT NULL -- JSON array
);

-- How far each follower has come; what all of them have is trimmed.
CREATE TABLE IF NOT EXISTS change_followers (
    name TEXT PRIMARY KEY,
    position INTEGER NOT NULL,
    seen_at INTEGER NOT NULL -- epoch milliseconds
);

-- Tells this database from every other one, so that a follower notices when it was exchanged.
CREATE TABLE IF NOT EXISTS database_identity (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    token TEXT NOT NULL
);

INSERT OR IGNORE INTO database_identity (id, token) VALUES (1, lower(hex(randomblob(16))));

INSERT OR IGNORE INTO migration_metadata (version, applied_at, description)
VALUES (7, CAST(strftime('%s', 'now') AS INTEGER) * 1000, 'change feed');
