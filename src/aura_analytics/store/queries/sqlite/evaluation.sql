-- name: claim_due
-- Take the interactions that have been due longest; the lease's end is when they are due again if nobody settles them.
UPDATE evaluation_queue SET due_at = :lease_until, lease = :lease, attempts = attempts + 1,
    waits_since = coalesce(waits_since, due_at)
WHERE query_id IN (
    SELECT query_id FROM evaluation_queue WHERE due_at <= :now AND failed_at IS NULL ORDER BY due_at LIMIT :limit
)
RETURNING query_id, attempts;

-- name: finish
-- Remove work whose lease still holds.
DELETE FROM evaluation_queue WHERE query_id = :query_id AND lease = :lease RETURNING query_id;

-- name: save_verdict
-- Store a label; a person's is never overwritten by an automatic one.
INSERT INTO voice_evaluations (
    query_id, label, reason, confidence_score, evaluated_at, evaluated_by, method, explanation, rubric, tokens_prompt,
    tokens_completion, cost_usd, duration_ms
) VALUES (
    :query_id, :label, :reason, :confidence, :evaluated_at, :evaluated_by, :method, :explanation, :rubric, :tokens_prompt,
    :tokens_completion, :cost_usd, :duration_ms
)
ON CONFLICT (query_id) DO UPDATE SET
    label = excluded.label, reason = excluded.reason, confidence_score = excluded.confidence_score,
    evaluated_at = excluded.evaluated_at, evaluated_by = excluded.evaluated_by,
    method = excluded.method, explanation = excluded.explanation, rubric = excluded.rubric,
    tokens_prompt = excluded.tokens_prompt, tokens_completion = excluded.tokens_completion,
    cost_usd = excluded.cost_usd, duration_ms = excluded.duration_ms
WHERE voice_evaluations.evaluated_by IS NOT 'human' OR excluded.evaluated_by = 'human';

-- name: keep_beside
-- Keep a label in the history that doesn't take the place of the one that stands.
INSERT INTO voice_evaluation_history (
    query_id, label, reason, confidence_score, evaluated_at, evaluated_by, method, explanation, rubric, tokens_prompt,
    tokens_completion, cost_usd, duration_ms
) VALUES (
    :query_id, :label, :reason, :confidence, :evaluated_at, :evaluated_by, :method, :explanation, :rubric, :tokens_prompt,
    :tokens_completion, :cost_usd, :duration_ms
);

-- name: retry_all
-- Make every failed one due again, as new.
UPDATE evaluation_queue SET due_at = :now, attempts = 0, failed_at = NULL, waits_since = NULL WHERE failed_at IS NOT NULL;

-- name: retry_some
-- Make the named failed ones due again, as new.
UPDATE evaluation_queue SET due_at = :now, attempts = 0, failed_at = NULL, waits_since = NULL
WHERE failed_at IS NOT NULL AND query_id {in:ids};
