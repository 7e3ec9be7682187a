-- name: drop
-- Remove the sums of an hour in which a store has nothing any more.
DELETE FROM voice_stats_hourly WHERE store_id = :store_id AND hour_bucket = :hour_bucket AND total_queries = 0;

-- name: kept_before
-- Before which moment totals stay as they are.
SELECT max(before_s) FROM kept_totals;
