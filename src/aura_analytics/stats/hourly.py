"""The hours of a window."""

from datetime import UTC, datetime

import msgspec

from aura_analytics.projection import Buckets, Question
from aura_analytics.projection.coverage import HOUR_MS
from aura_analytics.projection.measures import merged
from aura_analytics.stats.reader import Reader
from aura_analytics.stats.scope import Scope
from aura_analytics.stats.summary import COST_DIGITS

# Beyond it lie only moments that somebody wrote past the door, and no calendar that could show them.
LAST_HOUR = 253_402_300_799_999 // HOUR_MS

MEASURES = ("queries", "successes", "failures", "latency_sum", "latency_count", "cost", "sessions")

# The figures of each hour (UTC) that has any query.
HOURLY = f"""
SELECT bucket, {", ".join(merged(measure) for measure in MEASURES)} FROM {{cells}}
WHERE bucket BETWEEN 0 AND {LAST_HOUR}
GROUP BY bucket
ORDER BY bucket DESC
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
    question = Question(
        sql=HOURLY,
        parameters={"limit": limit},
        about=scope,
        answered_until=reader.answered_until,
        measures=MEASURES,
        buckets=Buckets(unit_ms=HOUR_MS),
    )
    return [
        Hour(
            hour=datetime.fromtimestamp(hour * 3600, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            queries=queries,
            successes=successes,
            failures=failures,
            avg_latency_ms=latency / answers if answers else None,
            cost_usd=round(cost, COST_DIGITS),
            sessions=sessions,
        )
        for hour, queries, successes, failures, latency, answers, cost, sessions in await reader.ask(question)
    ]
