-- name: columns
-- The columns of a table.
SELECT name FROM pragma_table_info(:table);

-- name: delete_early_outcomes
-- Remove outcomes from before a moment that still wait for a query of their senders' stores.
DELETE FROM early_outcomes WHERE json_extract(outcome, '$.received_at') < :before;
