-- name: known
-- Which of these ids have a conversion, in one row of JSON.
SELECT json_group_array(id) FROM voice_conversions WHERE id IN (SELECT value FROM json_each(?));

-- name: insert
-- Store conversions whose ids were looked up in this transaction; what they belong to may come later.
INSERT INTO voice_conversions (
    id, query_id, session_id, store_id, occurred_at, received_at, value, currency, order_id, correlation_id, extra
) VALUES {rows};

-- name: rows
-- Some conversions, as the columns hold them.
SELECT id, query_id, session_id, store_id, occurred_at, value, currency, order_id
FROM voice_conversions
WHERE id IN (SELECT value FROM json_each(?));

-- name: snapshot
-- The next conversions in the order of arrival, led by the row number to go on from.
SELECT rowid, id, query_id, session_id, store_id, occurred_at, value, currency, order_id
FROM voice_conversions
WHERE rowid > ? AND rowid <= ?
ORDER BY rowid
LIMIT ?;

-- name: of_query
-- The conversions that name a query, in the order in which they happened.
SELECT
    id, query_id, session_id, store_id, occurred_at, received_at, value, currency, order_id, correlation_id, extra
FROM voice_conversions
WHERE query_id = ?
ORDER BY occurred_at, id;
