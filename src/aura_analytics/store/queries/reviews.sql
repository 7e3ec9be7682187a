-- name: forget_leases
-- Forget the leases that are over.
DELETE FROM review_leases WHERE leased_until <= :now;

-- name: leased
-- Who has what.
SELECT query_id, reviewer FROM review_leases WHERE leased_until > :now;

-- name: unlease
-- Remove the lease of an interaction that was looked at.
DELETE FROM review_leases WHERE query_id = :query_id;

-- name: known
-- Whether there is such an interaction.
SELECT 1 FROM voice_queries WHERE id = :query_id;
