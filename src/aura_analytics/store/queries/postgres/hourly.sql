-- name: save
-- Store the sums of hours; those that stand already aren't written again.
INSERT INTO voice_stats_hourly AS standing (
    store_id, hour_bucket, total_queries, successful_queries, failed_queries, total_latency_ms, unique_sessions,
    total_cost_usd
)
SELECT
    v ->> 0, CAST(v ->> 1 AS bigint), CAST(v ->> 2 AS bigint), CAST(v ->> 3 AS bigint), CAST(v ->> 4 AS bigint),
    CAST(v ->> 5 AS bigint), CAST(v ->> 6 AS bigint), CAST(v ->> 7 AS double precision)
FROM jsonb_array_elements(CAST(:rows AS jsonb)) AS listed (v)
ORDER BY md5(v ->> 0), CAST(v ->> 1 AS bigint)
ON CONFLICT (md5(store_id), hour_bucket) DO UPDATE SET
    total_queries = excluded.total_queries, successful_queries = excluded.successful_queries,
    failed_queries = excluded.failed_queries, total_latency_ms = excluded.total_latency_ms,
    unique_sessions = excluded.unique_sessions, total_cost_usd = excluded.total_cost_usd
WHERE (
    standing.total_queries, standing.successful_queries, standing.failed_queries, standing.total_latency_ms,
    standing.unique_sessions, standing.total_cost_usd
) IS DISTINCT FROM (
    excluded.total_queries, excluded.successful_queries, excluded.failed_queries, excluded.total_latency_ms,
    excluded.unique_sessions, excluded.total_cost_usd
);
