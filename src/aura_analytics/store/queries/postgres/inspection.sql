-- name: server
-- Which PostgreSQL this is, whether it takes changes, its clock, and how many bytes the database has.
SELECT
    current_setting('server_version'),
    pg_is_in_recovery() OR current_setting('default_transaction_read_only') = 'on',
    CAST(extract(EPOCH FROM clock_timestamp()) * 1000 AS bigint),
    pg_database_size(current_database());

-- name: may_write
-- Whether the user may add to the table that all else hangs on.
SELECT has_table_privilege('voice_queries', 'INSERT');

-- name: size
-- How many bytes the database has.
SELECT pg_database_size(current_database());
