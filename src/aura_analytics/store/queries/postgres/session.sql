-- name: durable
-- Let a commit wait for the server's own disk at least, whatever is set later on; every stronger setting stays as it is.
SELECT set_config('synchronous_commit', replace(current_setting('synchronous_commit'), 'off', 'local'), false);

-- name: promises
-- What the server promises of a commit.
SELECT current_setting('synchronous_commit'), current_setting('fsync');

-- name: only_reads
-- Whether the server takes no changes: a standby, or one that was told so.
SELECT pg_is_in_recovery() OR current_setting('transaction_read_only') = 'on';

-- name: one_moment
-- Let all reads of this transaction be of the same moment.
SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY;
