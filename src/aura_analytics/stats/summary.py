"""How the assistant is doing, in one row."""

import msgspec

from aura_analytics.stats.reader import Reader
from aura_analytics.stats.scope import WHERE, Scope
from aura_analytics.stats.unanswered import IS_UNANSWERED_FOR_RATE, answered_until

IS_SUCCESSFUL = "coalesce(action_success, false)"
IS_FAILED = "coalesce(NOT action_success, false) OR coalesce(error_flag, false)"
# Costs are added with compensation and rounded far below a cent, so that the order of rows can't show.
COST = "round(coalesce(fsum(cost_usd), 0), 9)"

# The figures of a window. favg and fsum are Kahan sums: exact where a plain sum of doubles drifts.
SUMMARY = f"""
SELECT count(*), count(*) FILTER (WHERE {IS_SUCCESSFUL}), count(*) FILTER (WHERE {IS_FAILED}),
       favg(latency_ms), {COST}, count(DISTINCT session_id), count(*) FILTER (WHERE {IS_UNANSWERED_FOR_RATE})
FROM interactions
WHERE {WHERE}
"""


class Summary(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The figures of a window. Rates are 0…1, and 0 where there is nothing to rate; an average of nothing is None.

    `conversion_rate` is the share of queries with a recorded conversion.
    """

    store_id: str
    period: str
    total_queries: int
    successful_queries: int
    failed_queries: int
    average_latency_ms: float | None
    total_cost_usd: float
    unique_sessions: int
    conversion_rate: float
    unanswered_rate: float
    start: int | None = msgspec.field(name="from")
    end: int | None = msgspec.field(name="to")


async def summary(reader: Reader, scope: Scope) -> Summary:
    """Compute the figures of a window."""
    parameters = scope.parameters | {"answered_until": answered_until(reader)}
    [(total, successful, failed, latency, cost, sessions, missed)] = await reader.ask(SUMMARY, parameters)
    return Summary(
        store_id=scope.store or "all",
        period=scope.period,
        total_queries=total,
        successful_queries=successful,
        failed_queries=failed,
        average_latency_ms=latency,
        total_cost_usd=cost,
        unique_sessions=sessions,
        conversion_rate=0.0,
        unanswered_rate=missed / total if total else 0.0,
        start=scope.start,
        end=scope.end,
    )
