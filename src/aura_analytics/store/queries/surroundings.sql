-- name: spans
-- From when to when each of some sessions goes, as far as the tables know: not of one that has turns in the archive.
SELECT session_id, min(created_at), max(created_at) FROM voice_queries
WHERE session_id {in:ids} AND session_id NOT IN (SELECT id FROM archived_sessions WHERE id {in:ids})
GROUP BY session_id;

-- name: conversions
-- The conversions that name one of some queries or sessions.
SELECT id FROM voice_conversions WHERE query_id {in:query_ids}
UNION
SELECT id FROM voice_conversions WHERE session_id {in:session_ids};
