-- name: save
-- Store a batch, or what has become of it.
INSERT INTO judge_batches (id, model, rubric, requests, made_at, job, ended_at, error)
VALUES (:id, :model, :rubric, :requests, :made_at, :job, :ended_at, :error)
ON CONFLICT (id) DO UPDATE SET
    model = excluded.model, rubric = excluded.rubric, requests = excluded.requests, made_at = excluded.made_at,
    job = excluded.job, ended_at = excluded.ended_at, error = excluded.error;

-- name: open
-- The batches that haven't ended, the oldest first.
SELECT id, model, rubric, requests, made_at, job, ended_at, error FROM judge_batches
WHERE ended_at IS NULL ORDER BY made_at, id;

-- name: hold
-- Let one look after a batch, unless another does.
UPDATE judge_batches SET held_by = :holder, held_until = :until
WHERE id = :id AND (held_by IS NULL OR held_by = :holder OR held_until <= :now);
