-- What a name is hashed with where something has to be told apart without saying who it is about.
CREATE TABLE IF NOT EXISTS privacy_secret (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    secret TEXT NOT NULL
);

INSERT OR IGNORE INTO privacy_secret (id, secret) VALUES (1, lower(hex(randomblob(32))));

-- What is not taken in any more: interactions that were erased, for as long as they may be sent again, and blocked persons.
CREATE TABLE IF NOT EXISTS forgotten (
    hash TEXT PRIMARY KEY, -- of `query:`, `conversion:` or `user:` and an id
    until INTEGER -- epoch milliseconds; NULL: for good
) WITHOUT ROWID;

-- Each erasure of a person, who is named by a hash; what it counted is written along with what it erased.
CREATE TABLE IF NOT EXISTS erasures (
    id TEXT PRIMARY KEY,
    person TEXT NOT NULL,
    actor TEXT NOT NULL,
    begun_at INTEGER NOT NULL, -- epoch milliseconds
    ended_at INTEGER, -- NULL while it goes on, or where it was broken off
    erased TEXT NOT NULL -- JSON: rows by table
);

CREATE INDEX IF NOT EXISTS idx_erasures_open ON erasures (person) WHERE ended_at IS NULL;

-- A model's requests about an interaction go with it.
CREATE INDEX IF NOT EXISTS idx_judge_calls_query ON judge_calls (query_id);

INSERT OR IGNORE INTO migration_metadata (version, applied_at, description)
VALUES (12, CAST(strftime('%s', 'now') AS INTEGER) * 1000, 'privacy');
