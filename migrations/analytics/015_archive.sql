-- Which days went into the archive, and how far that has come: removing (its files count), done.
CREATE TABLE IF NOT EXISTS archive_days (
    day INTEGER PRIMARY KEY, -- days since 1970-01-01, UTC
    state TEXT NOT NULL,
    changed_at INTEGER NOT NULL -- epoch milliseconds
);

-- The files of the archive: a row tells that one counts. `held`: how many of its rows are in force, which are those that
-- `archived_ids` names; others were taken out again.
CREATE TABLE IF NOT EXISTS archive_files (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    day INTEGER NOT NULL,
    store_id TEXT NOT NULL,
    path TEXT NOT NULL, -- below the archive's place
    interactions INTEGER NOT NULL,
    held INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    content TEXT NOT NULL, -- checksum of its rows
    sha256 TEXT NOT NULL, -- of the file
    format INTEGER NOT NULL -- version of the schema
);

CREATE INDEX IF NOT EXISTS idx_archive_files_day ON archive_files (day);

-- Names of files that may lie in the archive's place and don't count: being written, or to be removed.
CREATE TABLE IF NOT EXISTS archive_leftovers (
    path TEXT PRIMARY KEY
) WITHOUT ROWID;

-- Which interactions lie in the archive, in which file, and whether with an outcome. An interaction is in the tables or
-- here, never in both: it goes from one to the other in a transaction.
CREATE TABLE IF NOT EXISTS archived_ids (
    id TEXT PRIMARY KEY,
    file INTEGER NOT NULL,
    answered INTEGER NOT NULL
) WITHOUT ROWID;

-- Sessions that have turns in the archive: from when to when they go, the tables alone can't tell.
CREATE TABLE IF NOT EXISTS archived_sessions (
    id TEXT PRIMARY KEY,
    last_day INTEGER NOT NULL -- days since 1970-01-01, UTC: of the last of those turns
) WITHOUT ROWID;

-- Before which moment the totals of hours stay as they are, since what they were added up from was deleted.
CREATE TABLE IF NOT EXISTS kept_totals (
    before_s INTEGER PRIMARY KEY -- epoch seconds
);

INSERT OR IGNORE INTO migration_metadata (version, applied_at, description)
VALUES (15, CAST(strftime('%s', 'now') AS INTEGER) * 1000, 'archive');
