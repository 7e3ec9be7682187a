"""What shoppers say most."""

import msgspec

from aura_analytics.projection import Question
from aura_analytics.stats.reader import Reader
from aura_analytics.stats.scope import Scope

# The most frequent texts with their intent.
TOP_QUERIES = """
SELECT query_text, intent, sum(queries)::BIGINT AS occurrences, fsum(latency_sum), sum(latency_count)::BIGINT,
       sum(successes)::BIGINT
FROM {texts}
GROUP BY query_text, intent
ORDER BY occurrences DESC, query_text, intent NULLS FIRST
LIMIT $limit
"""


class TopQuery(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A text and how it fared. `success_rate` is percent of all its occurrences."""

    query_text: str
    intent: str | None
    count: int
    avg_latency_ms: float | None
    success_rate: float


async def top_queries(reader: Reader, scope: Scope, limit: int) -> list[TopQuery]:
    """List the texts, the most frequent first."""
    question = Question(sql=TOP_QUERIES, parameters={"limit": limit}, about=scope, answered_until=reader.answered_until)
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
