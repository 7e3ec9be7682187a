-- name: stores_of
-- The stores of some queries.
SELECT id, store_id FROM voice_queries WHERE id {in:ids};

-- name: forget
-- Remove what has waited for some queries; whatever of it is theirs was stored.
DELETE FROM early_outcomes WHERE query_id {in:ids} RETURNING query_id, stores;
