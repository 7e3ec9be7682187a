-- name: durable
-- Let a commit wait for the server's own disk where it would wait for nothing; every stronger setting stays as it is.
SELECT set_config('synchronous_commit', 'local', false) WHERE current_setting('synchronous_commit') = 'off';

-- name: promises
-- What the server promises of a commit.
SELECT current_setting('synchronous_commit'), current_setting('fsync');

-- name: only_reads
-- Whether the server takes no changes: a standby, or one that was told so.
SELECT pg_is_in_recovery() OR current_setting('transaction_read_only') = 'on';

-- name: one_moment
-- Let all reads of this transaction be of the same moment.
SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY;
