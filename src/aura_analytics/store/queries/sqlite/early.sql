-- name: wait
-- Have an outcome wait for its query; the same sender's second one changes nothing.
INSERT INTO early_outcomes (query_id, sender, stores, outcome) VALUES (:query_id, :sender, :stores, :outcome)
ON CONFLICT DO NOTHING;

-- name: waiting
-- What waits for some queries, in the order in which it came.
SELECT query_id, stores, outcome FROM early_outcomes WHERE query_id {in:ids} ORDER BY number;
