"""The hourly sums that people's own dashboards read in the row database, kept true from the columns.

A change marks its hour in the transaction that takes it in; marks are numbered. The sums of the marked hours are written
back every few seconds, and only then do the marks go that were there when they were added up; so a crash at any moment
leaves an hour to be written again, never one that is forgotten.
"""

from collections.abc import Collection

import duckdb
import msgspec

from aura_analytics.projection import cubes, measures
from aura_analytics.projection.coverage import HOUR_MS, LAST_HOUR
from aura_analytics.projection.question import Buckets, Question
from aura_analytics.projection.relations import Relations
from aura_analytics.projection.slices import Slice
from aura_analytics.store.port import HourlySums

CREATE = "CREATE TABLE unpublished_hours (hour BIGINT, mark BIGINT)"
# Hours of a store from which something was erased, so that there may be nothing left to add up.
CREATE_EMPTIED = "CREATE TABLE emptied_hours (store_id VARCHAR, hour BIGINT, mark BIGINT)"
EMPTY = """
INSERT INTO emptied_hours
SELECT unnest($stores::VARCHAR[]), unnest($hours::BIGINT[]), (SELECT coalesce(max(mark), 0) FROM unpublished_hours)
"""
EMPTIED = "SELECT DISTINCT hour, store_id FROM emptied_hours WHERE hour IN (SELECT unnest($hours::BIGINT[]))"
PUBLISHED_EMPTIED = "DELETE FROM emptied_hours WHERE mark <= $mark AND hour IN (SELECT unnest($hours::BIGINT[]))"
MARK = """
INSERT INTO unpublished_hours
SELECT unnest($hours::BIGINT[]), (SELECT coalesce(max(mark), 0) + 1 FROM unpublished_hours)
"""
MARK_ALL = (
    f"INSERT INTO unpublished_hours SELECT DISTINCT {cubes.HOUR_OF}, 0 FROM interactions WHERE created_at IS NOT NULL"
)
UNPUBLISHED = (
    f"SELECT DISTINCT hour FROM unpublished_hours WHERE hour BETWEEN 0 AND {LAST_HOUR} ORDER BY hour LIMIT 1000"
)
LAST_MARK = "SELECT coalesce(max(mark), 0) FROM unpublished_hours"
PUBLISHED = f"""
DELETE FROM unpublished_hours WHERE mark <= $mark AND (hour NOT BETWEEN 0 AND {LAST_HOUR} OR hour IN (SELECT unnest($hours::BIGINT[])))
"""

MEASURES = ("queries", "successes", "failures", "latency_sum", "cost", "sessions")
# A row database takes no infinity, and whole milliseconds of 64 bits; least() also has an answer for what is no number.
_MOST = {"latency_sum": "9e15", "cost": "1e300"}
_SUMS = ", ".join(
    f"least({measures.merged(measure)}, {_MOST[measure]})" if measure in _MOST else measures.merged(measure)
    for measure in MEASURES
)
SUMS = f"""
SELECT bucket, store_id, {_SUMS} FROM {{cells}}
WHERE bucket IN (SELECT unnest($hours::BIGINT[]))
GROUP BY bucket, store_id
"""
EVERYTHING = 2**62


class Publication(msgspec.Struct, frozen=True, kw_only=True):
    """What is due to be written back: the sums of some hours, and the last mark that they include."""

    mark: int
    hours: list[int]
    sums: list[HourlySums]


def empty(cursor: duckdb.DuckDBPyConnection, hours: Collection[tuple[str, int]]) -> None:
    """Note from which hours of which stores something was erased, which were marked in this transaction."""
    if hours:
        named = sorted(hours)
        cursor.execute(EMPTY, {"stores": [store for store, _ in named], "hours": [hour for _, hour in named]})


def published(cursor: duckdb.DuckDBPyConnection, publication: Publication) -> None:
    """Take away the marks of what was written back, in the caller's transaction."""
    told = {"mark": publication.mark, "hours": publication.hours}
    cursor.execute(PUBLISHED_EMPTIED, told)
    cursor.execute(PUBLISHED, told)


def due(cursor: duckdb.DuckDBPyConnection) -> Publication:
    """Add up the hours that are due, all of one moment; the cursor is in a transaction."""
    (mark,) = cursor.execute(LAST_MARK).fetchone() or (0,)
    hours = [hour for (hour,) in cursor.execute(UNPUBLISHED).fetchall()]
    return Publication(mark=mark, hours=hours, sums=_all_sums(cursor, hours) if hours else [])


def _all_sums(cursor: duckdb.DuckDBPyConnection, hours: Collection[int]) -> list[HourlySums]:
    """Add up hours; where a store has nothing left of one that had something, the sums are zero."""
    sums = _sums(cursor, hours)
    there = {(one.hour_bucket, one.store_id) for one in sums}
    emptied = cursor.execute(EMPTIED, {"hours": list(hours)}).fetchall()
    return sums + [_nothing(hour, store) for hour, store in emptied if (hour * 3600, store) not in there]


def _nothing(hour: int, store_id: str) -> HourlySums:
    return HourlySums(
        store_id=store_id,
        hour_bucket=hour * 3600,
        total_queries=0,
        successful_queries=0,
        failed_queries=0,
        total_latency_ms=0.0,
        unique_sessions=0,
        total_cost_usd=0.0,
    )


def _sums(cursor: duckdb.DuckDBPyConnection, hours: Collection[int]) -> list[HourlySums]:
    question = Question(
        sql=SUMS,
        parameters={"hours": list(hours)},
        about=Slice(start=min(hours) * HOUR_MS, end=(max(hours) + 1) * HOUR_MS - 1),
        answered_until=EVERYTHING,
        measures=MEASURES,
        split="store_id",
        buckets=Buckets(unit_ms=HOUR_MS),
    )
    stale = [hour for (hour,) in cursor.execute(cubes.STALE_HOURS).fetchall()]
    sql, values = Relations(question, stale_hours=lambda: stale, stale_days=list).expanded()
    return [
        HourlySums(
            store_id=store,
            hour_bucket=hour * 3600,
            total_queries=queries,
            successful_queries=successes,
            failed_queries=failures,
            total_latency_ms=latency,
            unique_sessions=sessions,
            total_cost_usd=cost,
        )
        for hour, store, queries, successes, failures, latency, cost, sessions in cursor.execute(sql, values).fetchall()
    ]
