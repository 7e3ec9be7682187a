-- name: remember
-- Note signed messages, but for those that are noted already and whose time isn't over; tell which were noted.
INSERT INTO seen_signatures (id, until) SELECT key, value FROM json_each(:messages) WHERE true
ON CONFLICT (id) DO UPDATE SET until = excluded.until WHERE seen_signatures.until < :now
RETURNING id;

-- name: forget_seen
-- Forget some signed messages whose time is over.
DELETE FROM seen_signatures WHERE id IN (SELECT id FROM seen_signatures WHERE until < :now LIMIT :most);
