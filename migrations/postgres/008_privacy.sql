-- What a name is hashed with where something has to be told apart without saying who it is about.
CREATE TABLE privacy_secret (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    secret TEXT NOT NULL
);

INSERT INTO privacy_secret (id, secret)
VALUES (1, replace(CAST(gen_random_uuid() AS text) || CAST(gen_random_uuid() AS text), '-', ''));

-- What is not taken in any more: interactions that were erased, for as long as they may be sent again, and blocked persons.
CREATE TABLE forgotten (
    hash TEXT COLLATE "C" PRIMARY KEY, -- of `query:`, `conversion:` or `user:` and an id
    until BIGINT -- epoch milliseconds; NULL: for good
);

-- Each erasure of a person, who is named by a hash; what it counted is written along with what it erased.
CREATE TABLE erasures (
    id TEXT COLLATE "C" PRIMARY KEY,
    person TEXT NOT NULL,
    actor TEXT NOT NULL,
    begun_at BIGINT NOT NULL, -- epoch milliseconds
    ended_at BIGINT, -- NULL while it goes on, or where it was broken off
    erased TEXT NOT NULL -- JSON: rows by table
);

CREATE INDEX idx_erasures_open ON erasures (person) WHERE ended_at IS NULL;

-- A model's requests about an interaction go with it.
CREATE INDEX idx_judge_calls_query ON judge_calls (query_id);
