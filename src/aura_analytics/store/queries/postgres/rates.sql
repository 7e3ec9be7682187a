-- name: take
-- Take `most` of a bucket, or `least`, or nothing, by the database's clock; tell how much, and when it is full again.
WITH present AS (
    SELECT CAST(extract(epoch FROM clock_timestamp()) AS double precision) AS now_s
), taken AS (
    INSERT INTO rate_buckets AS kept (bucket, full_at, granted)
    SELECT :bucket, now_s + CAST(:most AS double precision), CAST(:most AS double precision) FROM present
    ON CONFLICT (bucket) DO UPDATE SET
        granted = CASE
            WHEN greatest(kept.full_at, excluded.full_at - excluded.granted) + excluded.granted
                <= excluded.full_at - excluded.granted + greatest(CAST(:capacity AS double precision), excluded.granted)
            THEN excluded.granted ELSE CAST(:least AS double precision)
        END,
        full_at = greatest(kept.full_at, excluded.full_at - excluded.granted) + CASE
            WHEN greatest(kept.full_at, excluded.full_at - excluded.granted) + excluded.granted
                <= excluded.full_at - excluded.granted + greatest(CAST(:capacity AS double precision), excluded.granted)
            THEN excluded.granted ELSE CAST(:least AS double precision)
        END
    WHERE greatest(kept.full_at, excluded.full_at - excluded.granted) + CAST(:least AS double precision)
        <= excluded.full_at - excluded.granted + 0.000001
            + greatest(CAST(:capacity AS double precision), CAST(:least AS double precision))
    RETURNING granted, full_at
)
SELECT taken.granted, taken.full_at - present.now_s FROM taken, present
UNION ALL
SELECT 0, rate_buckets.full_at - present.now_s FROM rate_buckets, present
WHERE rate_buckets.bucket = :bucket AND NOT EXISTS (SELECT FROM taken);

-- name: forget
-- Forget some buckets that are full: they are like ones that never were. What another server is at is left to it.
DELETE FROM rate_buckets WHERE bucket IN (
    SELECT bucket FROM rate_buckets WHERE full_at < extract(epoch FROM clock_timestamp())
    LIMIT 1000 FOR UPDATE SKIP LOCKED
);
