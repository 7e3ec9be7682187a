-- name: spans
-- From when to when each of some sessions goes.
SELECT session_id, min(created_at), max(created_at) FROM voice_queries
WHERE session_id IN (SELECT value FROM json_each(?))
GROUP BY session_id;

-- name: conversions
-- The conversions that name one of some queries or sessions.
SELECT id FROM voice_conversions WHERE query_id IN (SELECT value FROM json_each(:queries))
UNION
SELECT id FROM voice_conversions WHERE session_id IN (SELECT value FROM json_each(:sessions));
