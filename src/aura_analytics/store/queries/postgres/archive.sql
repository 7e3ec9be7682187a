-- name: columns
-- The columns of a table; `rowid` only numbers its rows.
SELECT attname FROM pg_attribute
WHERE attrelid = CAST(CAST(:table AS text) AS regclass) AND attnum > 0 AND NOT attisdropped AND attname <> 'rowid';

-- name: delete_early_outcomes
-- Remove outcomes from before a moment that still wait for a query of their senders' stores.
DELETE FROM early_outcomes WHERE CAST(CAST(outcome AS jsonb) ->> 2 AS bigint) < :before;

-- name: alone
-- Wait for every transaction that tells followers of its changes, and let none begin before this one ends.
LOCK TABLE change_feed IN SHARE ROW EXCLUSIVE MODE;

-- name: patience
-- Wait no longer for a lock than others may wait behind us.
SET LOCAL lock_timeout = 200;

-- name: try_lock
-- Keep others that write files of the archive away from this database; it is let go with the connection.
SELECT pg_try_advisory_lock(:key);

-- name: unlock
-- Let others write files of the archive.
SELECT pg_advisory_unlock(:key);
