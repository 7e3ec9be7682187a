-- name: secret
-- What names are hashed with.
SELECT secret FROM privacy_secret;

-- name: last_row
-- The last row number.
SELECT max(rowid) FROM voice_queries;

-- name: named
-- The interactions of a range of row numbers that name a person.
SELECT id FROM voice_queries WHERE rowid > :after AND rowid <= :upto AND user_id = :user_id;

-- name: still_named
-- Those of some interactions that name a person; only texts have names.
SELECT id FROM voice_queries WHERE id {in:ids} AND user_id = :user_id;

-- name: own_sessions
-- The sessions of some interactions in which nobody else is named, and so few turns name nobody that one person may have said them.
SELECT own.store_id, own.session_id
FROM (SELECT DISTINCT store_id, session_id FROM voice_queries WHERE id {in:ids} AND session_id IS NOT NULL) AS own
WHERE
    NOT EXISTS (
        SELECT 1 FROM voice_queries AS other
        WHERE other.session_id = own.session_id AND other.store_id = own.store_id AND other.user_id <> :user_id
    )
    AND (
        SELECT count(*) FROM (
            SELECT 1 FROM voice_queries AS unnamed
            WHERE unnamed.session_id = own.session_id AND unnamed.store_id = own.store_id AND unnamed.user_id IS NULL
            LIMIT :most + 1
        ) AS unnamed
    ) <= :most;

-- name: unnamed
-- The turns of some sessions that name nobody.
SELECT id, store_id, session_id FROM voice_queries WHERE session_id {in:ids} AND user_id IS NULL;

-- name: conversions_of_queries
-- The conversions that name some interactions.
SELECT id FROM voice_conversions WHERE query_id {in:ids};

-- name: conversions_of_sessions
-- The conversions that name some sessions and no interaction.
SELECT id, store_id, session_id FROM voice_conversions WHERE session_id {in:ids} AND query_id IS NULL;

-- name: erase_history
-- Remove the labels that interactions had before.
DELETE FROM voice_evaluation_history WHERE query_id {in:ids};

-- name: erase_evaluations
-- Remove the labels that stand.
DELETE FROM voice_evaluations WHERE query_id {in:ids};

-- name: erase_outcomes
-- Remove what was answered and done.
DELETE FROM voice_outcomes WHERE query_id {in:ids};

-- name: erase_queue
-- Remove the work that they make; a claim of it is void.
DELETE FROM evaluation_queue WHERE query_id {in:ids};

-- name: erase_leases
-- Remove who looks at them.
DELETE FROM review_leases WHERE query_id {in:ids};

-- name: erase_judge_calls
-- Remove the requests to models about them.
DELETE FROM judge_calls WHERE query_id {in:ids};

-- name: erase_conversions
-- Remove what was bought.
DELETE FROM voice_conversions WHERE id {in:ids};

-- name: erase_queries
-- Remove what was asked.
DELETE FROM voice_queries WHERE id {in:ids};

-- name: remember
-- Take something in no more, for a while or for good.
INSERT INTO forgotten (hash, until) VALUES (:hash, :until)
ON CONFLICT (hash) DO UPDATE SET until = CASE
    WHEN forgotten.until IS NULL THEN NULL
    WHEN forgotten.until > excluded.until THEN forgotten.until
    ELSE excluded.until
END;

-- name: allow
-- Take somebody in again.
DELETE FROM forgotten WHERE hash = :hash;

-- name: remember_no_more
-- Forget what nobody sends any more.
DELETE FROM forgotten WHERE until < :now;

-- name: begin
-- Begin to erase a person.
INSERT INTO erasures (id, person, actor, begun_at, erased) VALUES (:id, :person, :actor, :now, '{}');

-- name: open
-- The erasure of a person that was begun and hasn't ended.
SELECT id, person, actor, begun_at, ended_at, erased FROM erasures
WHERE person = :person AND ended_at IS NULL ORDER BY begun_at LIMIT 1;

-- name: count
-- Note what was erased by now.
UPDATE erasures SET erased = :erased WHERE id = :id;

-- name: erasure
-- One erasure.
SELECT id, person, actor, begun_at, ended_at, erased FROM erasures WHERE id = :id;

-- name: end
-- Note that all is erased.
UPDATE erasures SET ended_at = :now WHERE id = :id AND ended_at IS NULL;

-- name: last_erasure
-- When anything was erased last, as far as it is told: erasures begin before and end after that.
SELECT max(CASE WHEN ended_at IS NULL THEN begun_at ELSE ended_at END) FROM erasures;

-- name: behind
-- Who has yet to follow the feed up to a position.
SELECT count(*) FROM change_followers WHERE position < :position;

-- name: followers
-- How many follow the feed.
SELECT count(*) FROM change_followers;

-- name: judge_calls_of
-- The requests to models about some interactions.
SELECT query_id, store_id, called_at, model, rubric, outcome, duration_ms, tokens_prompt, tokens_completion, cost_usd
FROM judge_calls WHERE query_id {in:ids} ORDER BY called_at;

-- name: conversions
-- Some conversions, whole.
SELECT
    id, query_id, session_id, store_id, occurred_at, received_at, value, currency, order_id, correlation_id, extra
FROM voice_conversions WHERE id {in:ids} ORDER BY occurred_at, id;
