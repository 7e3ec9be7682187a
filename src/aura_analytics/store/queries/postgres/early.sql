-- name: store
-- Store the outcomes whose queries are there, and of their senders' stores; tell which are new.
INSERT INTO voice_outcomes (
    query_id, occurred_at, received_at, answer_text, model_name, latency_ms, tokens_prompt, tokens_completion,
    tokens_total, cost_usd, action_taken, action_success, error_flag, error_message, tool_calls, correlation_id, extra
)
SELECT
    v ->> 0, CAST(v ->> 1 AS bigint), CAST(v ->> 2 AS bigint), v ->> 3, v ->> 4, CAST(v ->> 5 AS double precision),
    CAST(v ->> 6 AS bigint), CAST(v ->> 7 AS bigint), CAST(v ->> 8 AS bigint), CAST(v ->> 9 AS double precision),
    v ->> 10, CAST(CAST(CAST(v ->> 11 AS boolean) AS integer) AS smallint),
    CAST(CAST(CAST(v ->> 12 AS boolean) AS integer) AS smallint), v ->> 13, v ->> 14, v ->> 15, v ->> 16
FROM (
    SELECT CAST(row ->> 3 AS jsonb) AS v, CAST(row ->> 2 AS jsonb) AS stores
    FROM jsonb_array_elements(CAST(:rows AS jsonb)) AS listed (row)
) AS sent
JOIN voice_queries AS q ON q.id = v ->> 0 AND jsonb_exists(stores, q.store_id)
ORDER BY (v ->> 0) COLLATE "C"
ON CONFLICT (query_id) DO NOTHING
RETURNING query_id;

-- name: wait
-- Have the outcomes whose queries aren't there wait for them, as far as they may be taken in; tell which are new.
INSERT INTO early_outcomes (query_id, sender, stores, outcome)
SELECT row ->> 0, row ->> 1, row ->> 2, row ->> 3
FROM jsonb_array_elements(CAST(:rows AS jsonb)) AS listed (row)
LEFT JOIN voice_queries AS q ON q.id = row ->> 0
WHERE
    q.id IS NULL
    AND NOT EXISTS (SELECT 1 FROM archived_ids AS archived WHERE archived.id = row ->> 0 AND archived.answered = 1)
    AND NOT EXISTS (
        SELECT 1 FROM forgotten, privacy_secret
        WHERE hash = encode(sha256(convert_to(secret || 'query:' || (row ->> 0), 'UTF8')), 'hex')
    )
    AND (
        NOT EXISTS (SELECT 1 FROM forgotten)
        OR NOT EXISTS (
            SELECT 1 FROM forgotten, privacy_secret
            WHERE hash = encode(sha256(convert_to(secret || 'blocked:' || (row ->> 0), 'UTF8')), 'hex')
        )
        OR EXISTS (SELECT 1 FROM archived_ids AS archived WHERE archived.id = row ->> 0)
    )
ORDER BY (row ->> 0) COLLATE "C", (row ->> 1) COLLATE "C"
ON CONFLICT DO NOTHING
RETURNING query_id, sender;

-- name: enqueue
-- Queue interactions as ever, and take a place for those that are only waited for; tell which weren't queued yet.
INSERT INTO evaluation_queue (query_id, due_at)
SELECT v ->> 0, CAST(v ->> 1 AS bigint)
FROM jsonb_array_elements(CAST(:rows AS jsonb)) AS listed (v)
ORDER BY (v ->> 0) COLLATE "C"
ON CONFLICT (query_id) DO UPDATE SET
    due_at = CASE WHEN excluded.due_at = :place THEN evaluation_queue.due_at ELSE :now END,
    attempts = CASE WHEN excluded.due_at = :place THEN evaluation_queue.attempts ELSE 0 END,
    lease = CASE WHEN excluded.due_at = :place THEN evaluation_queue.lease END,
    last_error = CASE WHEN excluded.due_at = :place THEN evaluation_queue.last_error END,
    failed_at = CASE WHEN excluded.due_at = :place THEN evaluation_queue.failed_at END,
    waits_since = CASE WHEN excluded.due_at = :place THEN evaluation_queue.waits_since END
RETURNING query_id, xmax = 0;

-- name: leave_place
-- Leave a place in the queue that nobody is to be found at.
DELETE FROM evaluation_queue WHERE query_id {in:ids};

-- name: meet
-- Store what has waited for queries, the first that is of a sender of their stores.
INSERT INTO voice_outcomes (
    query_id, occurred_at, received_at, answer_text, model_name, latency_ms, tokens_prompt, tokens_completion,
    tokens_total, cost_usd, action_taken, action_success, error_flag, error_message, tool_calls, correlation_id, extra
)
SELECT
    v ->> 0, CAST(v ->> 1 AS bigint), CAST(v ->> 2 AS bigint), v ->> 3, v ->> 4, CAST(v ->> 5 AS double precision),
    CAST(v ->> 6 AS bigint), CAST(v ->> 7 AS bigint), CAST(v ->> 8 AS bigint), CAST(v ->> 9 AS double precision),
    v ->> 10, CAST(CAST(CAST(v ->> 11 AS boolean) AS integer) AS smallint),
    CAST(CAST(CAST(v ->> 12 AS boolean) AS integer) AS smallint), v ->> 13, v ->> 14, v ->> 15, v ->> 16
FROM (
    SELECT CAST(e.outcome AS jsonb) AS v, e.number
    FROM jsonb_array_elements(CAST(:rows AS jsonb)) AS listed (q)
    JOIN early_outcomes AS e ON e.query_id = q ->> 0
    WHERE jsonb_exists(CAST(e.stores AS jsonb), q ->> 1)
) AS met
ORDER BY (v ->> 0) COLLATE "C", number
ON CONFLICT (query_id) DO NOTHING;

-- name: hasten
-- Make those queries due that this transaction has queued and that something fitting has waited for.
UPDATE evaluation_queue SET due_at = :now
WHERE query_id IN (
    SELECT e.query_id
    FROM jsonb_array_elements(CAST(:rows AS jsonb)) AS listed (q)
    JOIN early_outcomes AS e ON e.query_id = q ->> 0
    WHERE jsonb_exists(CAST(e.stores AS jsonb), q ->> 1)
);
