-- Browsers that signed in with a key. Of what a browser holds only its hash is kept; what it may, its key says each time.
CREATE TABLE page_sessions (
    hash TEXT COLLATE "C" PRIMARY KEY, -- SHA-256 of what the browser holds, in hexadecimal
    key_id TEXT NOT NULL,
    opened_at BIGINT NOT NULL, -- epoch milliseconds
    ends_at BIGINT NOT NULL -- epoch milliseconds
);

CREATE INDEX idx_page_sessions_end ON page_sessions (ends_at);
