-- name: queries
-- Some queries, whole.
SELECT
    id, store_id, session_id, user_id, created_at, query_text, transcription_conf, intent, fast_path, query_source,
    audio_duration_ms, correlation_id, received_at, extra
FROM voice_queries
WHERE id {in:ids};

-- name: outcomes
-- The outcomes of some queries, whole.
SELECT
    query_id, answer_text, model_name, latency_ms, tokens_prompt, tokens_completion, cost_usd, action_taken,
    action_success, error_flag, tool_calls, error_message, tokens_total, occurred_at, received_at, correlation_id, extra
FROM voice_outcomes
WHERE query_id {in:ids};

-- name: evaluations
-- The labels that stand for some queries.
SELECT
    query_id, label, reason, confidence_score, evaluated_at, evaluated_by, method, explanation, rubric, tokens_prompt,
    tokens_completion, cost_usd, duration_ms
FROM voice_evaluations
WHERE query_id {in:ids};

-- name: history
-- The labels that some queries had before, in the order in which they gave way.
SELECT
    query_id, label, reason, confidence_score, evaluated_at, evaluated_by, method, explanation, rubric, tokens_prompt,
    tokens_completion, cost_usd, duration_ms
FROM voice_evaluation_history
WHERE query_id {in:ids}
ORDER BY rowid;

-- name: queue
-- The work that some queries still make, and who has claimed it.
SELECT query_id, due_at, attempts, last_error, failed_at, lease
FROM evaluation_queue
WHERE query_id {in:ids};

-- name: conversions
-- Some conversions, whole.
SELECT
    id, query_id, session_id, store_id, occurred_at, received_at, value, currency, order_id, correlation_id, extra
FROM voice_conversions
WHERE id {in:ids};

-- name: moments
-- When some queries were asked and received: the same event has the same moments in every database.
SELECT id, created_at, received_at FROM voice_queries WHERE id {in:ids};

-- name: answered
-- Which of some queries have an outcome.
SELECT query_id FROM voice_outcomes WHERE query_id {in:ids};

-- name: next_queries
-- The next queries in the order of arrival, each led by what to go on from.
SELECT rowid, id FROM voice_queries WHERE rowid > :after ORDER BY rowid LIMIT :limit;

-- name: next_outcomes
-- The next outcomes whose queries aren't there, each led by what to go on from.
SELECT o.query_id, o.query_id FROM voice_outcomes AS o
WHERE o.query_id > :after AND NOT EXISTS (SELECT 1 FROM voice_queries AS q WHERE q.id = o.query_id)
ORDER BY o.query_id LIMIT :limit;

-- name: next_evaluations
-- The next labels whose queries aren't there, each led by what to go on from.
SELECT e.query_id, e.query_id FROM voice_evaluations AS e
WHERE e.query_id > :after AND NOT EXISTS (SELECT 1 FROM voice_queries AS q WHERE q.id = e.query_id)
ORDER BY e.query_id LIMIT :limit;

-- name: next_history
-- The next queries that aren't there but had labels, each led by what to go on from.
SELECT DISTINCT h.query_id, h.query_id FROM voice_evaluation_history AS h
WHERE h.query_id > :after AND NOT EXISTS (SELECT 1 FROM voice_queries AS q WHERE q.id = h.query_id)
ORDER BY h.query_id LIMIT :limit;

-- name: next_queue
-- The next queries that make work, each led by what to go on from.
SELECT query_id, query_id FROM evaluation_queue WHERE query_id > :after ORDER BY query_id LIMIT :limit;

-- name: next_conversions
-- The next conversions in the order of arrival, each led by what to go on from.
SELECT rowid, id FROM voice_conversions WHERE rowid > :after ORDER BY rowid LIMIT :limit;

-- name: unqueue
-- Remove the work of some queries.
DELETE FROM evaluation_queue WHERE query_id {in:ids};

-- name: progress
-- How far the copying of a database has come.
SELECT stage, mark, position, moment FROM copy_progress WHERE source = :source;

-- name: copied_before
-- How many databases have been copied into this one.
SELECT count(*) FROM copy_progress;

-- name: note_progress
-- Note how far the copying of a database has come.
INSERT INTO copy_progress (source, stage, mark, position, moment, noted_at)
VALUES (:source, :stage, :mark, :position, :moment, :now)
ON CONFLICT (source) DO UPDATE SET
    stage = excluded.stage, mark = excluded.mark, position = excluded.position, moment = excluded.moment,
    noted_at = excluded.noted_at;

-- name: early_outcomes
-- How many outcomes wait for their queries.
SELECT count(*) FROM early_outcomes;

-- name: alert_states
-- How each alert stands.
SELECT rule, state, since, looked_at, value, "of" FROM alert_states;

-- name: write_alert_states
-- Let an alert stand as it was seen last, on either side.
INSERT INTO alert_states (rule, state, since, looked_at, value, "of")
VALUES (:rule, :state, :since, :looked_at, :value, :of)
ON CONFLICT (rule) DO UPDATE SET
    state = excluded.state, since = excluded.since, looked_at = excluded.looked_at, value = excluded.value,
    "of" = excluded."of"
WHERE excluded.looked_at > alert_states.looked_at;

-- name: alert_messages
-- What was to be said of alerts.
SELECT id, target, rule, kind, body, made_at, due_at, attempts, delivered_at, error FROM alert_messages;

-- name: write_alert_messages
-- Have a message that isn't there yet; one that was heard at the source isn't said again.
INSERT INTO alert_messages (id, target, rule, kind, body, made_at, due_at, attempts, delivered_at, error)
VALUES (:id, :target, :rule, :kind, :body, :made_at, :due_at, :attempts, :delivered_at, :error)
ON CONFLICT (id, target) DO UPDATE SET
    due_at = excluded.due_at, attempts = excluded.attempts, delivered_at = excluded.delivered_at,
    error = excluded.error
WHERE alert_messages.delivered_at IS NULL AND excluded.delivered_at IS NOT NULL;

-- name: secret
-- What names are hashed with.
SELECT secret FROM privacy_secret;

-- name: adopt_secret
-- Hash names as the source does, as long as nothing is noted here by a hash of one's own.
UPDATE privacy_secret SET secret = :secret
WHERE secret <> :secret AND NOT EXISTS (SELECT 1 FROM forgotten) AND NOT EXISTS (SELECT 1 FROM erasures);

-- name: forgotten
-- What isn't taken in any more.
SELECT hash, until FROM forgotten;

-- name: write_forgotten
-- Take it in no more, for as long as either side says.
INSERT INTO forgotten (hash, until) VALUES (:hash, :until)
ON CONFLICT (hash) DO UPDATE SET until = excluded.until
WHERE forgotten.until IS NOT NULL AND (excluded.until IS NULL OR excluded.until > forgotten.until);

-- name: store_days
-- On which days (UTC, by their number since 1970) each store was asked something.
SELECT DISTINCT store_id, created_at / 86400000 FROM voice_queries ORDER BY 1, 2;
