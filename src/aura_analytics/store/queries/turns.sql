-- name: turns
-- The turns of a session, up to so many, in any order.
SELECT id, store_id, created_at FROM voice_queries WHERE session_id = :session_id LIMIT :limit;
