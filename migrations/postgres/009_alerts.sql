-- What is watched: how each rule stands, what was to be said to whom, and which server looks.
CREATE TABLE alert_states (
    rule TEXT COLLATE "C" PRIMARY KEY,
    state TEXT NOT NULL, -- calm, pending, raised
    since BIGINT NOT NULL, -- epoch milliseconds, as all moments here
    looked_at BIGINT NOT NULL,
    value DOUBLE PRECISION, -- what was measured last; absent: there was nothing to measure
    "of" BIGINT NOT NULL DEFAULT 0 -- of how many interactions
);

CREATE TABLE alert_messages (
    id TEXT COLLATE "C" NOT NULL, -- the same at each try
    target TEXT COLLATE "C" NOT NULL, -- a hash of the address, which may hold a secret
    rule TEXT NOT NULL,
    kind TEXT NOT NULL, -- alert.raised, alert.cleared, alert.test
    body TEXT NOT NULL, -- JSON, as it is sent
    made_at BIGINT NOT NULL,
    due_at BIGINT, -- absent: no further try is made
    attempts INTEGER NOT NULL DEFAULT 0,
    delivered_at BIGINT,
    error TEXT, -- why the last try failed
    PRIMARY KEY (id, target)
);

CREATE INDEX idx_alert_messages_due ON alert_messages (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX idx_alert_messages_made ON alert_messages (made_at);

CREATE TABLE alert_turn (
    name TEXT COLLATE "C" PRIMARY KEY,
    holder TEXT NOT NULL,
    until BIGINT NOT NULL
);
