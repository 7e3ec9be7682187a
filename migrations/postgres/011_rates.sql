-- How much callers have sent, where several servers count together. It is no loss to lose it, so that nothing of it is
-- written to the log.
CREATE UNLOGGED TABLE rate_buckets (
    bucket TEXT COLLATE "C" PRIMARY KEY, -- of the quota and of the caller
    full_at DOUBLE PRECISION NOT NULL, -- epoch seconds, by the database's clock
    granted DOUBLE PRECISION NOT NULL -- seconds that were taken last
);

CREATE INDEX idx_rate_buckets_full ON rate_buckets (full_at);
