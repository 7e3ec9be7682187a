-- name: insert
-- Store the conversions whose ids are new and that may be taken in, and tell which; what they belong to may come later.
INSERT INTO voice_conversions (
    rowid, id, query_id, session_id, store_id, occurred_at, received_at, value, currency, order_id, correlation_id, extra
)
SELECT * FROM (
    SELECT
        nextval('voice_conversions_rowid'), v ->> 0 AS id, v ->> 1 AS query_id, v ->> 2 AS session_id, v ->> 3 AS store_id,
        CAST(v ->> 4 AS bigint),
        CAST(v ->> 5 AS bigint), CAST(v ->> 6 AS double precision), v ->> 7, v ->> 8, v ->> 9, v ->> 10
    FROM jsonb_array_elements(CAST(:rows AS jsonb)) AS listed (v)
) AS listed
WHERE NOT EXISTS (
    SELECT 1 FROM forgotten, privacy_secret
    WHERE hash = encode(sha256(convert_to(secret || 'query:' || listed.query_id, 'UTF8')), 'hex')
        OR hash = encode(sha256(convert_to(secret || 'conversion:' || listed.id, 'UTF8')), 'hex')
)
AND (
    NOT EXISTS (SELECT 1 FROM forgotten)
    OR NOT EXISTS (
        SELECT 1 FROM forgotten, privacy_secret
        WHERE hash = encode(sha256(convert_to(secret || 'blocked:' || listed.query_id, 'UTF8')), 'hex')
    )
    OR EXISTS (SELECT 1 FROM voice_queries AS q WHERE q.id = listed.query_id)
    OR EXISTS (SELECT 1 FROM archived_ids AS archived WHERE archived.id = listed.query_id)
)
AND (
    listed.query_id IS NOT NULL
    OR NOT EXISTS (
        SELECT 1 FROM forgotten, privacy_secret
        WHERE hash = encode(sha256(convert_to(
            secret || 'session:' || coalesce(listed.store_id || chr(31), '') || listed.session_id, 'UTF8'
        )), 'hex')
    )
    OR EXISTS (
        SELECT 1 FROM voice_queries AS q
        WHERE q.session_id = listed.session_id AND q.store_id = coalesce(listed.store_id, q.store_id)
    )
)
ORDER BY id COLLATE "C"
ON CONFLICT (id) DO NOTHING
RETURNING id;
