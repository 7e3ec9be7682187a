"""How many sessions a window saw, and how they went."""

from itertools import pairwise

from aura_analytics.projection import Slice
from aura_analytics.projection.coverage import FOREVER_MS
from aura_analytics.stats.grid import Grid

# A session that overlaps a window was seen in it, unless it reaches over both of its ends; such a one has to be looked up.
# One that several stores saw counts once over all of them. So: those of one store that overlap, without those that reach
# over; and the different ones among the rest.
DISTINCT = """
SELECT (SELECT count(*) FROM sessions WHERE {overlaps} AND {alone})
     - (SELECT count(*) FROM sessions WHERE {reaches_over} AND {alone})
     + (SELECT count(*) FROM (
            SELECT session_id FROM sessions WHERE {overlaps} AND NOT ({reaches_over}) AND NOT ({alone})
            UNION
            SELECT session_id FROM interactions
            WHERE {where} AND session_id IN (SELECT session_id FROM sessions WHERE {reaches_over} AND {store})
       ))
"""


def distinct_sessions(about: Slice) -> str:
    """Give the SQL of one number: the sessions of a slice."""
    if not about.filters:
        return _distinct(about, "true", "stores = 1")
    if about.filters == {"stores"} and about.one_store is not None:
        return _distinct(about, about.condition("stores"), "true")
    return "SELECT count(DISTINCT session_id) FROM {rows}"


def _distinct(about: Slice, store: str, alone: str) -> str:
    low, high = about.start is not None, about.end is not None
    overlaps = [store, *(["last_at >= $start"] if low else []), *(["first_at <= $end"] if high else [])]
    return DISTINCT.format(
        store=store,
        alone=alone,
        overlaps=" AND ".join(overlaps),
        reaches_over=f"first_at < $start AND last_at > $end AND {store}" if low and high else "false",
        where=about.where(),
    )


# By steps and groups. A session that lies in the window, and is shorter than each step, was seen in the steps of its two
# ends and in no other: such ones are counted by their units. The turns of all the others are looked up, and so are those
# of the ones that several stores saw, which count once.
ENDS = """
SELECT row_number() OVER () AS pair, * FROM (
    SELECT {first} AS first_unit, {last} AS last_unit{split}, count(*) AS sessions FROM sessions
    WHERE {known} AND {short} GROUP BY ALL
)
"""
SHORT = """
SELECT step, place, sum(sessions)::BIGINT AS sessions FROM (
    SELECT DISTINCT source.pair, source.sessions, {names} FROM {placed}
) GROUP BY step, place
"""
OTHERS = """
SELECT step, place, count(*) AS sessions FROM (SELECT DISTINCT {names}, source.session_id FROM {placed})
GROUP BY step, place
"""


def add_up(grid: Grid) -> bool:
    """Whether the sessions of each step stand in one cell."""
    scope, steps = grid.scope, grid.steps
    return _is_plain(scope) and grid.split is None and steps is not None and steps.are_hours(scope.end)


def sessions_of(grid: Grid) -> str:
    """Give the SELECT of the different sessions by `step` and `place`."""
    if grid.steps is None and grid.split is None:
        return f"SELECT 0 AS step, 0 AS place, ({distinct_sessions(grid.scope)})"
    if not _is_plain(grid.scope) or grid.split not in (None, "store_id"):
        return _seen(grid, "session_id IS NOT NULL")
    known = _known(grid.scope)
    others = _seen(grid, f"session_id IN (SELECT session_id FROM sessions WHERE {known} AND NOT ({_short(grid)}))")
    both = f"{_short_ones(grid, known)} UNION ALL {others}"
    return f"SELECT step, place, sum(sessions)::BIGINT FROM ({both}) GROUP BY step, place"


def _is_plain(about: Slice) -> bool:
    """Whether the sessions as a whole are those of a slice, and each has one row there unless several stores saw it."""
    return not about.filters or (about.filters == {"stores"} and about.one_store is not None)


def _known(about: Slice) -> str:
    """Give the condition on the sessions that a window may have seen."""
    conditions = [about.condition(name) for name in sorted(about.filters)]
    if about.start is not None:
        conditions.append("last_at >= $start")
    if about.end is not None:
        conditions.append("first_at <= $end")
    return " AND ".join(conditions) or "true"


def _short(grid: Grid) -> str:
    starts = grid.steps.starts if grid.steps else []
    shortest = min((after - before for before, after in pairwise(starts)), default=FOREVER_MS)
    conditions = [f"last_at - first_at < {shortest}"]
    if grid.scope.start is not None:
        conditions.append("first_at >= $start")
    if grid.scope.end is not None:
        conditions.append("last_at <= $end")
    if not grid.scope.filters:
        conditions.append("stores = 1")
    return " AND ".join(conditions)


def _short_ones(grid: Grid, known: str) -> str:
    split = f", {grid.split}" if grid.split else ""
    ends = ENDS.format(
        first=grid.unit("first_at"), last=grid.unit("last_at"), split=split, known=known, short=_short(grid)
    )
    source = f"(SELECT pair, sessions{split}, unnest([first_unit, last_unit]) AS at FROM ({ends}))"
    return SHORT.format(names=grid.names, placed=grid.placed(source, "source.at"))


def _seen(grid: Grid, condition: str) -> str:
    """Give the SELECT of the sessions of some rows."""
    split = f", {grid.split}" if grid.split else ""
    rows = f"SELECT {grid.unit('created_at')} AS at, session_id{split} FROM {{rows}} WHERE {condition}"
    if grid.steps:  # a row for each unit first, since few rows find their step faster
        rows = rows.replace("SELECT", "SELECT DISTINCT", 1)
    return OTHERS.format(names=grid.names, placed=grid.placed(f"({rows})", "source.at"))
