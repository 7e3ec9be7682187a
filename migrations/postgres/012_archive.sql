-- Which days went into the archive, and how far that has come: removing (its files count), done.
CREATE TABLE archive_days (
    day BIGINT PRIMARY KEY, -- days since 1970-01-01, UTC
    state TEXT NOT NULL,
    changed_at BIGINT NOT NULL -- epoch milliseconds
);

-- The files of the archive: a row tells that one counts. `held`: how many of its rows are in force, which are those that
-- `archived_ids` names; others were taken out again.
CREATE TABLE archive_files (
    number BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    day BIGINT NOT NULL,
    store_id TEXT NOT NULL,
    path TEXT NOT NULL, -- below the archive's place
    interactions BIGINT NOT NULL,
    held BIGINT NOT NULL,
    bytes BIGINT NOT NULL,
    content TEXT NOT NULL, -- checksum of its rows
    sha256 TEXT NOT NULL, -- of the file
    format BIGINT NOT NULL -- version of the schema
);

CREATE INDEX idx_archive_files_day ON archive_files (day);

-- Names of files that may lie in the archive's place and don't count: being written, or to be removed.
CREATE TABLE archive_leftovers (
    path TEXT COLLATE "C" PRIMARY KEY
);

-- Which interactions lie in the archive, in which file, and whether with an outcome. An interaction is in the tables or
-- here, never in both: it goes from one to the other in a transaction.
CREATE TABLE archived_ids (
    id TEXT COLLATE "C" PRIMARY KEY,
    file BIGINT NOT NULL,
    answered INTEGER NOT NULL
);

-- Sessions that have turns in the archive: from when to when they go, the tables alone can't tell.
CREATE TABLE archived_sessions (
    id TEXT COLLATE "C" PRIMARY KEY,
    last_day BIGINT NOT NULL -- days since 1970-01-01, UTC: of the last of those turns
);

-- Before which moment the totals of hours stay as they are, since what they were added up from was deleted.
CREATE TABLE kept_totals (
    before_s BIGINT PRIMARY KEY -- epoch seconds
);
