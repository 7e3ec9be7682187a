"""The hours of a window."""

from datetime import UTC, datetime

import msgspec

from aura_analytics.stats.reader import Reader
from aura_analytics.stats.scope import UNITS_MS, WHERE, Scope
from aura_analytics.stats.summary import COST, IS_FAILED, IS_SUCCESSFUL

# Beyond it lie only moments that somebody wrote past the door, and no calendar that could show them.
YEAR_9999_MS = 253_402_300_799_999

# The figures of each hour (UTC) that has any query.
HOURLY = f"""
SELECT created_at // {UNITS_MS["h"]} AS hour, count(*), count(*) FILTER (WHERE {IS_SUCCESSFUL}),
       count(*) FILTER (WHERE {IS_FAILED}), favg(latency_ms), {COST}, count(DISTINCT session_id)
FROM interactions
WHERE {WHERE} AND created_at BETWEEN 0 AND {YEAR_9999_MS}
GROUP BY hour
ORDER BY hour DESC
LIMIT $limit
"""


class Hour(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One hour; `hour` is its start, ISO 8601 in UTC."""

    hour: str
    queries: int
    successes: int
    failures: int
    avg_latency_ms: float | None
    cost_usd: float
    sessions: int


async def hourly(reader: Reader, scope: Scope, limit: int) -> list[Hour]:
    """List the hours, the newest first."""
    rows = await reader.ask(HOURLY, scope.parameters | {"limit": limit})
    return [
        Hour(
            hour=datetime.fromtimestamp(hour * 3600, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            queries=queries,
            successes=successes,
            failures=failures,
            avg_latency_ms=latency,
            cost_usd=cost,
            sessions=sessions,
        )
        for hour, queries, successes, failures, latency, cost, sessions in rows
    ]
