-- name: alone
-- Wait until no transaction goes on that writes to the feed, and let none begin: what was looked up stays true meanwhile.
LOCK TABLE change_feed IN SHARE ROW EXCLUSIVE MODE;

-- name: hold_queue
-- Keep evaluators from the work of some interactions; locked in the order of their ids.
SELECT query_id FROM evaluation_queue WHERE query_id {in:ids} ORDER BY query_id FOR UPDATE;

-- name: forgotten_queries
-- Which of some interactions are not taken in any more.
SELECT listed.id FROM unnest(CAST(:ids AS text[])) AS listed (id)
WHERE EXISTS (
    SELECT 1 FROM forgotten, privacy_secret
    WHERE hash = encode(sha256(convert_to(secret || 'query:' || listed.id, 'UTF8')), 'hex')
);

-- name: of_blocked
-- Which of some queries that aren't there are by somebody who is blocked, and aren't kept away up to a moment yet.
SELECT listed.id
FROM unnest(CAST(:ids AS text[]), CAST(:users AS text[])) AS listed (id, user_id)
LEFT JOIN voice_queries AS q ON q.id = listed.id
WHERE
    q.id IS NULL
    AND NOT EXISTS (SELECT 1 FROM archived_ids AS archived WHERE archived.id = listed.id)
    AND EXISTS (
        SELECT 1 FROM forgotten, privacy_secret
        WHERE hash = encode(sha256(convert_to(secret || 'user:' || listed.user_id, 'UTF8')), 'hex')
    )
    AND NOT EXISTS (
        SELECT 1 FROM forgotten, privacy_secret
        WHERE hash = encode(sha256(convert_to(secret || 'blocked:' || listed.id, 'UTF8')), 'hex') AND until >= :until
    )
ORDER BY listed.id;

-- name: move_on
-- Write a row that tells nothing, so that all before it can be forgotten once everybody has followed.
INSERT INTO change_feed (changed_at, query_ids) VALUES (:now, string_to_array('', ','))
ON CONFLICT (xid) DO UPDATE SET changed_at = excluded.changed_at
RETURNING CAST(CAST(xid AS text) AS bigint);

-- name: trim
-- Forget the feed before a position, as far as every follower is there; note how far that goes.
WITH gone AS (
    DELETE FROM change_feed
    WHERE
        xid < CAST(CAST(CAST(:position AS bigint) AS text) AS xid8)
        AND NOT EXISTS (SELECT 1 FROM change_followers WHERE position < :position)
    RETURNING CAST(CAST(xid AS text) AS bigint) AS position
)
UPDATE database_identity SET trimmed = gone.last
FROM (SELECT max(position) AS last FROM gone) AS gone
WHERE gone.last > database_identity.trimmed;
