-- name: publish
-- Tell the followers which interactions this transaction changed, and which conversions it brought.
INSERT INTO change_feed (changed_at, query_ids, conversion_ids) VALUES (?, ?, ?);

-- name: head
-- The last committed point.
SELECT position, changed_at FROM change_feed ORDER BY position DESC LIMIT 1;

-- name: point
-- A follower's point, if it is of this feed and everything after it is still there.
SELECT 1 FROM change_feed WHERE position = ? AND changed_at = ?;

-- name: after
-- What changed after a point, in order.
SELECT position, changed_at, query_ids, conversion_ids FROM change_feed WHERE position > ? ORDER BY position LIMIT 1000;

-- name: identity
-- The token of this database.
SELECT token FROM database_identity;

-- name: acknowledge
-- Note how far a follower has come.
INSERT INTO change_followers (name, position, seen_at) VALUES (:follower, :position, :now)
ON CONFLICT (name) DO UPDATE SET position = excluded.position, seen_at = excluded.seen_at;

-- name: forget_followers
-- Forget followers that haven't been seen for long; one that comes back after all starts from a snapshot.
DELETE FROM change_followers WHERE seen_at < ?;

-- name: trim
-- Forget what every follower has, but for the point that the slowest of them stands at.
DELETE FROM change_feed WHERE position < (SELECT min(position) FROM change_followers);

-- name: first
-- Where the feed begins now.
SELECT min(position) FROM change_feed;

-- name: forget_follower
-- Forget a follower that said good-bye.
DELETE FROM change_followers WHERE name = ?;
