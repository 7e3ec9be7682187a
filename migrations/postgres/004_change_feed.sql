-- Which interactions changed, a row a transaction, written in that transaction. Transactions commit in another order than
-- they begin, so a row is told only once every transaction with a lower id has ended.
CREATE TABLE change_feed (
    xid XID8 PRIMARY KEY DEFAULT pg_current_xact_id(),
    changed_at BIGINT NOT NULL, -- epoch milliseconds
    query_ids TEXT[] NOT NULL,
    conversion_ids TEXT[] -- NULL where the transaction brought none
) WITH (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0);

-- How far each follower has come; what all of them have is trimmed.
CREATE TABLE change_followers (
    name TEXT PRIMARY KEY,
    position BIGINT NOT NULL,
    seen_at BIGINT NOT NULL -- epoch milliseconds
);

-- Tells this database from every other one, so that a follower notices when it was exchanged; and what the feed has
-- forgotten, so that a follower notices when it comes too late.
CREATE TABLE database_identity (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    token TEXT NOT NULL,
    trimmed BIGINT NOT NULL DEFAULT 0 -- the last transaction whose row is gone
);

INSERT INTO database_identity (id, token) VALUES (1, replace(CAST(gen_random_uuid() AS text), '-', ''));
