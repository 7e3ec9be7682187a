-- name: wide_rows
-- The joined rows of some interactions, as the columns hold them.
SELECT
    q.id, q.store_id, q.session_id, q.user_id, q.created_at, q.query_text, q.query_source, q.transcription_conf,
    q.audio_duration_ms, q.intent, q.fast_path, CASE WHEN o.query_id IS NULL THEN 0 ELSE 1 END, o.answer_text,
    o.model_name, o.latency_ms, o.tokens_prompt, o.tokens_completion, o.tokens_total, o.cost_usd, o.action_taken,
    o.action_success, o.error_flag, o.error_message, o.tool_calls, e.label, e.reason, e.confidence_score, e.evaluated_at,
    e.evaluated_by
FROM voice_queries AS q
LEFT JOIN voice_outcomes AS o ON o.query_id = q.id
LEFT JOIN voice_evaluations AS e ON e.query_id = q.id
WHERE q.id {in:ids};

-- name: snapshot
-- The next joined rows in the order of arrival, led by the row number to go on from.
SELECT
    q.rowid, q.id, q.store_id, q.session_id, q.user_id, q.created_at, q.query_text, q.query_source, q.transcription_conf,
    q.audio_duration_ms, q.intent, q.fast_path, CASE WHEN o.query_id IS NULL THEN 0 ELSE 1 END, o.answer_text,
    o.model_name, o.latency_ms, o.tokens_prompt, o.tokens_completion, o.tokens_total, o.cost_usd, o.action_taken,
    o.action_success, o.error_flag, o.error_message, o.tool_calls, e.label, e.reason, e.confidence_score, e.evaluated_at,
    e.evaluated_by
FROM voice_queries AS q
LEFT JOIN voice_outcomes AS o ON o.query_id = q.id
LEFT JOIN voice_evaluations AS e ON e.query_id = q.id
WHERE q.rowid > :after AND q.rowid <= :upto
ORDER BY q.rowid
LIMIT :limit;

-- name: count
-- How many interactions there are.
SELECT count(*) FROM voice_queries;
