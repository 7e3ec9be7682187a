"""What shoppers say most."""

import msgspec

from aura_analytics.projection import Question
from aura_analytics.stats.reader import Reader
from aura_analytics.stats.said import Aggregate, said
from aura_analytics.stats.scope import Scope

MEASURES: dict[str, Aggregate] = {"queries": "sum", "latency_sum": "fsum", "latency_count": "sum", "successes": "sum"}

# The most frequent texts with their intent.
TOP_QUERIES = """
SELECT query_text, intent, queries, latency_sum, latency_count, successes FROM ({said})
ORDER BY queries DESC, query_text, intent NULLS FIRST
LIMIT $limit
"""


class TopQuery(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A text and how it fared. `success_rate` is percent of all its occurrences."""

    query_text: str
    intent: str | None
    count: int
    avg_latency_ms: float | None
    success_rate: float


async def top_queries(reader: Reader, scope: Scope, limit: int, *, normalize: bool = False) -> list[TopQuery]:
    """List the texts, the most frequent first; with `normalize`, all spellings of a text as one."""
    sql = TOP_QUERIES.replace("{said}", said(MEASURES, weight="queries", normalize=normalize))
    question = Question(sql=sql, parameters={"limit": limit}, about=scope, answered_until=reader.answered_until)
    return [
        TopQuery(
            query_text=text,
            intent=intent,
            count=count,
            avg_latency_ms=latency / answers if answers else None,
            success_rate=100 * successful / count,
        )
        for text, intent, count, latency, answers, successful in await reader.ask(question)
    ]
