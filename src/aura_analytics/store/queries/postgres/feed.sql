-- name: announce
-- Let whoever looks at the locks see, before this transaction has an id, that it may write to the feed.
LOCK TABLE change_feed IN ROW EXCLUSIVE MODE;

-- name: publish
-- Tell followers what this transaction changed; a row that has its id already is of the server that a dump came from.
INSERT INTO change_feed (changed_at, query_ids, conversion_ids)
VALUES (:now, CAST(:query_ids AS text[]), CAST(:conversion_ids AS text[]))
ON CONFLICT (xid) DO UPDATE SET
    changed_at = excluded.changed_at, query_ids = excluded.query_ids, conversion_ids = excluded.conversion_ids;

-- name: touch
-- Write to the feed, to be taken back. Its pages may have room where the disk has none.
INSERT INTO change_feed (changed_at, query_ids)
SELECT :now, array_agg(CAST(gen_random_uuid() AS text)) FROM generate_series(1, 1000);

-- name: room
-- A table of the session's own, to be taken back: its file is new, so that the disk has to give room for each page.
CREATE TEMPORARY TABLE aura_room (filler text);

-- name: take_room
-- Take a megabyte of the disk.
INSERT INTO aura_room (filler) SELECT repeat('x', 1000) FROM generate_series(1, 1000);

-- name: head
-- The latest committed point, others before it may still be; what isn't given out yet is of the server that a dump came from.
SELECT CAST(CAST(xid AS text) AS bigint), changed_at FROM change_feed
WHERE xid < pg_snapshot_xmax(pg_current_snapshot())
ORDER BY xid DESC LIMIT 1;

-- name: settled
-- The latest point that nothing can come before any more.
SELECT CAST(CAST(xid AS text) AS bigint), changed_at FROM change_feed
WHERE xid < pg_snapshot_xmin(pg_current_snapshot())
ORDER BY xid DESC LIMIT 1;

-- name: before
-- The latest point before another one.
SELECT CAST(CAST(xid AS text) AS bigint), changed_at FROM change_feed
WHERE xid < CAST(:horizon AS xid8)
ORDER BY xid DESC LIMIT 1;

-- name: point
-- A follower's point, if it is of this feed and everything after it is still there.
SELECT 1 FROM change_feed
WHERE xid = CAST(:position AS xid8) AND changed_at = :moment AND xid < pg_snapshot_xmax(pg_current_snapshot());

-- name: trimmed
-- The last point that the feed has forgotten, if it is of this server.
SELECT CASE WHEN CAST(CAST(trimmed AS text) AS xid8) < pg_snapshot_xmax(pg_current_snapshot()) THEN trimmed ELSE 0 END
FROM database_identity;

-- name: after
-- What changed after a point, in order, as far as nothing can come in between any more.
SELECT CAST(CAST(xid AS text) AS bigint), changed_at, query_ids, conversion_ids FROM change_feed
WHERE xid > CAST(:position AS xid8) AND xid < pg_snapshot_xmin(pg_current_snapshot())
ORDER BY xid LIMIT 1000;

-- name: upto
-- What changed after a point and before another one.
SELECT CAST(CAST(xid AS text) AS bigint), changed_at, query_ids, conversion_ids FROM change_feed
WHERE xid > CAST(:position AS xid8) AND xid < CAST(:horizon AS xid8)
ORDER BY xid LIMIT 1000;

-- name: writers
-- The next transaction's id, and the ids (their lower 32 bits) of the transactions that may still write to the feed.
WITH locks AS MATERIALIZED (
    SELECT locktype, database, relation, transactionid, pid, mode FROM pg_locks WHERE granted
)
SELECT
    CAST(CAST(pg_snapshot_xmax(pg_current_snapshot()) AS text) AS bigint),
    (
        SELECT array_agg(CAST(CAST(own.transactionid AS text) AS bigint)) FROM locks AS own
        WHERE own.locktype = 'transactionid' AND own.mode = 'ExclusiveLock' AND EXISTS (
            SELECT 1 FROM locks AS feed
            WHERE feed.pid = own.pid AND feed.locktype = 'relation' AND feed.mode = 'RowExclusiveLock'
                AND feed.relation = CAST('change_feed' AS regclass)
                AND feed.database = (SELECT oid FROM pg_database WHERE datname = current_database())
        )
    );

-- name: trim
-- Forget what every follower has, but for the point that the slowest of them stands at; note how far that goes.
WITH gone AS (
    DELETE FROM change_feed WHERE xid IN (
        SELECT xid FROM change_feed
        WHERE xid < (SELECT CAST(CAST(min(position) AS text) AS xid8) FROM change_followers)
        ORDER BY xid
        LIMIT 10000
        FOR UPDATE SKIP LOCKED
    )
    RETURNING CAST(CAST(xid AS text) AS bigint) AS position
)
UPDATE database_identity SET trimmed = gone.last
FROM (SELECT max(position) AS last FROM gone) AS gone
WHERE gone.last > database_identity.trimmed;
