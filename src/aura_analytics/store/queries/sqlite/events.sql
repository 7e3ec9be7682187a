-- name: known
-- Which of these ids have a query, which an outcome, and which lie in the archive without one; one row of JSON, since each row costs the interpreter's lock.
SELECT
    (SELECT json_group_array(id) FROM (
        SELECT id FROM voice_queries WHERE id {in:ids} UNION ALL SELECT id FROM archived_ids WHERE id {in:ids}
    )),
    (SELECT json_group_array(query_id) FROM (
        SELECT query_id FROM voice_outcomes WHERE query_id {in:ids}
        UNION ALL
        SELECT id FROM archived_ids WHERE id {in:ids} AND answered
    )),
    (SELECT json_group_array(id) FROM archived_ids WHERE id {in:ids} AND NOT answered);

-- name: insert_queries
-- Store queries whose ids were looked up in this transaction.
INSERT INTO voice_queries (
    id, store_id, created_at, received_at, query_text, session_id, user_id, query_source, transcription_conf,
    audio_duration_ms, intent, fast_path, correlation_id, extra
) VALUES {rows};

-- name: insert_outcomes
-- Store outcomes whose ids were looked up in this transaction; their queries may come later.
INSERT INTO voice_outcomes (
    query_id, occurred_at, received_at, answer_text, model_name, latency_ms, tokens_prompt, tokens_completion,
    tokens_total, cost_usd, action_taken, action_success, error_flag, error_message, tool_calls, correlation_id, extra
) VALUES {rows};

-- name: enqueue
-- Queue interactions to be labelled; one whose outcome came late is queued anew, and an open claim on it is void.
INSERT INTO evaluation_queue (query_id, due_at)
SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]') FROM json_each(:due) WHERE true
ON CONFLICT (query_id) DO UPDATE SET
    due_at = excluded.due_at, attempts = 0, lease = NULL, last_error = NULL, failed_at = NULL, waits_since = NULL;

-- name: stream_types
-- A row that tells the types of the streamed rows' columns, with a `has_outcome` that no interaction has.
SELECT
    '' AS id, '' AS store_id, '' AS session_id, '' AS user_id, 0 AS created_at, '' AS query_text, '' AS
    query_source, 0.5 AS transcription_conf, 0 AS audio_duration_ms, '' AS intent, 0 AS fast_path, -1 AS has_outcome,
    '' AS answer_text, '' AS model_name, 0.5 AS latency_ms, 0 AS tokens_prompt, 0 AS tokens_completion, 0 AS
    tokens_total, 0.5 AS cost_usd, '' AS action_taken, 0 AS action_success, 0 AS error_flag, '' AS error_message, ''
    AS tool_calls, '' AS label, '' AS reason, 0.5 AS confidence, 0 AS evaluated_at, '' AS evaluated_by;

-- name: stream
-- The joined rows of a range of row numbers, each cell of its column's type; a fraction among whole numbers ends the stream.
SELECT
    q.id, q.store_id, q.session_id, q.user_id, iif(typeof(q.created_at) = 'real', '', q.created_at),
    q.query_text, q.query_source,
    iif(typeof(q.transcription_conf) = 'integer', q.transcription_conf * 1.0, q.transcription_conf),
    iif(typeof(q.audio_duration_ms) = 'real', '', q.audio_duration_ms), q.intent, q.fast_path,
    o.query_id IS NOT NULL, o.answer_text, o.model_name,
    iif(typeof(o.latency_ms) = 'integer', o.latency_ms * 1.0, o.latency_ms),
    iif(typeof(o.tokens_prompt) = 'real', '', o.tokens_prompt),
    iif(typeof(o.tokens_completion) = 'real', '', o.tokens_completion),
    iif(typeof(o.tokens_total) = 'real', '', o.tokens_total),
    iif(typeof(o.cost_usd) = 'integer', o.cost_usd * 1.0, o.cost_usd), o.action_taken, o.action_success,
    o.error_flag, o.error_message, o.tool_calls, e.label, e.reason,
    iif(typeof(e.confidence_score) = 'integer', e.confidence_score * 1.0, e.confidence_score),
    iif(typeof(e.evaluated_at) = 'real', '', e.evaluated_at), e.evaluated_by
FROM voice_queries AS q
LEFT JOIN voice_outcomes AS o ON o.query_id = q.id
LEFT JOIN voice_evaluations AS e ON e.query_id = q.id
WHERE q.rowid > :after AND q.rowid <= :upto;

-- name: extent
-- The last row number, and how long the longest texts are.
SELECT
    (SELECT max(rowid) FROM voice_queries),
    (SELECT max(length(query_text)) FROM voice_queries),
    (SELECT max(max(length(answer_text)), max(length(tool_calls)), max(length(error_message))) FROM (
        SELECT coalesce(answer_text, '') AS answer_text, coalesce(tool_calls, '') AS tool_calls,
            coalesce(error_message, '') AS error_message
        FROM voice_outcomes
    ));
