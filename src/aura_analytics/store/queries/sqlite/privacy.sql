-- name: any_forgotten
-- Whether anything is not taken in any more.
SELECT EXISTS (SELECT 1 FROM forgotten);

-- name: forgotten
-- Which of some hashes are not taken in any more.
SELECT hash FROM forgotten WHERE hash {in:ids};

-- name: overwrite
-- Let what is removed be overwritten with zeros, and not only be left to be reused.
PRAGMA secure_delete = ON;

-- name: leave
-- Leave it again: it costs every removal of work that is done.
PRAGMA secure_delete = OFF;

-- name: move_on
-- Write a row that tells nothing, so that all before it can be forgotten once everybody has followed.
INSERT INTO change_feed (changed_at, query_ids) VALUES (:now, '[]') RETURNING position;

-- name: trim
-- Forget the feed before a position, as far as every follower is there.
DELETE FROM change_feed
WHERE position < :position AND NOT EXISTS (SELECT 1 FROM change_followers WHERE position < :position);

-- name: bring_home
-- Write the log into the file and empty it, waiting for who reads or writes.
PRAGMA wal_checkpoint(TRUNCATE);
