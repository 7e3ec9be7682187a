-- name: wait
-- Have an outcome wait for its query, unless that was archived with one; the same sender's second one changes nothing.
INSERT INTO early_outcomes (query_id, sender, stores, outcome)
SELECT :query_id, :sender, :stores, :outcome
WHERE NOT EXISTS (SELECT 1 FROM archived_ids AS archived WHERE archived.id = :query_id AND archived.answered)
ON CONFLICT DO NOTHING;

-- name: waiting
-- What waits for some queries, in the order in which it came.
SELECT query_id, stores, outcome FROM early_outcomes WHERE query_id {in:ids} ORDER BY number;
