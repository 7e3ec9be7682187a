-- name: integrity
-- Whether a file is whole: `ok`, or what is wrong with it.
PRAGMA integrity_check(1);

-- name: tables
-- The tables, but for SQLite's own and what a copy says of itself.
SELECT name FROM sqlite_schema
WHERE type = 'table' AND name NOT LIKE 'sqlite\_%' ESCAPE '\' AND name <> 'backup_note'
ORDER BY name;

-- name: count
-- How many rows a table has.
SELECT count(*) FROM {table};

-- name: strays
-- How many outcomes belong to no query.
SELECT count(*) FROM voice_outcomes AS o WHERE NOT EXISTS (SELECT 1 FROM voice_queries AS q WHERE q.id = o.query_id);

-- name: version
-- The last migration that the database has seen.
SELECT max(version) FROM migration_metadata;

-- name: make_note
-- Where a copy says of itself what it holds.
CREATE TABLE backup_note (note TEXT NOT NULL);

-- name: note
-- What a copy holds.
INSERT INTO backup_note (note) VALUES (:note);

-- name: has_note
-- Whether a copy says of itself what it holds.
SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'backup_note';

-- name: noted
-- What a copy said that it holds.
SELECT note FROM backup_note;

-- name: forget_note
-- What is put back is a database again, and no copy.
DROP TABLE IF EXISTS backup_note;
