-- What the assistant answered and did.
CREATE TABLE IF NOT EXISTS voice_outcomes (
    query_id TEXT PRIMARY KEY REFERENCES voice_queries (id),
    answer_text TEXT,
    model_name TEXT,
    latency_ms INTEGER,
    tokens_prompt INTEGER,
    tokens_completion INTEGER,
    cost_usd REAL,
    action_taken TEXT,
    action_success INTEGER DEFAULT 0,
    error_flag INTEGER DEFAULT 0,
    tool_calls TEXT -- JSON
);

INSERT OR IGNORE INTO migration_metadata (version, applied_at, description)
VALUES (2, CAST(strftime('%s', 'now') AS INTEGER) * 1000, 'voice outcomes');
