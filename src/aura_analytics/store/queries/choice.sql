-- name: page
-- Those of the next interactions that are of a choice, in any order; one row has no id and says where the next page begins.
WITH page AS (SELECT rowid AS number FROM voice_queries WHERE rowid > :after ORDER BY rowid LIMIT :limit)
SELECT q.rowid, q.id FROM voice_queries AS q
WHERE
    -- Labels are looked up one by one: joined, all of them may be read for each page.
    q.rowid > :after AND q.rowid <= (SELECT max(number) FROM page)
    AND (CAST(:store_id AS text) IS NULL OR q.store_id = :store_id)
    AND (CAST(:since AS bigint) IS NULL OR q.created_at >= :since)
    AND (CAST(:until AS bigint) IS NULL OR q.created_at <= :until)
    AND (CAST(:intent AS text) IS NULL OR q.intent = :intent)
    AND (
        CAST(:label AS text) IS NULL
        OR coalesce((SELECT e.label FROM voice_evaluations AS e WHERE e.query_id = q.id), 'none') = :label
    )
    AND (
        CAST(:reason AS text) IS NULL
        OR (SELECT e.reason FROM voice_evaluations AS e WHERE e.query_id = q.id) = :reason
    )
    AND (
        CAST(:method AS text) IS NULL
        OR (SELECT e.method FROM voice_evaluations AS e WHERE e.query_id = q.id) = :method
    )
    AND (
        CAST(:rubric AS text) IS NULL
        OR (SELECT e.rubric FROM voice_evaluations AS e WHERE e.query_id = q.id) = :rubric
    )
    AND (
        CAST(:below AS double precision) IS NULL
        OR (SELECT e.confidence_score FROM voice_evaluations AS e WHERE e.query_id = q.id) < :below
    )
UNION ALL
SELECT max(number), NULL FROM page;

-- name: requeue
-- Make interactions due again, as new, whoever has claimed them; but not those that a person has labelled.
INSERT INTO evaluation_queue (query_id, due_at)
SELECT q.id, CAST(:now AS bigint) FROM voice_queries AS q
WHERE
    q.id {in:ids}
    AND coalesce((SELECT e.evaluated_by FROM voice_evaluations AS e WHERE e.query_id = q.id), 'auto') <> 'human'
ORDER BY q.id
ON CONFLICT (query_id) DO UPDATE SET
    due_at = excluded.due_at, attempts = 0, lease = NULL, last_error = NULL, failed_at = NULL, waits_since = NULL;
