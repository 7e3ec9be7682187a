-- name: insert_queries
-- Store the queries whose ids are new and that may be taken in, and tell which; locked in the order of their ids, numbered in that of the list.
INSERT INTO voice_queries (
    rowid, id, store_id, created_at, received_at, query_text, session_id, user_id, query_source, transcription_conf,
    audio_duration_ms, intent, fast_path, correlation_id, extra
)
SELECT * FROM (
    SELECT
        nextval('voice_queries_rowid'), v ->> 0 AS id, v ->> 1, CAST(v ->> 2 AS bigint), CAST(v ->> 3 AS bigint), v ->> 4,
        v ->> 5, v ->> 6 AS user_id, v ->> 7, CAST(v ->> 8 AS double precision), CAST(v ->> 9 AS bigint), v ->> 10,
        CAST(CAST(CAST(v ->> 11 AS boolean) AS integer) AS smallint), v ->> 12, v ->> 13
    FROM jsonb_array_elements(CAST(:rows AS jsonb)) AS listed (v)
) AS listed
WHERE NOT EXISTS (SELECT 1 FROM archived_ids AS archived WHERE archived.id = listed.id)
    AND NOT EXISTS (
    SELECT 1 FROM forgotten, privacy_secret
    WHERE hash = encode(sha256(convert_to(secret || 'query:' || listed.id, 'UTF8')), 'hex')
        OR hash = encode(sha256(convert_to(secret || 'user:' || listed.user_id, 'UTF8')), 'hex')
)
ORDER BY id COLLATE "C"
ON CONFLICT (id) DO NOTHING
RETURNING id;

-- name: insert_outcomes
-- Store the outcomes whose ids are new and that may be taken in, and tell which; their queries may come later.
WITH listed AS MATERIALIZED (SELECT v FROM jsonb_array_elements(CAST(:rows AS jsonb)) AS listed (v))
INSERT INTO voice_outcomes (
    query_id, occurred_at, received_at, answer_text, model_name, latency_ms, tokens_prompt, tokens_completion,
    tokens_total, cost_usd, action_taken, action_success, error_flag, error_message, tool_calls, correlation_id, extra
)
SELECT
    v ->> 0, CAST(v ->> 1 AS bigint), CAST(v ->> 2 AS bigint), v ->> 3, v ->> 4, CAST(v ->> 5 AS double precision),
    CAST(v ->> 6 AS bigint), CAST(v ->> 7 AS bigint), CAST(v ->> 8 AS bigint), CAST(v ->> 9 AS double precision),
    v ->> 10, CAST(CAST(CAST(v ->> 11 AS boolean) AS integer) AS smallint),
    CAST(CAST(CAST(v ->> 12 AS boolean) AS integer) AS smallint), v ->> 13, v ->> 14, v ->> 15, v ->> 16
FROM listed
WHERE NOT EXISTS (SELECT 1 FROM archived_ids AS archived WHERE archived.id = v ->> 0 AND archived.answered = 1)
    AND NOT EXISTS (
    SELECT 1 FROM forgotten, privacy_secret
    WHERE hash = encode(sha256(convert_to(secret || 'query:' || (v ->> 0), 'UTF8')), 'hex')
)
AND (
    NOT EXISTS (SELECT 1 FROM forgotten)
    OR NOT EXISTS (
        SELECT 1 FROM forgotten, privacy_secret
        WHERE hash = encode(sha256(convert_to(secret || 'blocked:' || (v ->> 0), 'UTF8')), 'hex')
    )
    OR EXISTS (SELECT 1 FROM archived_ids AS archived WHERE archived.id = v ->> 0)
    OR v ->> 0 IN (SELECT q.id FROM voice_queries AS q WHERE q.id IN (SELECT v ->> 0 FROM listed))
)
ORDER BY (v ->> 0) COLLATE "C"
ON CONFLICT (query_id) DO NOTHING
RETURNING query_id;

-- name: unanswered
-- Which of some queries lie in the archive without an outcome.
SELECT id FROM archived_ids WHERE id {in:ids} AND answered = 0;

-- name: counterparts
-- Which of these ids have a query, and which an outcome, as far as it is committed or of this transaction.
SELECT id, true FROM voice_queries WHERE id {in:ids}
UNION ALL
SELECT query_id, false FROM voice_outcomes WHERE query_id {in:ids};

-- name: enqueue
-- Queue interactions to be labelled; one that is queued already has its outcome now, or its query, and an open claim on it is void.
INSERT INTO evaluation_queue (query_id, due_at)
SELECT v ->> 0, CAST(v ->> 1 AS bigint)
FROM jsonb_array_elements(CAST(:rows AS jsonb)) AS listed (v)
ORDER BY (v ->> 0) COLLATE "C"
ON CONFLICT (query_id) DO UPDATE SET
    due_at = :now, attempts = 0, lease = NULL, last_error = NULL, failed_at = NULL, waits_since = NULL;

-- name: hasten
-- Make interactions due that this transaction has queued.
UPDATE evaluation_queue SET due_at = :now WHERE query_id {in:ids};

-- name: last_row
-- The last row number.
SELECT max(rowid) FROM voice_queries;

-- name: stream
-- The joined rows of a range of row numbers.
SELECT
    q.id, q.store_id, q.session_id, q.user_id, q.created_at, q.query_text, q.query_source, q.transcription_conf,
    q.audio_duration_ms, q.intent, CAST(q.fast_path AS bigint) AS fast_path,
    CAST(CAST(o.query_id IS NOT NULL AS integer) AS bigint) AS has_outcome, o.answer_text, o.model_name, o.latency_ms,
    o.tokens_prompt, o.tokens_completion, o.tokens_total, o.cost_usd, o.action_taken,
    CAST(o.action_success AS bigint) AS action_success, CAST(o.error_flag AS bigint) AS error_flag, o.error_message,
    o.tool_calls, e.label, e.reason, e.confidence_score AS confidence, e.evaluated_at, e.evaluated_by
FROM voice_queries AS q
LEFT JOIN voice_outcomes AS o ON o.query_id = q.id
LEFT JOIN voice_evaluations AS e ON e.query_id = q.id
WHERE q.rowid > :after AND q.rowid <= :upto;

-- name: stream_types
-- A row that tells the types of the streamed rows' columns, with a `has_outcome` that no interaction has.
SELECT
    CAST('' AS text) AS id, CAST('' AS text) AS store_id, CAST('' AS text) AS session_id, CAST('' AS text) AS user_id,
    CAST(0 AS bigint) AS created_at, CAST('' AS text) AS query_text, CAST('' AS text) AS query_source,
    CAST(0.5 AS double precision) AS transcription_conf, CAST(0 AS bigint) AS audio_duration_ms,
    CAST('' AS text) AS intent, CAST(0 AS bigint) AS fast_path, CAST(-1 AS bigint) AS has_outcome,
    CAST('' AS text) AS answer_text, CAST('' AS text) AS model_name, CAST(0.5 AS double precision) AS latency_ms,
    CAST(0 AS bigint) AS tokens_prompt, CAST(0 AS bigint) AS tokens_completion, CAST(0 AS bigint) AS tokens_total,
    CAST(0.5 AS double precision) AS cost_usd, CAST('' AS text) AS action_taken, CAST(0 AS bigint) AS action_success,
    CAST(0 AS bigint) AS error_flag, CAST('' AS text) AS error_message, CAST('' AS text) AS tool_calls,
    CAST('' AS text) AS label, CAST('' AS text) AS reason, CAST(0.5 AS double precision) AS confidence,
    CAST(0 AS bigint) AS evaluated_at, CAST('' AS text) AS evaluated_by;
