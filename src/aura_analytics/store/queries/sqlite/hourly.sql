-- name: save
-- Store the sums of hours; those that stand already aren't written again.
INSERT INTO voice_stats_hourly (
    store_id, hour_bucket, total_queries, successful_queries, failed_queries, total_latency_ms, unique_sessions,
    total_cost_usd
) VALUES {rows}
ON CONFLICT (store_id, hour_bucket) DO UPDATE SET
    total_queries = excluded.total_queries, successful_queries = excluded.successful_queries,
    failed_queries = excluded.failed_queries, total_latency_ms = excluded.total_latency_ms,
    unique_sessions = excluded.unique_sessions, total_cost_usd = excluded.total_cost_usd
WHERE (total_queries, successful_queries, failed_queries, total_latency_ms, unique_sessions, total_cost_usd) IS NOT (
    excluded.total_queries, excluded.successful_queries, excluded.failed_queries, excluded.total_latency_ms,
    excluded.unique_sessions, excluded.total_cost_usd
);
