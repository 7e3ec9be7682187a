-- What an event says beyond the first tables, and what is the caller's own (`extra`, JSON).
ALTER TABLE voice_queries ADD COLUMN query_source TEXT NOT NULL DEFAULT 'voice';
ALTER TABLE voice_queries ADD COLUMN audio_duration_ms INTEGER;
ALTER TABLE voice_queries ADD COLUMN correlation_id TEXT;
ALTER TABLE voice_queries ADD COLUMN received_at INTEGER; -- epoch milliseconds
ALTER TABLE voice_queries ADD COLUMN extra TEXT;

ALTER TABLE voice_outcomes ADD COLUMN error_message TEXT;
ALTER TABLE voice_outcomes ADD COLUMN tokens_total INTEGER; -- where the caller knows only the sum
ALTER TABLE voice_outcomes ADD COLUMN occurred_at INTEGER; -- epoch milliseconds
ALTER TABLE voice_outcomes ADD COLUMN received_at INTEGER; -- epoch milliseconds
ALTER TABLE voice_outcomes ADD COLUMN correlation_id TEXT;
ALTER TABLE voice_outcomes ADD COLUMN extra TEXT;

-- By what the label was given: `rules`, or a model's name; and its one sentence why.
ALTER TABLE voice_evaluations ADD COLUMN method TEXT;
ALTER TABLE voice_evaluations ADD COLUMN explanation TEXT;

INSERT OR IGNORE INTO migration_metadata (version, applied_at, description)
VALUES (5, CAST(strftime('%s', 'now') AS INTEGER) * 1000, 'event details');
