-- name: followers
-- How far each follower of the change feed has said it is, and when.
SELECT name, position, seen_at FROM change_followers ORDER BY name;
