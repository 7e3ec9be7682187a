-- name: forget_seen
-- Forget some signed messages whose time is over.
DELETE FROM seen_signatures WHERE id IN (SELECT id FROM seen_signatures WHERE until < :now LIMIT 100);
