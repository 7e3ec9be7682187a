-- name: write_queries
-- Store the queries whose ids are new; locked in the order of their ids, numbered in that of the list.
INSERT INTO voice_queries (
    rowid, id, store_id, session_id, user_id, created_at, query_text, transcription_conf, intent, fast_path, query_source,
    audio_duration_ms, correlation_id, received_at, extra
)
SELECT * FROM (
    SELECT
        nextval('voice_queries_rowid'), v ->> 0 AS id, v ->> 1, v ->> 2, v ->> 3, CAST(v ->> 4 AS bigint), v ->> 5,
        CAST(v ->> 6 AS double precision), v ->> 7, CAST(v ->> 8 AS smallint), v ->> 9, CAST(v ->> 10 AS bigint),
        v ->> 11, CAST(v ->> 12 AS bigint), v ->> 13
    FROM jsonb_array_elements(CAST(:rows AS jsonb)) AS listed (v)
) AS listed
ORDER BY id COLLATE "C"
ON CONFLICT (id) DO NOTHING;

-- name: write_outcomes
-- Store the outcomes whose ids are new.
INSERT INTO voice_outcomes (
    query_id, answer_text, model_name, latency_ms, tokens_prompt, tokens_completion, cost_usd, action_taken,
    action_success, error_flag, tool_calls, error_message, tokens_total, occurred_at, received_at, correlation_id, extra
)
SELECT
    v ->> 0, v ->> 1, v ->> 2, CAST(v ->> 3 AS double precision), CAST(v ->> 4 AS bigint), CAST(v ->> 5 AS bigint),
    CAST(v ->> 6 AS double precision), v ->> 7, CAST(v ->> 8 AS smallint), CAST(v ->> 9 AS smallint), v ->> 10, v ->> 11,
    CAST(v ->> 12 AS bigint), CAST(v ->> 13 AS bigint), CAST(v ->> 14 AS bigint), v ->> 15, v ->> 16
FROM jsonb_array_elements(CAST(:rows AS jsonb)) AS listed (v)
ORDER BY (v ->> 0) COLLATE "C"
ON CONFLICT (query_id) DO NOTHING;

-- name: write_evaluations
-- Store labels; a person's is never overwritten by an automatic one.
INSERT INTO voice_evaluations (
    query_id, label, reason, confidence_score, evaluated_at, evaluated_by, method, explanation, rubric, tokens_prompt,
    tokens_completion, cost_usd, duration_ms
)
SELECT
    v ->> 0, v ->> 1, v ->> 2, CAST(v ->> 3 AS double precision), CAST(v ->> 4 AS bigint), v ->> 5, v ->> 6, v ->> 7,
    v ->> 8, CAST(v ->> 9 AS bigint), CAST(v ->> 10 AS bigint), CAST(v ->> 11 AS double precision),
    CAST(v ->> 12 AS double precision)
FROM jsonb_array_elements(CAST(:rows AS jsonb)) AS listed (v)
ORDER BY (v ->> 0) COLLATE "C"
ON CONFLICT (query_id) DO UPDATE SET
    label = excluded.label, reason = excluded.reason, confidence_score = excluded.confidence_score,
    evaluated_at = excluded.evaluated_at, evaluated_by = excluded.evaluated_by,
    method = excluded.method, explanation = excluded.explanation, rubric = excluded.rubric,
    tokens_prompt = excluded.tokens_prompt, tokens_completion = excluded.tokens_completion,
    cost_usd = excluded.cost_usd, duration_ms = excluded.duration_ms
WHERE voice_evaluations.evaluated_by IS DISTINCT FROM 'human' OR excluded.evaluated_by = 'human';

-- name: write_history
-- Keep labels that other ones took the place of.
INSERT INTO voice_evaluation_history (
    query_id, label, reason, confidence_score, evaluated_at, evaluated_by, method, explanation, rubric, tokens_prompt,
    tokens_completion, cost_usd, duration_ms
)
SELECT
    v ->> 0, v ->> 1, v ->> 2, CAST(v ->> 3 AS double precision), CAST(v ->> 4 AS bigint), v ->> 5, v ->> 6, v ->> 7,
    v ->> 8, CAST(v ->> 9 AS bigint), CAST(v ->> 10 AS bigint), CAST(v ->> 11 AS double precision),
    CAST(v ->> 12 AS double precision)
FROM jsonb_array_elements(CAST(:rows AS jsonb)) AS listed (v);

-- name: write_queue
-- Queue queries to be labelled, in the state that they are in.
INSERT INTO evaluation_queue (query_id, due_at, attempts, last_error, failed_at)
SELECT v ->> 0, CAST(v ->> 1 AS bigint), CAST(v ->> 2 AS integer), v ->> 3, CAST(v ->> 4 AS bigint)
FROM jsonb_array_elements(CAST(:rows AS jsonb)) AS listed (v)
ORDER BY (v ->> 0) COLLATE "C"
ON CONFLICT (query_id) DO UPDATE SET
    due_at = excluded.due_at, attempts = excluded.attempts, last_error = excluded.last_error,
    failed_at = excluded.failed_at, lease = NULL, waits_since = NULL;

-- name: write_conversions
-- Store the conversions whose ids are new; locked in the order of their ids, numbered in that of the list.
INSERT INTO voice_conversions (
    rowid, id, query_id, session_id, store_id, occurred_at, received_at, value, currency, order_id, correlation_id, extra
)
SELECT * FROM (
    SELECT
        nextval('voice_conversions_rowid'), v ->> 0 AS id, v ->> 1, v ->> 2, v ->> 3, CAST(v ->> 4 AS bigint),
        CAST(v ->> 5 AS bigint), CAST(v ->> 6 AS double precision), v ->> 7, v ->> 8, v ->> 9, v ->> 10
    FROM jsonb_array_elements(CAST(:rows AS jsonb)) AS listed (v)
) AS listed
ORDER BY id COLLATE "C"
ON CONFLICT (id) DO NOTHING;

-- name: try_lock
-- Keep other copies away from this database; it is let go with the connection.
SELECT pg_try_advisory_lock(:key);
