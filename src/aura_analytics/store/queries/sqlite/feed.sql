-- name: publish
-- Tell the followers which interactions this transaction changed, and which conversions it brought.
INSERT INTO change_feed (changed_at, query_ids, conversion_ids) VALUES (:now, :query_ids, :conversion_ids);

-- name: head
-- The last committed point.
SELECT position, changed_at FROM change_feed ORDER BY position DESC LIMIT 1;

-- name: point
-- A follower's point, if it is of this feed and everything after it is still there.
SELECT 1 FROM change_feed WHERE position = :position AND changed_at = :moment;

-- name: after
-- What changed after a point, in order.
SELECT position, changed_at, query_ids, conversion_ids FROM change_feed
WHERE position > :position ORDER BY position LIMIT 1000;

-- name: trim
-- Forget what every follower has, but for the point that the slowest of them stands at.
DELETE FROM change_feed WHERE position < (SELECT min(position) FROM change_followers);

-- name: first
-- Where the feed begins now.
SELECT min(position) FROM change_feed;
