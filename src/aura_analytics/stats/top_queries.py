"""What shoppers say most."""

import msgspec

from aura_analytics.stats.reader import Reader
from aura_analytics.stats.scope import WHERE, Scope
from aura_analytics.stats.summary import IS_SUCCESSFUL

# The most frequent texts with their intent.
TOP_QUERIES = f"""
SELECT query_text, intent, count(*) AS occurrences, favg(latency_ms), count(*) FILTER (WHERE {IS_SUCCESSFUL})
FROM interactions
WHERE {WHERE}
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
    rows = await reader.ask(TOP_QUERIES, scope.parameters | {"limit": limit})
    return [
        TopQuery(
            query_text=text,
            intent=intent,
            count=count,
            avg_latency_ms=latency,
            success_rate=100 * successful / count,
        )
        for text, intent, count, latency, successful in rows
    ]
