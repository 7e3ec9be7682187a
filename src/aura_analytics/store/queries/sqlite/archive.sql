-- name: columns
-- The columns of a table.
SELECT name FROM pragma_table_info(:table);
