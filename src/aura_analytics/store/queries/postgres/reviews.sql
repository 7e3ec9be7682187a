-- name: alone
-- Wait until no other transaction does the same to the same; the first number tells these locks from all others.
SELECT pg_advisory_xact_lock(hashtext('reviews'), hashtext(:what));

-- name: hold_work
-- Keep an evaluator from settling an interaction meanwhile.
SELECT query_id FROM evaluation_queue WHERE query_id = :query_id FOR UPDATE;

-- name: lease_first
-- Lease to a person the first of a list that nobody else has, and tell which.
INSERT INTO review_leases (query_id, reviewer, leased_until)
SELECT free.query_id, CAST(:reviewer AS text), CAST(:until AS bigint)
FROM (
    SELECT offered.query_id
    FROM unnest(CAST(:ids AS text[])) WITH ORDINALITY AS offered (query_id, place)
    LEFT JOIN review_leases AS leased ON leased.query_id = offered.query_id
    WHERE leased.reviewer IS NULL OR leased.reviewer = CAST(:reviewer AS text)
    GROUP BY offered.query_id
    ORDER BY min(offered.place)
    LIMIT :limit
) AS free
ON CONFLICT (query_id) DO UPDATE SET reviewer = excluded.reviewer, leased_until = excluded.leased_until
RETURNING query_id;
