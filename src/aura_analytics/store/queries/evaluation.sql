-- name: claimed
-- What a rule or a judge looks at.
SELECT
    q.id, q.store_id, q.session_id, q.user_id, q.created_at, q.query_text, q.query_source, q.transcription_conf,
    q.audio_duration_ms, q.intent, q.fast_path, o.query_id, o.answer_text, o.model_name, o.latency_ms,
    o.tokens_prompt, o.tokens_completion, o.tokens_total, o.cost_usd, o.action_taken, o.action_success, o.error_flag,
    o.error_message, o.tool_calls
FROM voice_queries AS q
LEFT JOIN voice_outcomes AS o ON o.query_id = q.id
WHERE q.id {in:ids};

-- name: drop_orphans
-- Remove claimed work whose queries are gone.
DELETE FROM evaluation_queue WHERE lease = :lease AND query_id {in:ids};

-- name: labelled
-- The labels that stand for some interactions, as far as they tell whether a new one says something else.
SELECT query_id, label, reason, evaluated_by, method, rubric FROM voice_evaluations
WHERE query_id {in:ids};

-- name: keep_history
-- Keep the labels of some interactions that new ones are about to take the place of.
INSERT INTO voice_evaluation_history (
    query_id, label, reason, confidence_score, evaluated_at, evaluated_by, method, explanation, rubric, tokens_prompt,
    tokens_completion, cost_usd, duration_ms
)
SELECT
    query_id, label, reason, confidence_score, evaluated_at, evaluated_by, method, explanation, rubric, tokens_prompt,
    tokens_completion, cost_usd, duration_ms
FROM voice_evaluations
WHERE query_id {in:ids};

-- name: automatic
-- The last automatic label of each of some interactions: the one that stands, or else the last that gave way.
SELECT
    query_id, label, reason, confidence_score, evaluated_at, evaluated_by, method, explanation, rubric, tokens_prompt,
    tokens_completion, cost_usd, duration_ms
FROM (
    SELECT *, row_number() OVER (PARTITION BY query_id ORDER BY place DESC, evaluated_at DESC, number DESC) AS nth
    FROM (
        SELECT
            query_id, label, reason, confidence_score, evaluated_at, evaluated_by, method, explanation, rubric,
            tokens_prompt, tokens_completion, cost_usd, duration_ms, 1 AS place, 0 AS number
        FROM voice_evaluations
        WHERE query_id {in:ids}
        UNION ALL
        SELECT
            query_id, label, reason, confidence_score, evaluated_at, evaluated_by, method, explanation, rubric,
            tokens_prompt, tokens_completion, cost_usd, duration_ms, 0, rowid
        FROM voice_evaluation_history
        WHERE query_id {in:ids}
    ) AS given
    WHERE coalesce(evaluated_by, 'auto') <> 'human'
) AS ranked
WHERE nth = 1;

-- name: held
-- What is held under a lease.
SELECT query_id, attempts FROM evaluation_queue WHERE lease = :lease AND failed_at IS NULL;

-- name: postpone
-- Give a claim back, to be due later; an attempt that doesn't count is taken off.
UPDATE evaluation_queue SET due_at = :due_at, lease = NULL, last_error = :error, attempts = attempts - :uncounted
WHERE query_id = :query_id AND lease = :lease;

-- name: release
-- Give a claim back as though it had never been made.
UPDATE evaluation_queue SET due_at = :now, lease = NULL, attempts = attempts - 1
WHERE query_id = :query_id AND lease = :lease;

-- name: prolong
-- Keep a claim for longer, if it is still held.
UPDATE evaluation_queue SET due_at = :until WHERE query_id = :query_id AND lease = :lease;

-- name: give_up
-- Let an interaction rest among the failed ones.
UPDATE evaluation_queue SET failed_at = :now, lease = NULL, last_error = :error
WHERE query_id = :query_id AND lease = :lease;

-- name: failed
-- The failed ones, the latest first.
SELECT query_id, attempts, last_error, failed_at FROM evaluation_queue
WHERE failed_at IS NOT NULL ORDER BY failed_at DESC, query_id LIMIT :limit;

-- name: depth
-- How much is due, will be, has failed, and since when unclaimed and claimed ones wait. The last of all moments isn't one.
SELECT
    (SELECT count(*) FROM evaluation_queue WHERE failed_at IS NULL AND due_at <= :now),
    (SELECT count(*) FROM evaluation_queue WHERE failed_at IS NULL AND due_at > :now AND due_at < 9223372036854775807),
    (SELECT count(*) FROM evaluation_queue WHERE failed_at IS NOT NULL),
    (SELECT min(due_at) FROM evaluation_queue WHERE failed_at IS NULL AND due_at <= :now),
    (SELECT min(waits_since) FROM evaluation_queue WHERE failed_at IS NULL AND waits_since IS NOT NULL);
