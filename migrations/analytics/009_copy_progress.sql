-- How far the copying of another database into this one has come; written along with what is copied.
CREATE TABLE IF NOT EXISTS copy_progress (
    source TEXT PRIMARY KEY, -- the other database's identity
    stage INTEGER NOT NULL, -- which part of its rows is read, and at last its change feed
    mark TEXT NOT NULL, -- the last row of that part
    position INTEGER NOT NULL, -- up to where its change feed is copied
    moment INTEGER NOT NULL, -- epoch milliseconds of that point of the feed
    noted_at INTEGER NOT NULL -- epoch milliseconds
);

INSERT OR IGNORE INTO migration_metadata (version, applied_at, description)
VALUES (9, CAST(strftime('%s', 'now') AS INTEGER) * 1000, 'copy progress');
