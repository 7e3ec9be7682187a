-- name: note
-- Note a request to a model.
INSERT INTO judge_calls (
    called_at, query_id, store_id, model, rubric, outcome, duration_ms, tokens_prompt, tokens_completion, cost_usd
) VALUES (
    :called_at, :query_id, :store_id, :model, :rubric, :outcome, :duration_ms, :tokens_prompt, :tokens_completion,
    :cost_usd
);

-- name: sums
-- What the requests of a time came to by model, rubric and outcome; percentiles by the nearest rank of those that were timed.
SELECT
    model, rubric, outcome, count(*), count(cost_usd), count(duration_ms), CAST(sum(tokens_prompt) AS bigint),
    CAST(sum(tokens_completion) AS bigint), coalesce(sum(cost_usd), 0.0), coalesce(sum(duration_ms), 0.0),
    max(CASE WHEN nth = (calls * 50 + 99) / 100 THEN duration_ms END),
    max(CASE WHEN nth = (calls * 95 + 99) / 100 THEN duration_ms END),
    max(CASE WHEN nth = (calls * 99 + 99) / 100 THEN duration_ms END)
FROM (
    SELECT
        model, rubric, outcome, tokens_prompt, tokens_completion, cost_usd, duration_ms,
        row_number() OVER (PARTITION BY model, rubric, outcome ORDER BY duration_ms IS NULL, duration_ms) AS nth,
        count(duration_ms) OVER (PARTITION BY model, rubric, outcome) AS calls
    FROM judge_calls
    WHERE called_at >= :since AND called_at <= :until AND (CAST(:store_id AS text) IS NULL OR store_id = :store_id)
) AS ranked
GROUP BY model, rubric, outcome;

-- name: answered
-- About how many interactions the answered requests of a time were, and their percentiles by the nearest rank.
SELECT
    count(DISTINCT query_id),
    max(CASE WHEN nth = (calls * 50 + 99) / 100 THEN duration_ms END),
    max(CASE WHEN nth = (calls * 95 + 99) / 100 THEN duration_ms END),
    max(CASE WHEN nth = (calls * 99 + 99) / 100 THEN duration_ms END)
FROM (
    SELECT
        query_id, duration_ms, row_number() OVER (ORDER BY duration_ms IS NULL, duration_ms) AS nth,
        count(duration_ms) OVER () AS calls
    FROM judge_calls
    WHERE
        called_at >= :since AND called_at <= :until AND outcome = 'answered'
        AND (CAST(:store_id AS text) IS NULL OR store_id = :store_id)
) AS ranked;
