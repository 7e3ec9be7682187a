-- name: days
-- What a database holds of each day (UTC, by its number since 1970): queries, outcomes, and labels of each kind.
SELECT
    q.created_at / 86400000, count(*), count(o.query_id), count(e.query_id) FILTER (WHERE e.label = 'GOOD'),
    count(e.query_id) FILTER (WHERE e.label = 'REVIEW'), count(e.query_id) FILTER (WHERE e.label = 'BAD')
FROM voice_queries AS q
LEFT JOIN voice_outcomes AS o ON o.query_id = q.id
LEFT JOIN voice_evaluations AS e ON e.query_id = q.id
GROUP BY 1 ORDER BY 1;
