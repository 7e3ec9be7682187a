-- name: lease
-- Lease an interaction to a person, or go on with the lease that the same person has.
INSERT INTO review_leases (query_id, reviewer, leased_until) VALUES (:query_id, :reviewer, :until)
ON CONFLICT (query_id) DO UPDATE SET leased_until = excluded.leased_until
WHERE review_leases.reviewer = excluded.reviewer;
