-- name: claim_due
-- Take the interactions that have been due longest; the lease's end is when they are due again if nobody settles them.
UPDATE evaluation_queue SET due_at = :lease_until, lease = :lease, attempts = attempts + 1
WHERE query_id IN (
    SELECT query_id FROM evaluation_queue WHERE due_at <= :now AND failed_at IS NULL ORDER BY due_at LIMIT :limit
)
RETURNING query_id, attempts;

-- name: claimed
-- What a rule or a judge looks at.
SELECT
    q.id, q.store_id, q.session_id, q.user_id, q.created_at, q.query_text, q.query_source, q.transcription_conf,
    q.audio_duration_ms, q.intent, q.fast_path, o.query_id, o.answer_text, o.model_name, o.latency_ms,
    o.tokens_prompt, o.tokens_completion, o.tokens_total, o.cost_usd, o.action_taken, o.action_success, o.error_flag,
    o.error_message, o.tool_calls
FROM voice_queries AS q
LEFT JOIN voice_outcomes AS o ON o.query_id = q.id
WHERE q.id IN (SELECT value FROM json_each(?));

-- name: drop_orphans
-- Remove claimed work whose query is gone.
DELETE FROM evaluation_queue WHERE lease = ? AND query_id NOT IN (SELECT id FROM voice_queries);

-- name: finish
-- Remove work whose lease still holds.
DELETE FROM evaluation_queue WHERE query_id = ? AND lease = ? RETURNING query_id;

-- name: labelled
-- The labels that stand for some interactions, as far as they tell whether a new one says something else.
SELECT query_id, label, reason, evaluated_by, method FROM voice_evaluations
WHERE query_id IN (SELECT value FROM json_each(?));

-- name: keep_history
-- Keep the labels of some interactions that new ones are about to take the place of.
INSERT INTO voice_evaluation_history (
    query_id, label, reason, confidence_score, evaluated_at, evaluated_by, method, explanation
)
SELECT query_id, label, reason, confidence_score, evaluated_at, evaluated_by, method, explanation
FROM voice_evaluations
WHERE query_id IN (SELECT value FROM json_each(?));

-- name: save_verdict
-- Store a label; a person's is never overwritten by an automatic one.
INSERT INTO voice_evaluations (query_id, label, reason, confidence_score, evaluated_at, evaluated_by, method, explanation)
VALUES (?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (query_id) DO UPDATE SET
    label = excluded.label, reason = excluded.reason, confidence_score = excluded.confidence_score,
    evaluated_at = excluded.evaluated_at, evaluated_by = excluded.evaluated_by,
    method = excluded.method, explanation = excluded.explanation
WHERE voice_evaluations.evaluated_by IS NOT 'human' OR excluded.evaluated_by = 'human';

-- name: postpone
-- Give a claim back, to be due later.
UPDATE evaluation_queue SET due_at = :due_at, lease = NULL, last_error = :error
WHERE query_id = :query_id AND lease = :lease;

-- name: release
-- Give a claim back as though it had never been made.
UPDATE evaluation_queue SET due_at = :now, lease = NULL, attempts = attempts - 1
WHERE query_id = :query_id AND lease = :lease;

-- name: give_up
-- Let an interaction rest among the failed ones.
UPDATE evaluation_queue SET failed_at = :now, lease = NULL, last_error = :error
WHERE query_id = :query_id AND lease = :lease;

-- name: failed
-- The failed ones, the latest first.
SELECT query_id, attempts, last_error, failed_at FROM evaluation_queue
WHERE failed_at IS NOT NULL ORDER BY failed_at DESC, query_id LIMIT ?;

-- name: retry_all
-- Make every failed one due again, as new.
UPDATE evaluation_queue SET due_at = :now, attempts = 0, failed_at = NULL WHERE failed_at IS NOT NULL;

-- name: retry_some
-- Make the named failed ones due again, as new.
UPDATE evaluation_queue SET due_at = :now, attempts = 0, failed_at = NULL
WHERE failed_at IS NOT NULL AND query_id IN (SELECT value FROM json_each(:query_ids));

-- name: depth
-- How much is due, how much will be, how much has failed; each over its own index.
SELECT
    (SELECT count(*) FROM evaluation_queue WHERE failed_at IS NULL AND due_at <= :now),
    (SELECT count(*) FROM evaluation_queue WHERE failed_at IS NULL AND due_at > :now),
    (SELECT count(*) FROM evaluation_queue WHERE failed_at IS NOT NULL);
