"""How sessions went: those of a store that began in a window, each as a whole, whenever it ended."""

import msgspec

from aura_analytics.projection import Question, Slice
from aura_analytics.stats.latency import Bar, histogram
from aura_analytics.stats.percentiles import percentiles
from aura_analytics.stats.reader import Reader
from aura_analytics.stats.scope import Scope

# Where the bars of the distribution of turns begin.
EDGES = (1, 2, 3, 4, 5, 6, 11, 21, 51)

# The sessions that began in the window. One is abandoned if its last turn wasn't answered.
CHOSEN = """
WITH chosen AS MATERIALIZED (
    SELECT turns, last_at - first_at AS length, successes,
           coalesce(missed_at = last_at, false) OR coalesce(open_at = last_at AND open_at <= $answered_until, false)
           AS abandoned
    FROM sessions WHERE {condition}
)
"""
# With filters that a session as a whole doesn't have: those with such an interaction in the window.
WITH_ROWS = "(store_id, session_id) IN (SELECT (store_id, session_id) FROM {rows} WHERE session_id IS NOT NULL)"


def _ranks(value: str, percents: tuple[int, ...]) -> str:
    return percentiles(f"(SELECT {value}, 1 AS queries FROM chosen)", percents, value=value)


_BARS = ", ".join(
    f"count(*) FILTER (WHERE turns >= {low}{f' AND turns < {high}' if high else ''})"
    for low, high in zip(EDGES, [*EDGES[1:], None], strict=True)
)

# Counts and averages, the distribution of turns, and the percentiles of turns and of length.
FIGURES = f"""
SELECT figures.*, turns.*, lengths.*, (SELECT [{_BARS}] FROM chosen) FROM (
    SELECT count(*), avg(turns), max(turns), avg(length), count(*) FILTER (WHERE successes > 0 AND NOT abandoned),
           count(*) FILTER (WHERE abandoned), count(*) FILTER (WHERE turns = 1)
    FROM chosen
) AS figures, ({_ranks("turns", (50, 95))}) AS turns, ({_ranks("length", (50, 95))}) AS lengths
"""


class Visits(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """How sessions went; shares are 0…1, and 0 where there are no sessions.

    A session is one store's. It is *abandoned* if its last turn wasn't answered, and *successful* if a turn succeeded
    and it wasn't abandoned. Its length is the time from its first to its last query.
    """

    store_id: str
    period: str
    sessions: int
    successful_sessions: int
    abandoned_sessions: int
    success_share: float
    abandoned_share: float
    single_turn_share: float
    average_turns: float | None
    p50_turns: int | None
    p95_turns: int | None
    max_turns: int | None
    average_length_ms: float | None
    p50_length_ms: int | None
    p95_length_ms: int | None
    turns: list[Bar]


async def visits(reader: Reader, scope: Scope) -> Visits:
    """Compute the figures of the sessions that began in a window."""
    sql = CHOSEN.replace("{condition}", _condition(scope)) + FIGURES
    [row] = await reader.ask(Question(sql=sql, about=scope, answered_until=reader.answered_until))
    count, average_turns, most, average_length, successful, abandoned, single, *ranks, bars = row
    return Visits(
        store_id=scope.store_id,
        period=scope.period,
        sessions=count,
        successful_sessions=successful,
        abandoned_sessions=abandoned,
        success_share=successful / count if count else 0.0,
        abandoned_share=abandoned / count if count else 0.0,
        single_turn_share=single / count if count else 0.0,
        average_turns=average_turns,
        p50_turns=ranks[0],
        p95_turns=ranks[1],
        max_turns=most,
        average_length_ms=average_length,
        p50_length_ms=ranks[2],
        p95_length_ms=ranks[3],
        turns=histogram(EDGES, {number: found for number, found in enumerate(bars) if found}),
    )


def _condition(about: Slice) -> str:
    conditions = []
    if about.start is not None:
        conditions.append("first_at >= $start")
    if about.end is not None:
        conditions.append("first_at <= $end")
    if about.filters <= {"stores", "session"}:
        conditions += [about.condition(name) for name in sorted(about.filters)]
    else:
        conditions.append(WITH_ROWS)
    return " AND ".join(conditions) or "true"
