-- name: known
-- Which of these ids have a conversion, in one row of JSON.
SELECT json_group_array(id) FROM voice_conversions WHERE id {in:ids};

-- name: insert
-- Store conversions whose ids were looked up in this transaction; what they belong to may come later.
INSERT INTO voice_conversions (
    id, query_id, session_id, store_id, occurred_at, received_at, value, currency, order_id, correlation_id, extra
) VALUES {rows};
