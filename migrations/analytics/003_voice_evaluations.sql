-- How good each interaction was, by rules, a model or a person.
CREATE TABLE IF NOT EXISTS voice_evaluations (
    query_id TEXT PRIMARY KEY REFERENCES voice_queries (id),
    label TEXT NOT NULL CHECK (label IN ('GOOD', 'REVIEW', 'BAD')),
    reason TEXT,
    confidence_score REAL,
    evaluated_at INTEGER NOT NULL, -- epoch milliseconds
    evaluated_by TEXT DEFAULT 'auto' CHECK (evaluated_by IN ('auto', 'human'))
);

-- Sums by store and hour, for dashboards that read the database itself.
CREATE TABLE IF NOT EXISTS voice_stats_hourly (
    store_id TEXT NOT NULL,
    hour_bucket INTEGER NOT NULL, -- epoch seconds of the hour's start
    total_queries INTEGER DEFAULT 0,
    successful_queries INTEGER DEFAULT 0,
    failed_queries INTEGER DEFAULT 0,
    total_latency_ms INTEGER DEFAULT 0,
    unique_sessions INTEGER DEFAULT 0,
    total_cost_usd REAL DEFAULT 0,
    PRIMARY KEY (store_id, hour_bucket)
);

INSERT OR IGNORE INTO migration_metadata (version, applied_at, description)
VALUES (3, CAST(strftime('%s', 'now') AS INTEGER) * 1000, 'voice evaluations');
