-- The tables as the embedded database has them, in PostgreSQL's types. Everything is keyed by the query id, so that a
-- cluster can distribute by it: no foreign keys, and no unique index without the key.
-- `rowid` numbers rows in about the order in which they came, with gaps.
CREATE SEQUENCE voice_queries_rowid CACHE 1;

CREATE TABLE voice_queries (
    rowid BIGINT NOT NULL DEFAULT nextval('voice_queries_rowid'),
    id TEXT COLLATE "C" PRIMARY KEY,
    store_id TEXT NOT NULL,
    session_id TEXT,
    user_id TEXT,
    created_at BIGINT NOT NULL, -- epoch milliseconds
    query_text TEXT NOT NULL,
    transcription_conf DOUBLE PRECISION,
    intent TEXT,
    fast_path SMALLINT NOT NULL DEFAULT 0,
    query_source TEXT NOT NULL DEFAULT 'voice',
    audio_duration_ms BIGINT,
    correlation_id TEXT,
    received_at BIGINT, -- epoch milliseconds
    extra TEXT -- JSON
);

CREATE INDEX idx_voice_queries_rowid ON voice_queries (rowid);
-- A row of an index holds little, and a name may be of any length.
CREATE INDEX idx_voice_queries_store_time ON voice_queries (left(store_id, 128), created_at DESC);
CREATE INDEX idx_voice_queries_session ON voice_queries USING hash (session_id) WHERE session_id IS NOT NULL;
CREATE INDEX idx_voice_queries_created ON voice_queries USING brin (created_at);

CREATE TABLE voice_outcomes (
    query_id TEXT COLLATE "C" PRIMARY KEY,
    answer_text TEXT,
    model_name TEXT,
    latency_ms DOUBLE PRECISION,
    tokens_prompt BIGINT,
    tokens_completion BIGINT,
    cost_usd DOUBLE PRECISION,
    action_taken TEXT,
    action_success SMALLINT,
    error_flag SMALLINT,
    tool_calls TEXT, -- JSON
    error_message TEXT,
    tokens_total BIGINT, -- where the caller knows only the sum
    occurred_at BIGINT, -- epoch milliseconds
    received_at BIGINT, -- epoch milliseconds
    correlation_id TEXT,
    extra TEXT -- JSON
);

CREATE TABLE voice_evaluations (
    query_id TEXT COLLATE "C" PRIMARY KEY,
    label TEXT NOT NULL CHECK (label IN ('GOOD', 'REVIEW', 'BAD')),
    reason TEXT,
    confidence_score DOUBLE PRECISION,
    evaluated_at BIGINT NOT NULL, -- epoch milliseconds
    evaluated_by TEXT DEFAULT 'auto' CHECK (evaluated_by IN ('auto', 'human')),
    method TEXT, -- `rules`, or a model's name
    explanation TEXT
);

-- The labels that an interaction had before the one that stands.
CREATE SEQUENCE voice_evaluation_history_rowid CACHE 1;

CREATE TABLE voice_evaluation_history (
    rowid BIGINT NOT NULL DEFAULT nextval('voice_evaluation_history_rowid'),
    query_id TEXT COLLATE "C" NOT NULL,
    label TEXT NOT NULL,
    reason TEXT,
    confidence_score DOUBLE PRECISION,
    evaluated_at BIGINT NOT NULL, -- epoch milliseconds
    evaluated_by TEXT,
    method TEXT,
    explanation TEXT
);

CREATE INDEX idx_voice_evaluation_history_query ON voice_evaluation_history (query_id);

-- What shoppers bought, after which query or in which session. A conversion may come before either.
CREATE SEQUENCE voice_conversions_rowid CACHE 1;

CREATE TABLE voice_conversions (
    rowid BIGINT NOT NULL DEFAULT nextval('voice_conversions_rowid'),
    id TEXT COLLATE "C" PRIMARY KEY,
    query_id TEXT COLLATE "C",
    session_id TEXT,
    store_id TEXT,
    occurred_at BIGINT NOT NULL, -- epoch milliseconds
    received_at BIGINT, -- epoch milliseconds
    value DOUBLE PRECISION,
    currency TEXT, -- three capital letters
    order_id TEXT,
    correlation_id TEXT,
    extra TEXT -- JSON
);

CREATE INDEX idx_voice_conversions_rowid ON voice_conversions (rowid);
CREATE INDEX idx_voice_conversions_query ON voice_conversions (query_id) WHERE query_id IS NOT NULL;
CREATE INDEX idx_voice_conversions_session ON voice_conversions USING hash (session_id) WHERE session_id IS NOT NULL;

-- Sums by store and hour, for dashboards that read the database itself.
CREATE TABLE voice_stats_hourly (
    store_id TEXT NOT NULL,
    hour_bucket BIGINT NOT NULL, -- epoch seconds of the hour's start
    total_queries BIGINT DEFAULT 0,
    successful_queries BIGINT DEFAULT 0,
    failed_queries BIGINT DEFAULT 0,
    total_latency_ms BIGINT DEFAULT 0,
    unique_sessions BIGINT DEFAULT 0,
    total_cost_usd DOUBLE PRECISION DEFAULT 0
);

CREATE UNIQUE INDEX idx_voice_stats_hourly_store_hour ON voice_stats_hourly (md5(store_id), hour_bucket);
