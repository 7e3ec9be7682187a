-- name: create
-- Keep a new key.
INSERT INTO api_keys (
    id, name, hash, scopes, stores, networks, signed_only, signing_secret, rotated_from, created_at, expires_at
) VALUES (
    :id, :name, :hash, :scopes, :stores, :networks, :signed_only, :signing_secret, :rotated_from, :created_at,
    :expires_at
);

-- name: all
-- All keys there ever were, the newest first.
SELECT
    id, name, hash, scopes, stores, networks, signed_only, signing_secret, rotated_from, created_at, expires_at,
    revoked_at, last_used_at
FROM api_keys ORDER BY created_at DESC, id;

-- name: revoke
-- Take a key back, once.
UPDATE api_keys SET revoked_at = :now WHERE id = :id AND revoked_at IS NULL;

-- name: end_at
-- Let a key that is in use end at a moment, if it doesn't sooner.
UPDATE api_keys SET expires_at = CASE WHEN expires_at < :expires_at THEN expires_at ELSE :expires_at END
WHERE id = :id AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > :now);

-- name: touch
-- Note when a key was last used; servers may say so in any order.
UPDATE api_keys SET last_used_at = :used_at WHERE id = :id AND (last_used_at IS NULL OR last_used_at < :used_at);

-- name: remember
-- Note a signed message, unless it is noted already and its time isn't over.
INSERT INTO seen_signatures (id, until) VALUES (:id, :until)
ON CONFLICT (id) DO UPDATE SET until = excluded.until WHERE seen_signatures.until < :now
RETURNING id;

-- name: note
-- Add to the record of changes.
INSERT INTO audit_log (at, actor, action, subject, details) VALUES (:at, :actor, :action, :subject, :details);

-- name: audit
-- The record of changes, the latest first.
SELECT at, actor, action, subject, details FROM audit_log
WHERE
    (CAST(:since AS bigint) IS NULL OR at >= :since)
    AND (CAST(:action AS text) IS NULL OR action = :action)
ORDER BY number DESC LIMIT :limit;
