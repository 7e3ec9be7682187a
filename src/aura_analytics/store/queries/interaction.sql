-- name: whole
-- One query with its outcome: what a judge looks at, then what only a reader does.
SELECT
    q.id, q.store_id, q.session_id, q.user_id, q.created_at, q.query_text, q.query_source, q.transcription_conf,
    q.audio_duration_ms, q.intent, q.fast_path, o.query_id, o.answer_text, o.model_name, o.latency_ms,
    o.tokens_prompt, o.tokens_completion, o.tokens_total, o.cost_usd, o.action_taken, o.action_success, o.error_flag,
    o.error_message, o.tool_calls, q.received_at, q.correlation_id, q.extra, o.occurred_at, o.received_at,
    o.correlation_id, o.extra
FROM voice_queries AS q
LEFT JOIN voice_outcomes AS o ON o.query_id = q.id
WHERE q.id = :query_id;

-- name: verdict
-- The label that stands.
SELECT
    query_id, label, reason, confidence_score, evaluated_at, evaluated_by, method, explanation, rubric, tokens_prompt,
    tokens_completion, cost_usd, duration_ms
FROM voice_evaluations
WHERE query_id = :query_id;

-- name: verdicts
-- The labels that stand for several.
SELECT
    query_id, label, reason, confidence_score, evaluated_at, evaluated_by, method, explanation, rubric, tokens_prompt,
    tokens_completion, cost_usd, duration_ms
FROM voice_evaluations
WHERE query_id {in:ids};

-- name: history
-- The labels before it, the latest first.
SELECT
    query_id, label, reason, confidence_score, evaluated_at, evaluated_by, method, explanation, rubric, tokens_prompt,
    tokens_completion, cost_usd, duration_ms
FROM voice_evaluation_history
WHERE query_id = :query_id
ORDER BY evaluated_at DESC, rowid DESC;
