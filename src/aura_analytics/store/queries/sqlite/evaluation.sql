-- name: claim_due
-- Take the interactions that have been due longest; the lease's end is when they are due again if nobody settles them.
UPDATE evaluation_queue SET due_at = :lease_until, lease = :lease, attempts = attempts + 1
WHERE query_id IN (
    SELECT query_id FROM evaluation_queue WHERE due_at <= :now AND failed_at IS NULL ORDER BY due_at LIMIT :limit
)
RETURNING query_id, attempts;

-- name: finish
-- Remove work whose lease still holds.
DELETE FROM evaluation_queue WHERE query_id = :query_id AND lease = :lease RETURNING query_id;

-- name: save_verdict
-- Store a label; a person's is never overwritten by an automatic one.
INSERT INTO voice_evaluations (query_id, label, reason, confidence_score, evaluated_at, evaluated_by, method, explanation)
VALUES (:query_id, :label, :reason, :confidence, :evaluated_at, :evaluated_by, :method, :explanation)
ON CONFLICT (query_id) DO UPDATE SET
    label = excluded.label, reason = excluded.reason, confidence_score = excluded.confidence_score,
    evaluated_at = excluded.evaluated_at, evaluated_by = excluded.evaluated_by,
    method = excluded.method, explanation = excluded.explanation
WHERE voice_evaluations.evaluated_by IS NOT 'human' OR excluded.evaluated_by = 'human';

-- name: retry_all
-- Make every failed one due again, as new.
UPDATE evaluation_queue SET due_at = :now, attempts = 0, failed_at = NULL WHERE failed_at IS NOT NULL;

-- name: retry_some
-- Make the named failed ones due again, as new.
UPDATE evaluation_queue SET due_at = :now, attempts = 0, failed_at = NULL
WHERE failed_at IS NOT NULL AND query_id {in:ids};
