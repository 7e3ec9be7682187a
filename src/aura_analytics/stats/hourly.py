"""The hours of a window."""

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from aura_analytics.projection import Buckets, Question
from aura_analytics.projection.coverage import HOUR_MS, LAST_HOUR
from aura_analytics.projection.measures import merged
from aura_analytics.stats.counting import counted
from aura_analytics.stats.grid import REST, Grid
from aura_analytics.stats.metrics import COST_DIGITS, METRICS
from aura_analytics.stats.reader import Reader
from aura_analytics.stats.scope import MOST_ROWS, Scope
from aura_analytics.stats.steps import label
from aura_analytics.stats.timeseries import in_steps

MEASURES = ("queries", "successes", "failures", "latency_sum", "latency_count", "cost", "sessions")

# The figures of each hour (UTC) that has any query.
HOURLY = f"""
SELECT bucket, {", ".join(merged(measure) for measure in MEASURES)} FROM {{cells}}
WHERE bucket BETWEEN 0 AND {LAST_HOUR}
GROUP BY bucket
ORDER BY bucket DESC
LIMIT $limit
"""


# The metrics of an hour of a time zone, in the order of an hour's figures.
METRICS_OF_HOUR = [METRICS[name] for name in ("queries", "successes", "failures", "latency_avg", "cost", "sessions")]


class Hour(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One hour that has any query; `hour` is its start, ISO 8601: in UTC, or with the offset of the zone asked for."""

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


async def hourly_in(reader: Reader, scope: Scope, zone: ZoneInfo, limit: int) -> list[Hour]:
    """List the hours that the clocks of a time zone show, the newest first.

    Raises:
        ParameterError: the window has more hours than an answer may.
    """
    window, steps = await in_steps(reader, scope, "hour", zone, most=MOST_ROWS)
    found = await counted(reader, Grid(scope=window, steps=steps), METRICS_OF_HOUR)
    newest = sorted((step for step, place in found if place == REST), reverse=True)[:limit]
    return [_hour(label(steps.starts[step], zone), found[step, REST]) for step in newest]


def _hour(hour: str, figures: dict[str, Any]) -> Hour:  # Any: see `Metric.value`
    return Hour(
        hour=hour,
        queries=figures["queries"],
        successes=figures["successes"],
        failures=figures["failures"],
        avg_latency_ms=figures["latency_avg"],
        cost_usd=figures["cost"],
        sessions=figures["sessions"],
    )
