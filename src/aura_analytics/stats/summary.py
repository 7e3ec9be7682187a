"""How the assistant is doing, in one row."""

import msgspec

from aura_analytics.projection import Question
from aura_analytics.projection.measures import merged
from aura_analytics.stats.conversions import converted_queries
from aura_analytics.stats.metrics import COST_DIGITS
from aura_analytics.stats.percentiles import PERCENTILES
from aura_analytics.stats.reader import Reader
from aura_analytics.stats.scope import Scope
from aura_analytics.stats.sessions import distinct_sessions

MEASURES = (
    "queries",
    "successes",
    "failures",
    "unanswered",
    "latency_sum",
    "latency_count",
    "cost",
    "tokens",
    "tokens_prompt",
    "tokens_completion",
    "good",
    "review",
    "bad",
)

# The figures of a window: what adds up, the percentiles of the latency, the sessions, and the queries with a conversion.
SUMMARY = f"""
SELECT sums.*, percentiles.*, ({{sessions}}), ({{converted}})
FROM (SELECT {", ".join(merged(measure) for measure in MEASURES)} FROM {{cells}}) AS sums,
     ({PERCENTILES}) AS percentiles
"""


class Labels(msgspec.Struct, frozen=True, kw_only=True, rename={"good": "GOOD", "review": "REVIEW", "bad": "BAD"}):
    """How many interactions have each label."""

    good: int
    review: int
    bad: int
    unlabelled: int


class EvaluationQueue(msgspec.Struct, frozen=True, kw_only=True):
    """How many interactions of the whole database wait to be labelled: due now, due later (or claimed), and given up."""

    due: int
    waiting: int
    failed: int


class Summary(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The figures of a window. Rates are 0…1, and 0 where there is nothing to rate; an average of nothing is None.

    `conversion_rate` is the share of queries that a conversion is owed to. Percentiles are observed latencies: the
    least that so many percent of the answers don't exceed. `evaluation_queue` is that of the present, of all stores;
    None where the window lies in the past, and for who doesn't see all stores.
    """

    store_id: str
    period: str
    total_queries: int
    successful_queries: int
    failed_queries: int
    average_latency_ms: float | None
    p50_latency_ms: float | None
    p95_latency_ms: float | None
    p99_latency_ms: float | None
    total_cost_usd: float
    cost_per_successful_query_usd: float | None
    total_tokens: int
    prompt_tokens: int
    completion_tokens: int
    unique_sessions: int
    conversion_rate: float
    unanswered_rate: float
    labels: Labels
    evaluation_queue: EvaluationQueue | None = None
    start: int | None = msgspec.field(name="from")
    end: int | None = msgspec.field(name="to")


async def summary(reader: Reader, scope: Scope) -> Summary:
    """Compute the figures of a window."""
    sql = SUMMARY.replace("{sessions}", distinct_sessions(scope)).replace("{converted}", converted_queries(scope))
    question = Question(sql=sql, about=scope, answered_until=reader.answered_until, measures=MEASURES)
    [row] = await reader.ask(question)
    sums = dict(zip(MEASURES, row, strict=False))
    p50, p95, p99, sessions, converted = row[len(MEASURES) :]
    total, cost = sums["queries"], round(sums["cost"], COST_DIGITS)
    return Summary(
        store_id=scope.store_id,
        period=scope.period,
        total_queries=total,
        successful_queries=sums["successes"],
        failed_queries=sums["failures"],
        average_latency_ms=sums["latency_sum"] / sums["latency_count"] if sums["latency_count"] else None,
        p50_latency_ms=p50,
        p95_latency_ms=p95,
        p99_latency_ms=p99,
        total_cost_usd=cost,
        cost_per_successful_query_usd=cost / sums["successes"] if sums["successes"] else None,
        total_tokens=sums["tokens"],
        prompt_tokens=sums["tokens_prompt"],
        completion_tokens=sums["tokens_completion"],
        unique_sessions=sessions,
        conversion_rate=converted / total if total else 0.0,
        unanswered_rate=sums["unanswered"] / total if total else 0.0,
        labels=Labels(
            good=sums["good"],
            review=sums["review"],
            bad=sums["bad"],
            unlabelled=total - sums["good"] - sums["review"] - sums["bad"],
        ),
        start=scope.start,
        end=scope.end,
    )
