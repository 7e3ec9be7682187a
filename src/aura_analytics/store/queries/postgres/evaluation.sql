-- name: claim_due
-- Take the interactions that have been due longest and that nobody else is just taking; the lease's end is when they are due again.
WITH taken AS (
    SELECT query_id FROM evaluation_queue
    WHERE due_at <= :now AND failed_at IS NULL
    ORDER BY due_at LIMIT :limit
    FOR UPDATE SKIP LOCKED
)
UPDATE evaluation_queue AS queued SET
    due_at = :lease_until, lease = :lease, attempts = queued.attempts + 1,
    waits_since = coalesce(queued.waits_since, queued.due_at)
FROM taken WHERE queued.query_id = taken.query_id
RETURNING queued.query_id, queued.attempts;

-- name: finish_all
-- Remove the work of claims whose leases still hold, and tell which; locked in the order of their ids.
WITH held AS (
    SELECT queued.query_id FROM evaluation_queue AS queued
    JOIN (
        SELECT unnest(CAST(:ids AS text[])) AS query_id, unnest(CAST(:leases AS text[])) AS lease
    ) AS claimed ON claimed.query_id = queued.query_id AND claimed.lease = queued.lease
    ORDER BY queued.query_id
    FOR UPDATE OF queued
)
DELETE FROM evaluation_queue AS queued USING held WHERE queued.query_id = held.query_id
RETURNING queued.query_id;

-- name: postpone_all
-- Give claims back whose leases still hold, to be due later, as though they had never been made; locked in the order of their ids.
WITH held AS (
    SELECT queued.query_id FROM evaluation_queue AS queued
    JOIN (
        SELECT unnest(CAST(:ids AS text[])) AS query_id, unnest(CAST(:leases AS text[])) AS lease
    ) AS claimed ON claimed.query_id = queued.query_id AND claimed.lease = queued.lease
    ORDER BY queued.query_id
    FOR UPDATE OF queued
)
UPDATE evaluation_queue AS queued SET
    due_at = :due_at, lease = NULL, last_error = :error, attempts = queued.attempts - 1
FROM held WHERE queued.query_id = held.query_id;

-- name: save_verdicts
-- Store labels and tell which stand; a person's is never overwritten by an automatic one.
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
WHERE voice_evaluations.evaluated_by IS DISTINCT FROM 'human' OR excluded.evaluated_by = 'human'
RETURNING query_id;

-- name: keep_beside
-- Keep labels that don't stand, since a person's does.
INSERT INTO voice_evaluation_history (
    query_id, label, reason, confidence_score, evaluated_at, evaluated_by, method, explanation, rubric, tokens_prompt,
    tokens_completion, cost_usd, duration_ms
)
SELECT
    v ->> 0, v ->> 1, v ->> 2, CAST(v ->> 3 AS double precision), CAST(v ->> 4 AS bigint), v ->> 5, v ->> 6, v ->> 7,
    v ->> 8, CAST(v ->> 9 AS bigint), CAST(v ->> 10 AS bigint), CAST(v ->> 11 AS double precision),
    CAST(v ->> 12 AS double precision)
FROM jsonb_array_elements(CAST(:rows AS jsonb)) AS listed (v);

-- name: retry_all
-- Make every failed one due again, as new; locked in the order of their ids.
UPDATE evaluation_queue SET due_at = :now, attempts = 0, failed_at = NULL, waits_since = NULL
WHERE query_id IN (SELECT query_id FROM evaluation_queue WHERE failed_at IS NOT NULL ORDER BY query_id FOR UPDATE);

-- name: retry_some
-- Make the named failed ones due again, as new; locked in the order of their ids.
UPDATE evaluation_queue SET due_at = :now, attempts = 0, failed_at = NULL, waits_since = NULL
WHERE query_id IN (
    SELECT query_id FROM evaluation_queue WHERE failed_at IS NOT NULL AND query_id {in:ids} ORDER BY query_id FOR UPDATE
);
