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

-- name: take_away
-- Remove the label of a person that stands, if it is the one of a moment, where one is given.
DELETE FROM voice_evaluations
WHERE
    query_id = :query_id AND evaluated_by = 'human'
    AND (CAST(:given_at AS bigint) IS NULL OR evaluated_at = :given_at)
RETURNING query_id;

-- name: last_kept
-- The label that gave way last.
SELECT
    query_id, label, reason, confidence_score, evaluated_at, evaluated_by, method, explanation, rubric, tokens_prompt,
    tokens_completion, cost_usd, duration_ms
FROM voice_evaluation_history WHERE query_id = :query_id ORDER BY rowid DESC LIMIT 1;

-- name: put_back
-- Let the label stand again that gave way last.
INSERT INTO voice_evaluations (
    query_id, label, reason, confidence_score, evaluated_at, evaluated_by, method, explanation, rubric, tokens_prompt,
    tokens_completion, cost_usd, duration_ms
)
SELECT
    query_id, label, reason, confidence_score, evaluated_at, evaluated_by, method, explanation, rubric, tokens_prompt,
    tokens_completion, cost_usd, duration_ms
FROM voice_evaluation_history WHERE query_id = :query_id ORDER BY rowid DESC LIMIT 1;

-- name: drop_last_kept
-- Remove from the history what stands again.
DELETE FROM voice_evaluation_history
WHERE
    query_id = :query_id
    AND rowid = (SELECT max(last.rowid) FROM voice_evaluation_history AS last WHERE last.query_id = :query_id);

-- name: wait_again
-- Queue an interaction that has no label any more, unless it is queued.
INSERT INTO evaluation_queue (query_id, due_at) VALUES (:query_id, :now) ON CONFLICT (query_id) DO NOTHING;
