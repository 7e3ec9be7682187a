-- name: list
-- Failed ones of a choice, the latest first, after one of them.
SELECT
    failed.query_id, failed.attempts, coalesce(failed.last_error, ''), failed.failed_at, q.store_id, q.created_at,
    q.query_text
FROM evaluation_queue AS failed LEFT JOIN voice_queries AS q ON q.id = failed.query_id
WHERE
    failed.failed_at IS NOT NULL
    AND (CAST(:cause AS text) IS NULL OR coalesce(failed.last_error, '') = :cause)
    AND (CAST(:any_store AS bigint) = 1 OR q.store_id {in:stores})
    AND (CAST(:any_id AS bigint) = 1 OR failed.query_id {in:ids})
    AND (
        failed.failed_at < CAST(:before AS bigint)
        OR (failed.failed_at = CAST(:before AS bigint) AND failed.query_id > CAST(:after_id AS text))
    )
ORDER BY failed.failed_at DESC, failed.query_id
LIMIT :limit;

-- name: causes
-- How many of a choice failed for which cause, the most frequent first.
SELECT coalesce(failed.last_error, '') AS cause, count(*) AS times, max(failed.failed_at) AS last_at
FROM evaluation_queue AS failed LEFT JOIN voice_queries AS q ON q.id = failed.query_id
WHERE
    failed.failed_at IS NOT NULL
    AND (CAST(:cause AS text) IS NULL OR coalesce(failed.last_error, '') = :cause)
    AND (CAST(:any_store AS bigint) = 1 OR q.store_id {in:stores})
    AND (CAST(:any_id AS bigint) = 1 OR failed.query_id {in:ids})
GROUP BY coalesce(failed.last_error, '')
ORDER BY times DESC, cause
LIMIT :limit;
