-- Who may come in. Of a key only its hash is kept; of what a request is signed with, the secret, since both sides need it.
CREATE TABLE api_keys (
    id TEXT COLLATE "C" PRIMARY KEY,
    name TEXT NOT NULL,
    hash TEXT NOT NULL, -- SHA-256 of the key, in hexadecimal
    scopes TEXT NOT NULL, -- JSON list of ingest, read, review, admin
    stores TEXT, -- JSON list; absent: all
    networks TEXT, -- JSON list of addresses and networks; absent: all
    signed_only INTEGER NOT NULL DEFAULT 0,
    signing_secret TEXT,
    rotated_from TEXT, -- the key whose place it takes
    created_at BIGINT NOT NULL, -- epoch milliseconds, as all that follow
    expires_at BIGINT,
    revoked_at BIGINT,
    last_used_at BIGINT
);

-- Signed messages that have come, until their moment wouldn't be taken any more.
CREATE TABLE seen_signatures (
    id TEXT COLLATE "C" PRIMARY KEY, -- of the key and of the message
    until BIGINT NOT NULL -- epoch milliseconds
);

CREATE INDEX idx_seen_signatures_until ON seen_signatures (until);

-- Who changed what about who may come in. Only added to.
CREATE TABLE audit_log (
    number BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at BIGINT NOT NULL, -- epoch milliseconds
    actor TEXT NOT NULL,
    action TEXT NOT NULL,
    subject TEXT NOT NULL,
    details TEXT -- JSON
);
