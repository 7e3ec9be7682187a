-- name: identity
-- The token of this database.
SELECT token FROM database_identity;

-- name: acknowledge
-- Note how far a follower has come.
INSERT INTO change_followers (name, position, seen_at) VALUES (:follower, :position, :now)
ON CONFLICT (name) DO UPDATE SET position = excluded.position, seen_at = excluded.seen_at;

-- name: forget_followers
-- Forget followers that haven't been seen for long; one that comes back after all starts from a snapshot.
DELETE FROM change_followers WHERE seen_at < :before;

-- name: forget_follower
-- Forget a follower that said good-bye.
DELETE FROM change_followers WHERE name = :follower;
