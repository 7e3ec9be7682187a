-- name: is_there
-- Whether this database is the coordinator of a Citus cluster.
SELECT 1 FROM pg_extension WHERE extname = 'citus';

-- name: distributed
-- The tables that are spread over the cluster.
SELECT CAST(logicalrelid AS text) FROM pg_dist_partition WHERE partmethod = 'h';

-- name: distribute
-- Spread a table over the cluster by the hash of a column, beside another one.
SELECT create_distributed_table(CAST(CAST(:table AS text) AS regclass), CAST(:column AS text), colocate_with => CAST(:beside AS text));
