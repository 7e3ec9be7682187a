-- name: followers
-- How far each follower of the change feed has said it is, and when.
SELECT name, position, seen_at FROM change_followers ORDER BY name;

-- name: unfinished
-- Messages of alerts that are tried again, and those that were given up; erasures of persons that haven't ended.
SELECT
    (SELECT count(*) FROM alert_messages WHERE due_at IS NOT NULL AND attempts > 0),
    (SELECT count(*) FROM alert_messages WHERE due_at IS NULL AND delivered_at IS NULL),
    (SELECT count(*) FROM erasures WHERE ended_at IS NULL);
