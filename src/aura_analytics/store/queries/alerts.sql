-- name: hold
-- Have the turn to look, or keep it, unless somebody else has it.
INSERT INTO alert_turn (name, holder, until) VALUES ('watch', :holder, :until)
ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, until = excluded.until
WHERE alert_turn.holder = excluded.holder OR alert_turn.until < :now
RETURNING holder;

-- name: states
-- How each rule stands.
SELECT rule, state, since, looked_at, value, "of" FROM alert_states ORDER BY rule;

-- name: save
-- Note how a rule stands.
INSERT INTO alert_states (rule, state, since, looked_at, value, "of")
VALUES (:rule, :state, :since, :looked_at, :value, :of)
ON CONFLICT (rule) DO UPDATE SET
    state = excluded.state, since = excluded.since, looked_at = excluded.looked_at, value = excluded.value,
    "of" = excluded."of";

-- name: say
-- Keep what is to be said until it is.
INSERT INTO alert_messages (id, target, rule, kind, body, made_at, due_at, attempts, delivered_at, error)
VALUES (:id, :target, :rule, :kind, :body, :made_at, :due_at, :attempts, :delivered_at, :error)
ON CONFLICT (id, target) DO UPDATE SET
    due_at = excluded.due_at, attempts = excluded.attempts, delivered_at = excluded.delivered_at,
    error = excluded.error;

-- name: due
-- What is to be said now, in the order in which it was made.
SELECT id, target, rule, kind, body, made_at, due_at, attempts, delivered_at, error
FROM alert_messages WHERE due_at <= :now ORDER BY made_at, id LIMIT :limit;

-- name: log
-- What was to be said, the latest first.
SELECT id, target, rule, kind, body, made_at, due_at, attempts, delivered_at, error
FROM alert_messages ORDER BY made_at DESC, id, target LIMIT :limit;

-- name: forget
-- Forget what was said, or given up, long ago.
DELETE FROM alert_messages WHERE made_at < :before AND due_at IS NULL;

-- name: drop_state
-- Forget how a rule stood that there is no more.
DELETE FROM alert_states WHERE rule = :rule;
