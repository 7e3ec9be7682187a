"""What is kept beside the wide table, kept true: in the transaction that changes the table, or built from all of it.

Sessions, attributions and foldings follow at once; cubes are only marked stale, and settled when there is time.
"""

from collections.abc import Collection, Iterable, Sequence
from typing import Any

import duckdb
import msgspec

from aura_analytics.projection import attribution, cubes, publishing, remnants, schema, sequence, sessions, spelling
from aura_analytics.projection.coverage import DAY_MS, HOUR_MS
from aura_analytics.projection.transport import fitting
from aura_analytics.store.port import ConversionRow, Surroundings, WideRow

SESSION = schema.position("session_id")
TEXT = schema.position("query_text")
CREATED_AT = schema.CREATED_AT
FAR = 2**62


class Touched(msgspec.Struct, frozen=True, kw_only=True):
    """What a change touches: interactions, their sessions, their moments, what was said, and conversions.

    `around` is what the row database says about them; without it, all of the columns are looked through.
    """

    queries: Collection[str]
    sessions: Collection[str]
    moments: Collection[int]
    texts: Collection[str]
    conversions: Collection[str] = ()
    around: Surroundings | None = None


def touched(
    query_ids: Collection[str],
    rows: Iterable[WideRow],
    conversions: Sequence[ConversionRow],
    around: Surroundings | None = None,
) -> Touched:
    """Gather what rows touch, as the table holds them: others may have written a cell of another type."""
    found = [(fitting(row[SESSION], "VARCHAR"), fitting(row[CREATED_AT], "BIGINT"), row[TEXT]) for row in rows]
    return Touched(
        queries=query_ids,
        sessions={session for session, _, _ in found if session is not None},
        moments={moment for _, moment, _ in found if moment is not None},
        texts={text for _, _, text in found if isinstance(text, str) and not text.isascii()},
        conversions=[row[0] for row in conversions],
        around=around,
    )


def sessions_of(rows: Iterable[WideRow]) -> list[str]:
    """Give the sessions of rows."""
    return list({row[SESSION] for row in rows if isinstance(row[SESSION], str)})


def create(cursor: duckdb.DuckDBPyConnection) -> None:
    """Make the tables, empty."""
    beside = (sessions.CREATE, *attribution.CREATE, spelling.CREATE, publishing.CREATE, publishing.CREATE_EMPTIED)
    for statement in (*cubes.CREATE, *beside, remnants.CREATE):
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


def keep(cursor: duckdb.DuckDBPyConnection, change: Touched, attribution_ms: int) -> None:
    """Let everything follow a change of the wide table, which was made in this transaction."""
    if change.sessions:
        _keep_sessions(cursor, change)
    _fold(cursor, change.texts)
    if _touch(cursor, change):
        _attribute(cursor, attribution_ms, since=_since(cursor, change))
    mark(cursor, change.moments)


def mark(cursor: duckdb.DuckDBPyConnection, moments: Collection[int]) -> None:
    """Mark the cells of some moments stale. A turn's hour also depends on what is said shortly after it."""
    hours = {moment // HOUR_MS for moment in moments}
    if hours:
        cursor.execute(publishing.MARK, {"hours": sorted(hours)})
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
    """Let the sessions follow: the recent ones together, and those that go far back by themselves."""
    spans = change.around.spans if change.around else {}
    since = min(change.moments) - DAY_MS if change.moments else 0
    recent = [session for session in change.sessions if session in spans and spans[session][0] >= since]
    old = [session for session in change.sessions if session in spans and spans[session][0] < since]
    for group in (recent, old):
        if group:
            known = [moment for session in group for moment in spans[session]]
            window = {"low": min(*known, *change.moments), "high": max(*known, *change.moments)}
            cursor.execute(sessions.FORGET_WITHIN, window | {"sessions": group})
            cursor.execute(sessions.REMEMBER, window | {"sessions": group})
    if unknown := [session for session in change.sessions if session not in spans]:
        _look_everywhere(cursor, unknown, change.moments)


def _look_everywhere(cursor: duckdb.DuckDBPyConnection, among: Sequence[str], moments: Collection[int]) -> None:
    """Let sessions follow of which nothing is known beforehand."""
    known = cursor.execute(sessions.FORGET, {"sessions": among}).fetchall()
    found = [*moments, *(moment for extent in known for moment in extent if moment is not None)]
    if found:
        cursor.execute(sessions.REMEMBER, {"sessions": among, "low": min(found), "high": max(found)})


def _touch(cursor: duckdb.DuckDBPyConnection, change: Touched) -> bool:
    """Gather the conversions that a change may have moved; tell whether there may be any."""
    conversions = list(change.conversions)
    if change.around is None:
        among = {"queries": list(change.queries), "sessions": list(change.sessions)}
        cursor.execute(attribution.TOUCHED, among | {"conversions": conversions})
        return True
    conversions += change.around.conversion_ids
    if conversions:
        cursor.execute(attribution.TOUCHED_NAMED, {"conversions": conversions})
    return bool(conversions)


def _fold(cursor: duckdb.DuckDBPyConnection, texts: Collection[str]) -> None:
    if texts:
        said = list(texts)
        cursor.execute(spelling.REMEMBER, {"texts": said, "folded": [spelling.folded(text) for text in said]})


def _since(cursor: duckdb.DuckDBPyConnection, change: Touched) -> int:
    """Give the moment before which no interaction lies that a touched conversion may be owed to by its session."""
    spans = change.around.spans if change.around else {}
    if not spans:
        return -FAR
    elsewhere = cursor.execute(attribution.ELSEWHERE, {"sessions": list(spans)}).fetchone()
    return -FAR if elsewhere and elsewhere[0] else min(first for first, _ in spans.values())


def _attribute(cursor: duckdb.DuckDBPyConnection, window_ms: int, since: int = -FAR) -> None:
    """Work out what the touched conversions are owed to."""
    first, last, with_query, with_session = cursor.execute(attribution.SPAN).fetchone() or (None, None, 0, 0)
    if first is None:
        return
    window: dict[str, Any] = {"low": first - window_ms, "high": last}
    cursor.execute(attribution.OWED_BEFORE)
    cursor.execute(attribution.UNDO)
    if with_query:
        cursor.execute(attribution.BY_QUERY_NEAR, window)
        left = cursor.execute(attribution.UNOWED_WITH_QUERY).fetchone()
        if left and left[0]:
            cursor.execute(attribution.BY_QUERY)
    if with_session:
        low = max(since, first - window_ms)
        cursor.execute(attribution.BY_SESSION, {"low": low, "high": last, "window": window_ms})
    for statement in attribution.RECOUNT:
        cursor.execute(statement)
