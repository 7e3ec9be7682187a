-- name: open
-- Keep a session.
INSERT INTO page_sessions (hash, key_id, opened_at, ends_at) VALUES (:hash, :key_id, :opened_at, :ends_at);

-- name: find
-- A session that hasn't ended.
SELECT hash, key_id, opened_at, ends_at FROM page_sessions WHERE hash = :hash AND ends_at > :now;

-- name: end
-- End a session.
DELETE FROM page_sessions WHERE hash = :hash;

-- name: forget
-- Forget some sessions that have ended by themselves.
DELETE FROM page_sessions WHERE hash IN (SELECT hash FROM page_sessions WHERE ends_at <= :now LIMIT 100);
