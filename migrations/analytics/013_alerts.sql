-- What is watched: how each rule stands, what was to be said to whom, and which server looks.
CREATE TABLE IF NOT EXISTS alert_states (
    rule TEXT PRIMARY KEY,
    state TEXT NOT NULL, -- calm, pending, raised
    since INTEGER NOT NULL, -- epoch milliseconds, as all moments here
    looked_at INTEGER NOT NULL,
    value REAL, -- what was measured last; absent: there was nothing to measure
    "of" INTEGER NOT NULL DEFAULT 0 -- of how many interactions
);

CREATE TABLE IF NOT EXISTS alert_messages (
    id TEXT NOT NULL, -- the same at each try
    target TEXT NOT NULL, -- a hash of the address, which may hold a secret
    rule TEXT NOT NULL,
    kind TEXT NOT NULL, -- alert.raised, alert.cleared, alert.test
    body TEXT NOT NULL, -- JSON, as it is sent
    made_at INTEGER NOT NULL,
    due_at INTEGER, -- absent: no further try is made
    attempts INTEGER NOT NULL DEFAULT 0,
    delivered_at INTEGER,
    error TEXT, -- why the last try failed
    PRIMARY KEY (id, target)
);

CREATE INDEX IF NOT EXISTS idx_alert_messages_due ON alert_messages (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX IF NOT EXISTS idx_alert_messages_made ON alert_messages (made_at);

CREATE TABLE IF NOT EXISTS alert_turn (
    name TEXT PRIMARY KEY,
    holder TEXT NOT NULL,
    until INTEGER NOT NULL
);

INSERT OR IGNORE INTO migration_metadata (version, applied_at, description)
VALUES (13, CAST(strftime('%s', 'now') AS INTEGER) * 1000, 'alerts');
