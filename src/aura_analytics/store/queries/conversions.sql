-- name: rows
-- Some conversions, as the columns hold them.
SELECT id, query_id, session_id, store_id, occurred_at, value, currency, order_id
FROM voice_conversions
WHERE id {in:ids};

-- name: snapshot
-- The next conversions in the order of arrival, led by the row number to go on from.
SELECT rowid, id, query_id, session_id, store_id, occurred_at, value, currency, order_id
FROM voice_conversions
WHERE rowid > :after AND rowid <= :upto
ORDER BY rowid
LIMIT :limit;

-- name: of_query
-- The conversions that name a query and no other store than its own, in the order in which they happened.
SELECT
    id, query_id, session_id, store_id, occurred_at, received_at, value, currency, order_id, correlation_id, extra
FROM voice_conversions
WHERE
    query_id = :query_id
    AND (
        store_id IS NULL
        OR store_id IN (
            SELECT store_id FROM voice_queries WHERE id = :query_id
            UNION ALL
            SELECT f.store_id FROM archived_ids AS a JOIN archive_files AS f ON f.number = a.file WHERE a.id = :query_id
        )
    )
ORDER BY occurred_at, id;
