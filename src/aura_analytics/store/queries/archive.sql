-- name: next_moment
-- The first moment of any query in a range.
SELECT min(created_at) FROM voice_queries WHERE created_at >= :since AND created_at < :before;

-- name: resting
-- The queries of a range of time that make no work any more.
SELECT q.id FROM voice_queries AS q
WHERE q.created_at >= :since AND q.created_at < :before
    AND NOT EXISTS (SELECT 1 FROM evaluation_queue AS w WHERE w.query_id = q.id);

-- name: waiting
-- How many queries of a range of time make work.
SELECT count(*) FROM voice_queries AS q
WHERE q.created_at >= :since AND q.created_at < :before
    AND EXISTS (SELECT 1 FROM evaluation_queue AS w WHERE w.query_id = q.id);

-- name: everything_of
-- The queries of a range of time.
SELECT id FROM voice_queries WHERE created_at >= :since AND created_at < :before AND id IS NOT NULL LIMIT :limit;

-- name: working
-- Which of some queries make work.
SELECT query_id FROM evaluation_queue WHERE query_id {in:ids};

-- name: hold_ids
-- Note that interactions lie in a file now; they are still in the tables, in this transaction.
INSERT INTO archived_ids (id, file, answered)
SELECT q.id, CAST(:file AS bigint), CASE WHEN o.query_id IS NULL THEN 0 ELSE 1 END
FROM voice_queries AS q
LEFT JOIN voice_outcomes AS o ON o.query_id = q.id
WHERE q.id {in:ids};

-- name: hold_sessions
-- Note which sessions have turns in the archive, and of which day the last one is.
INSERT INTO archived_sessions (id, last_day)
SELECT DISTINCT session_id, CAST(:day AS bigint) FROM voice_queries WHERE id {in:ids} AND session_id IS NOT NULL
ON CONFLICT (id) DO UPDATE SET last_day = excluded.last_day WHERE archived_sessions.last_day < excluded.last_day;

-- name: delete_sessions
-- Forget sessions that have no turns in the archive since a day.
DELETE FROM archived_sessions WHERE last_day < :day;

-- name: forget_sessions
-- Forget sessions that were somebody's.
DELETE FROM archived_sessions WHERE id {in:ids};

-- name: delete_queries
-- Remove queries.
DELETE FROM voice_queries WHERE id {in:ids};

-- name: delete_outcomes
-- Remove outcomes.
DELETE FROM voice_outcomes WHERE query_id {in:ids};

-- name: delete_evaluations
-- Remove labels.
DELETE FROM voice_evaluations WHERE query_id {in:ids};

-- name: delete_history
-- Remove earlier labels.
DELETE FROM voice_evaluation_history WHERE query_id {in:ids};

-- name: delete_queue
-- Remove work.
DELETE FROM evaluation_queue WHERE query_id {in:ids};

-- name: old_conversions
-- The conversions before a moment.
SELECT id FROM voice_conversions WHERE occurred_at < :before LIMIT :limit;

-- name: delete_conversions
-- Remove conversions.
DELETE FROM voice_conversions WHERE id {in:ids};

-- name: delete_calls
-- Remove requests to models before a moment.
DELETE FROM judge_calls WHERE called_at < :before;

-- name: delete_hours
-- Remove the sums of hours before a moment.
DELETE FROM voice_stats_hourly WHERE hour_bucket < :before;

-- name: delete_lone_outcomes
-- Remove outcomes from before a moment that no query ever came to.
DELETE FROM voice_outcomes
WHERE received_at < :before
    AND NOT EXISTS (SELECT 1 FROM voice_queries AS q WHERE q.id = voice_outcomes.query_id);

-- name: keep_totals
-- Let the totals of the hours before a moment stay as they are.
INSERT INTO kept_totals (before_s) VALUES (:before) ON CONFLICT DO NOTHING;

-- name: forget_kept_totals
-- Let no totals stay that what they were added up from says otherwise of.
DELETE FROM kept_totals WHERE before_s >= 0;

-- name: find
-- In which files some interactions lie.
SELECT id, file FROM archived_ids WHERE id {in:ids};

-- name: among
-- Which of some interactions lie in the archive.
SELECT id FROM archived_ids WHERE id {in:ids};

-- name: stores_of
-- The stores of some interactions, wherever they lie: a file of the archive holds those of one store.
SELECT id, store_id FROM voice_queries WHERE id {in:ids}
UNION ALL
SELECT a.id, f.store_id FROM archived_ids AS a JOIN archive_files AS f ON f.number = a.file WHERE a.id {in:ids};

-- name: take_out
-- Note that interactions no longer lie in a file.
DELETE FROM archived_ids WHERE file = :file AND id {in:ids} RETURNING id;

-- name: held_in
-- Some of the interactions that lie in a file.
SELECT id FROM archived_ids WHERE file = :file AND id > :after ORDER BY id LIMIT :limit;

-- name: count
-- How many interactions lie in the archive.
SELECT CAST(coalesce(sum(held), 0) AS bigint) FROM archive_files;

-- name: held
-- Count what a file holds.
UPDATE archive_files SET held = held + :change WHERE number = :file;

-- name: files
-- The files that count.
SELECT number, day, store_id, path, interactions, held, bytes, content, sha256, format FROM archive_files
WHERE CAST(:day AS bigint) IS NULL OR day = CAST(:day AS bigint)
ORDER BY day, number;

-- name: file
-- A file that counts.
SELECT number, day, store_id, path, interactions, held, bytes, content, sha256, format FROM archive_files
WHERE number = :number;

-- name: sessions_of
-- The sessions that somebody has in the tables.
SELECT DISTINCT store_id, session_id FROM voice_queries WHERE user_id = :user_id AND session_id IS NOT NULL;

-- name: add_file
-- Let a file count.
INSERT INTO archive_files (day, store_id, path, interactions, held, bytes, content, sha256, format)
VALUES (:day, :store_id, :path, :interactions, 0, :bytes, :content, :sha256, :format);

-- name: replace_file
-- Let another file take the place of one, under its number.
UPDATE archive_files SET path = :path, interactions = :interactions, held = :interactions, bytes = :bytes,
    content = :content, sha256 = :sha256, format = :format
WHERE number = :number AND path = :before;

-- name: drop_file
-- Let a file count no longer.
DELETE FROM archive_files WHERE number = :number;

-- name: days
-- How far each day has come.
SELECT day, state, changed_at FROM archive_days ORDER BY day;

-- name: note_day
-- Note how far a day has come.
INSERT INTO archive_days (day, state, changed_at) VALUES (:day, :state, :now)
ON CONFLICT (day) DO UPDATE SET state = excluded.state, changed_at = excluded.changed_at;

-- name: drop_day
-- Forget a day that has nothing in the archive.
DELETE FROM archive_days WHERE day = :day AND NOT EXISTS (SELECT 1 FROM archive_files AS f WHERE f.day = :day);

-- name: leftovers
-- The files that may be there and don't count.
SELECT path FROM archive_leftovers ORDER BY path;

-- name: leave
-- Note a file that may be there and doesn't count.
INSERT INTO archive_leftovers (path) VALUES (:path) ON CONFLICT DO NOTHING;

-- name: unleave
-- Forget a file that counts now, or that is gone.
DELETE FROM archive_leftovers WHERE path = :path;
