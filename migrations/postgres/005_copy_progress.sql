-- How far the copying of another database into this one has come; written along with what is copied.
CREATE TABLE copy_progress (
    source TEXT PRIMARY KEY, -- the other database's identity
    stage INTEGER NOT NULL, -- which part of its rows is read, and at last its change feed
    mark TEXT NOT NULL, -- the last row of that part
    position BIGINT NOT NULL, -- up to where its change feed is copied
    moment BIGINT NOT NULL, -- epoch milliseconds of that point of the feed
    noted_at BIGINT NOT NULL -- epoch milliseconds
);
