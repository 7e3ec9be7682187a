-- Outcomes that came before their queries, from senders who write into some stores only: each waits for a query of these.
CREATE TABLE early_outcomes (
    number BIGINT GENERATED ALWAYS AS IDENTITY, -- in about the order in which they came
    query_id TEXT COLLATE "C" NOT NULL,
    sender TEXT COLLATE "C" NOT NULL, -- a hash of the stores
    stores TEXT NOT NULL, -- JSON
    outcome TEXT NOT NULL, -- JSON: the cells of its row
    PRIMARY KEY (query_id, sender)
);
