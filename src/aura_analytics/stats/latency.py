"""How long answers took: exact percentiles, and how many took how long."""

import re
from collections.abc import Sequence
from itertools import pairwise

import msgspec

from aura_analytics.errors import ParameterError
from aura_analytics.projection import Question
from aura_analytics.stats.percentiles import percentiles
from aura_analytics.stats.reader import Reader
from aura_analytics.stats.scope import LONGEST_LATENCY_MS, Scope

PERCENTS = (50, 75, 90, 95, 99)
MOST_BARS = 1_000
# Where the bars of a histogram begin, in milliseconds: 0, 1, 2, 5, 10, 20, 50 …
EDGES = [0.0, *(digit * 10.0**power for power in range(12) for digit in (1, 2, 5)), LONGEST_LATENCY_MS]

COUNTED = (
    "WITH counted AS MATERIALIZED (SELECT latency_ms, sum(queries) AS queries FROM {latencies} GROUP BY latency_ms)"
)

# The answers with a latency, its sum, least and most, and its percentiles.
FIGURES = f"""
{COUNTED}
SELECT figures.*, percentiles.* FROM (
    SELECT coalesce(sum(queries), 0)::BIGINT, fsum(latency_ms * queries), min(latency_ms), max(latency_ms) FROM counted
) AS figures, ({percentiles("counted", PERCENTS)}) AS percentiles
"""

# How many answers there are from each edge on, up to the next.
HISTOGRAM = f"""
{COUNTED}
SELECT number, sum(queries)::BIGINT FROM counted ASOF JOIN (
    SELECT unnest($edges::DOUBLE[]) AS edge, generate_subscripts($edges::DOUBLE[], 1) - 1 AS number
) AS bars ON counted.latency_ms >= bars.edge
GROUP BY number
"""


class Bar(msgspec.Struct, frozen=True, kw_only=True):
    """A bar of a histogram: `count` values from `least` on that are below `below`; None is open."""

    least: float = msgspec.field(name="from")
    below: float | None
    count: int


class Latency(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """How long answers took. Those without a known latency are left out; None where there are no others."""

    store_id: str
    period: str
    count: int
    average_latency_ms: float | None
    min_latency_ms: float | None
    max_latency_ms: float | None
    p50_latency_ms: float | None
    p75_latency_ms: float | None
    p90_latency_ms: float | None
    p95_latency_ms: float | None
    p99_latency_ms: float | None
    histogram: list[Bar]


async def latency(reader: Reader, scope: Scope, bars: int | None = None) -> Latency:
    """Compute them.

    Args:
        reader: asks.
        scope: the interactions.
        bars: how many bars of equal width the histogram has; without, they grow by 1, 2, 5, 10.
    """
    [(count, total, least, most, *ranks)] = await reader.ask(Question(sql=FIGURES, about=scope))
    edges = EDGES if bars is None or count == 0 else even(least, most, bars)
    rows = await reader.ask(Question(sql=HISTOGRAM, about=scope, parameters={"edges": edges})) if count else []
    named = {f"p{percent}_latency_ms": rank for percent, rank in zip(PERCENTS, ranks, strict=True)}
    return Latency(
        store_id=scope.store_id,
        period=scope.period,
        count=count,
        average_latency_ms=total / count if count else None,
        min_latency_ms=least,
        max_latency_ms=most,
        histogram=histogram(edges, dict(rows), whole=bars is not None),
        **named,
    )


def read_bars(text: str | None) -> int | None:
    """Read how many bars a histogram is to have; None where that isn't said.

    Raises:
        ParameterError: it is no number from 1 to 1,000.
    """
    if text is None:
        return None
    if not re.fullmatch(r"\d{1,4}", text, re.ASCII) or not 1 <= int(text) <= MOST_BARS:
        raise ParameterError(f"buckets is a whole number from 1 to {MOST_BARS:,}")
    return int(text)


def even(least: float, most: float, bars: int) -> list[float]:
    """Give the edges of bars of equal width; one bar, where all values are the same."""
    width = (most - least) / bars
    edges = [least + number * width for number in range(bars)]
    return sorted(set(edges))


def histogram(edges: Sequence[float], counts: dict[int, int], *, whole: bool = False) -> list[Bar]:
    """Give the bars between the first and the last that hold anything, or the `whole` of them."""
    if not counts:
        return []
    every = [
        Bar(least=low, below=high, count=counts.get(number, 0))
        for number, (low, high) in enumerate(pairwise([*edges, None]))
        if low is not None
    ]
    return every if whole else every[min(counts) : max(counts) + 1]
