"""What is kept beside the wide table, kept true: in the transaction that changes the table, or built from all of it.

Sessions, attributions and foldings follow at once; cubes are only marked stale, and settled when there is time.
"""

from collections.abc import Collection, Iterable, Sequence
from typing import Any

import duckdb
import msgspec

from aura_analytics.projection import attribution, cubes, publishing, schema, sequence, sessions, spelling
from aura_analytics.projection.coverage import DAY_MS, HOUR_MS
from aura_analytics.store.port import ConversionRow, WideRow

SESSION = schema.position("session_id")
TEXT = schema.position("query_text")
CREATED_AT = schema.CREATED_AT
# Settled at once at most: an hour of ten million interactions a month holds fourteen thousand.
MOST_HOURS = 24
FAR = 2**62


class Touched(msgspec.Struct, frozen=True, kw_only=True):
    """What a change touches: interactions, their sessions, their moments, what was said, and conversions."""

    queries: Collection[str]
    sessions: Collection[str]
    moments: Collection[int]
    texts: Collection[str]
    conversions: Collection[str] = ()


def touched(query_ids: Collection[str], rows: Iterable[WideRow], conversions: Sequence[ConversionRow]) -> Touched:
    """Gather what rows touch."""
    found = list(rows)
    return Touched(
        queries=query_ids,
        sessions={row[SESSION] for row in found if isinstance(row[SESSION], str)},
        moments={row[CREATED_AT] for row in found if isinstance(row[CREATED_AT], int)},
        texts={row[TEXT] for row in found if isinstance(row[TEXT], str) and not row[TEXT].isascii()},
        conversions=[row[0] for row in conversions],
    )


def create(cursor: duckdb.DuckDBPyConnection) -> None:
    """Make the tables, empty."""
    for statement in (*cubes.CREATE, sessions.CREATE, *attribution.CREATE, spelling.CREATE, publishing.CREATE):
        cursor.execute(statement)


def build(cursor: duckdb.DuckDBPyConnection, attribution_ms: int) -> None:
    """Build what follows at once from all of the wide table, and mark every cube stale."""
    for part in range(sessions.PARTS):
        cursor.execute(sessions.BUILD_PART, {"part": part})
    _fold(cursor, [text for (text,) in cursor.execute(spelling.UNFOLDED).fetchall()])
    cursor.execute(attribution.TOUCHED_ALL)
    _attribute(cursor, attribution_ms)
    for statement in (*cubes.MARK_ALL, publishing.MARK_ALL):
        cursor.execute(statement)


def keep(cursor: duckdb.DuckDBPyConnection, change: Touched, attribution_ms: int, position: int) -> None:
    """Let everything follow a change of the wide table, which was made in this transaction.

    Args:
        cursor: in a transaction.
        change: what it touched.
        attribution_ms: how long before a conversion the interaction may lie that it is owed to.
        position: that of the feed, which brought the change.
    """
    if change.sessions:
        _keep_sessions(cursor, change)
    _fold(cursor, change.texts)
    cursor.execute(
        attribution.TOUCHED,
        {
            "conversions": list(change.conversions),
            "queries": list(change.queries),
            "sessions": list(change.sessions),
        },
    )
    _attribute(cursor, attribution_ms)
    mark(cursor, change.moments, position)


def mark(cursor: duckdb.DuckDBPyConnection, moments: Collection[int], position: int) -> None:
    """Mark the cells of some moments stale. A turn's hour also depends on what is said shortly after it."""
    hours = {moment // HOUR_MS for moment in moments}
    if hours:
        cursor.execute(publishing.MARK, {"hours": sorted(hours), "position": position})
    hours |= {(moment - sequence.REPHRASE_GAP_MS) // HOUR_MS for moment in moments}
    if hours:
        cursor.execute(cubes.MARK_HOURS, {"units": sorted(hours)})
        cursor.execute(cubes.MARK_DAYS, {"units": sorted({moment // DAY_MS for moment in moments})})


def settle_hours(cursor: duckdb.DuckDBPyConnection, first: int, last: int) -> None:
    """Compute the hour cubes of some hours anew, `first` to `last`."""
    window = {"low": first * HOUR_MS, "high": (last + 1) * HOUR_MS - 1}
    for table in cubes.OF_HOURS:
        cursor.execute(f"DELETE FROM {table} WHERE hour BETWEEN $first AND $last", {"first": first, "last": last})
    cursor.execute(cubes.GATHER_HOURS, window | {"answered_until": FAR})
    *inserts, settled = cubes.SETTLE_HOURS
    for statement in inserts:
        cursor.execute(statement, {"answered_until": FAR} if "$answered_until" in statement else None)
    cursor.execute(settled, {"first": first, "last": last})
    cursor.execute("DROP TABLE gathered")


def settle_day(cursor: duckdb.DuckDBPyConnection, day: int) -> None:
    """Compute the day cubes of a day anew."""
    window = {"low": day * DAY_MS, "high": (day + 1) * DAY_MS - 1}
    for table in cubes.OF_DAYS:
        cursor.execute(f"DELETE FROM {table} WHERE day = $day", {"day": day})
    values = window | {"answered_until": FAR, "first": day, "last": day}
    for statement in cubes.SETTLE_DAYS:
        cursor.execute(statement, {name: value for name, value in values.items() if f"${name}" in statement})


def _keep_sessions(cursor: duckdb.DuckDBPyConnection, change: Touched) -> None:
    among = {"sessions": list(change.sessions)}
    moments = list(change.moments)
    known = cursor.execute(sessions.EXTENT, among).fetchone() or (None, None)
    moments += [moment for moment in known if moment is not None]
    cursor.execute(sessions.FORGET, among)
    if moments:
        cursor.execute(sessions.REMEMBER, among | {"low": min(moments), "high": max(moments)})


def _fold(cursor: duckdb.DuckDBPyConnection, texts: Collection[str]) -> None:
    if texts:
        said = list(texts)
        cursor.execute(spelling.REMEMBER, {"texts": said, "folded": [spelling.folded(text) for text in said]})


def _attribute(cursor: duckdb.DuckDBPyConnection, window_ms: int) -> None:
    """Work out what the touched conversions are owed to."""
    count, first, last = cursor.execute(attribution.SPAN).fetchone() or (0, None, None)
    if not count:
        return
    window: dict[str, Any] = {"low": first - window_ms, "high": last}
    cursor.execute(attribution.UNDO)
    cursor.execute(attribution.BY_QUERY_NEAR, window)
    left = cursor.execute(attribution.UNOWED_WITH_QUERY).fetchone()
    if left and left[0]:
        cursor.execute(attribution.BY_QUERY)
    cursor.execute(attribution.BY_SESSION, window | {"window": window_ms})
