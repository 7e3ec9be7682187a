-- A query with all that belongs to it.
CREATE VIEW voice_query_details AS
SELECT
    q.id, q.store_id, q.session_id, q.user_id, q.created_at, q.query_text, q.transcription_conf, q.intent, q.fast_path,
    o.answer_text, o.model_name, o.latency_ms, o.tokens_prompt, o.tokens_completion, o.cost_usd,
    o.action_taken, o.action_success, o.error_flag, o.tool_calls,
    e.label AS eval_label, e.reason AS eval_reason, e.confidence_score AS eval_confidence,
    e.evaluated_at, e.evaluated_by
FROM voice_queries AS q
LEFT JOIN voice_outcomes AS o ON o.query_id = q.id
LEFT JOIN voice_evaluations AS e ON e.query_id = q.id;

-- What waits for a person's eye.
CREATE VIEW voice_queries_need_review AS
SELECT * FROM voice_query_details
WHERE eval_label = 'REVIEW';

-- What a model may learn from.
CREATE VIEW voice_training_examples AS
SELECT
    id, store_id, query_text AS prompt, answer_text AS completion, intent, model_name, action_taken, created_at,
    eval_label, eval_confidence, latency_ms
FROM voice_query_details
WHERE eval_label = 'GOOD' AND answer_text IS NOT NULL;
