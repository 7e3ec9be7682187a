-- name: take
-- Take the rows of a table that hold; what it lacks of our columns is written as nothing.
INSERT OR IGNORE INTO main.{table} ({columns})
SELECT {cells} FROM worker.{table} WHERE {holds};

-- name: rejects
-- The rows of a table that don't hold: their numbers, their keys, and what is wrong.
SELECT {number}, substr(CAST({key} AS TEXT), 1, 128), CASE {reasons} END
FROM worker.{table} WHERE NOT ({holds});

-- name: duplicates
-- Rows whose key another row of the table has.
SELECT max({number}), {key}, 'its key is there ' || count(*) || ' times'
FROM worker.{table} WHERE {holds} GROUP BY {key} HAVING count(*) > 1;

-- name: filled
-- In how many rows a column says something.
SELECT count(*) FROM worker.{table} WHERE {column} IS NOT NULL;

-- name: count
-- How many rows a table has.
SELECT count(*) FROM worker.{table};

-- name: queue
-- What has no label is due at once.
INSERT OR IGNORE INTO main.evaluation_queue (query_id, due_at)
SELECT q.id, q.created_at FROM main.voice_queries AS q
WHERE NOT EXISTS (SELECT 1 FROM main.voice_evaluations AS e WHERE e.query_id = q.id);

-- name: tables
-- What lies in a database, and of which kind it is.
SELECT name, type, wr FROM pragma_table_list WHERE schema = 'worker';

-- name: columns
-- The columns of a table, but for hidden ones; those that are calculated are marked.
SELECT name, hidden FROM pragma_table_xinfo(:table, 'worker') WHERE hidden <> 1;

-- name: attach
-- Look at the other database, too.
ATTACH DATABASE :path AS worker;

-- name: identify
-- Give a database the name of what it was made of.
UPDATE main.database_identity SET token = :token;

-- name: days
-- What a database holds of each day (UTC, by its number since 1970): queries, outcomes, and labels of each kind.
SELECT
    q.created_at / 86400000, count(*), count(o.query_id), count(e.query_id) FILTER (WHERE e.label = 'GOOD'),
    count(e.query_id) FILTER (WHERE e.label = 'REVIEW'), count(e.query_id) FILTER (WHERE e.label = 'BAD')
FROM voice_queries AS q
LEFT JOIN voice_outcomes AS o ON o.query_id = q.id
LEFT JOIN voice_evaluations AS e ON e.query_id = q.id
GROUP BY 1 ORDER BY 1;

-- name: give_queries
-- Queries for a worker's database; one that is there stays.
INSERT OR IGNORE INTO voice_queries (
    id, store_id, session_id, user_id, created_at, query_text, transcription_conf, intent, fast_path
) VALUES {rows};

-- name: give_outcomes
-- Outcomes for a worker's database; one that is there stays.
INSERT OR IGNORE INTO voice_outcomes (
    query_id, answer_text, model_name, latency_ms, tokens_prompt, tokens_completion, cost_usd, action_taken,
    action_success, error_flag, tool_calls
) VALUES {rows};

-- name: give_evaluations
-- Labels for a worker's database: the later one stands, and a person's gives way to a person's only.
INSERT INTO voice_evaluations (query_id, label, reason, confidence_score, evaluated_at, evaluated_by) VALUES {rows}
ON CONFLICT (query_id) DO UPDATE SET
    label = excluded.label, reason = excluded.reason, confidence_score = excluded.confidence_score,
    evaluated_at = excluded.evaluated_at, evaluated_by = excluded.evaluated_by
WHERE (excluded.evaluated_by IS 'human', excluded.evaluated_at)
    >= (voice_evaluations.evaluated_by IS 'human', voice_evaluations.evaluated_at);

-- name: give_history
-- Earlier labels, for a database of this version's shape; one that is there isn't written again.
INSERT INTO voice_evaluation_history (
    query_id, label, reason, confidence_score, evaluated_at, evaluated_by, method, explanation, rubric, tokens_prompt,
    tokens_completion, cost_usd, duration_ms
)
SELECT * FROM (VALUES {rows}) AS new
WHERE NOT EXISTS (
    SELECT 1 FROM voice_evaluation_history AS h
    WHERE h.query_id = new.column1 AND h.label = new.column2 AND h.evaluated_at = new.column5
);
