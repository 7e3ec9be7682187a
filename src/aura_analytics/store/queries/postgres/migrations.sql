-- name: lock
-- Let one process migrate at a time; it is let go with the connection.
SELECT pg_advisory_lock(:key);

-- name: is_recorded
-- Whether any migration was ever recorded here.
SELECT to_regclass('migration_metadata') IS NOT NULL;

-- name: prepare
-- Make the table that records the migrations.
CREATE TABLE IF NOT EXISTS migration_metadata (
    version INTEGER PRIMARY KEY,
    applied_at BIGINT NOT NULL, -- epoch milliseconds
    description TEXT
);

-- name: recorded
-- Which migrations this database has seen, and when.
SELECT version, applied_at FROM migration_metadata ORDER BY version;

-- name: record
-- Note that a migration was applied.
INSERT INTO migration_metadata (version, applied_at, description)
VALUES (:version, CAST(extract(epoch FROM clock_timestamp()) * 1000 AS bigint), :description);

-- name: columns
-- The columns of a table.
SELECT attname FROM pg_attribute WHERE attrelid = to_regclass(:table) AND attnum > 0 AND NOT attisdropped;

-- name: moved
-- Whether the feed holds ids of transactions that this server has yet to give out: it was restored from another one's dump.
SELECT EXISTS (SELECT 1 FROM change_feed WHERE xid >= pg_snapshot_xmax(pg_current_snapshot()));

-- name: forget_feed
-- Forget the feed of another server.
DELETE FROM change_feed;

-- name: forget_followers
-- Forget who followed it.
DELETE FROM change_followers;

-- name: rename
-- Make this another database than the one that was dumped, so that every follower starts anew.
UPDATE database_identity SET token = replace(CAST(gen_random_uuid() AS text), '-', ''), trimmed = 1;

-- name: begin_feed
-- Begin the feed with a row that tells nothing, for followers to start from.
INSERT INTO change_feed (changed_at, query_ids)
VALUES (CAST(extract(epoch FROM clock_timestamp()) * 1000 AS bigint), string_to_array('', ','));
