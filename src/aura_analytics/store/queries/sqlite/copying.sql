-- name: write_queries
-- Store a query whose id is new.
INSERT INTO voice_queries (
    id, store_id, session_id, user_id, created_at, query_text, transcription_conf, intent, fast_path, query_source,
    audio_duration_ms, correlation_id, received_at, extra
) VALUES {rows}
ON CONFLICT DO NOTHING;

-- name: write_outcomes
-- Store an outcome whose id is new.
INSERT INTO voice_outcomes (
    query_id, answer_text, model_name, latency_ms, tokens_prompt, tokens_completion, cost_usd, action_taken,
    action_success, error_flag, tool_calls, error_message, tokens_total, occurred_at, received_at, correlation_id, extra
) VALUES {rows}
ON CONFLICT DO NOTHING;

-- name: write_evaluations
-- Store a label; a person's is never overwritten by an automatic one.
INSERT INTO voice_evaluations (
    query_id, label, reason, confidence_score, evaluated_at, evaluated_by, method, explanation, rubric, tokens_prompt,
    tokens_completion, cost_usd, duration_ms
) VALUES {rows}
ON CONFLICT (query_id) DO UPDATE SET
    label = excluded.label, reason = excluded.reason, confidence_score = excluded.confidence_score,
    evaluated_at = excluded.evaluated_at, evaluated_by = excluded.evaluated_by,
    method = excluded.method, explanation = excluded.explanation, rubric = excluded.rubric,
    tokens_prompt = excluded.tokens_prompt, tokens_completion = excluded.tokens_completion,
    cost_usd = excluded.cost_usd, duration_ms = excluded.duration_ms
WHERE voice_evaluations.evaluated_by IS NOT 'human' OR excluded.evaluated_by = 'human';

-- name: write_history
-- Keep a label that another one took the place of.
INSERT INTO voice_evaluation_history (
    query_id, label, reason, confidence_score, evaluated_at, evaluated_by, method, explanation, rubric, tokens_prompt,
    tokens_completion, cost_usd, duration_ms
) VALUES {rows};

-- name: write_queue
-- Queue a query to be labelled, in the state that it is in.
INSERT INTO evaluation_queue (query_id, due_at, attempts, last_error, failed_at) VALUES {rows}
ON CONFLICT (query_id) DO UPDATE SET
    due_at = excluded.due_at, attempts = excluded.attempts, last_error = excluded.last_error,
    failed_at = excluded.failed_at, lease = NULL;

-- name: write_conversions
-- Store a conversion whose id is new.
INSERT INTO voice_conversions (
    id, query_id, session_id, store_id, occurred_at, received_at, value, currency, order_id, correlation_id, extra
) VALUES {rows}
ON CONFLICT DO NOTHING;

-- name: without_key
-- How many rows of each table have no text for a key, so that nothing can be told of them.
SELECT 'voice_queries', (SELECT count(*) FROM voice_queries WHERE id IS NULL OR id >= x'')
UNION ALL
SELECT 'voice_outcomes', (SELECT count(*) FROM voice_outcomes WHERE query_id IS NULL OR query_id >= x'')
UNION ALL
SELECT 'voice_evaluations', (SELECT count(*) FROM voice_evaluations WHERE query_id IS NULL OR query_id >= x'')
UNION ALL
SELECT 'voice_evaluation_history', (SELECT count(*) FROM voice_evaluation_history WHERE query_id >= x'')
UNION ALL
SELECT 'evaluation_queue', (SELECT count(*) FROM evaluation_queue WHERE query_id >= x'')
UNION ALL
SELECT 'voice_conversions', (SELECT count(*) FROM voice_conversions WHERE id IS NULL OR id >= x'');
