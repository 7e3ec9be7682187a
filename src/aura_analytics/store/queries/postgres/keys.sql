-- name: forget_seen
-- Forget some signed messages whose time is over; what another server is at is left to it.
DELETE FROM seen_signatures
WHERE id IN (SELECT id FROM seen_signatures WHERE until < :now LIMIT 100 FOR UPDATE SKIP LOCKED);
