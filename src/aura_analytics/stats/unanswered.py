"""What shoppers wanted and didn't get, and why."""

import msgspec

from aura_analytics.projection import Question
from aura_analytics.projection.meanings import REASONS
from aura_analytics.stats.reader import Reader
from aura_analytics.stats.scope import Scope

# The unanswered queries by text and intent, with every reason that any of them has.
UNANSWERED = f"""
SELECT query_text, intent, sum(missed)::BIGINT AS occurrences, max(last_missed) AS last_seen,
       {", ".join(f"sum(for_{reason}) > 0" for reason in REASONS)}
FROM {{texts}}
WHERE missed > 0
GROUP BY query_text, intent
ORDER BY occurrences DESC, last_seen DESC, query_text, intent NULLS FIRST
LIMIT $limit
"""


class UnansweredQuery(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A text that wasn't answered. `last_seen` is epoch milliseconds."""

    query_text: str
    intent: str | None
    occurrences: int
    last_seen: int
    reasons: list[str]


async def unanswered(reader: Reader, scope: Scope, limit: int) -> list[UnansweredQuery]:
    """List the unanswered queries, the most frequent first, the latest first among equals."""
    question = Question(sql=UNANSWERED, parameters={"limit": limit}, about=scope, answered_until=reader.answered_until)
    return [
        UnansweredQuery(
            query_text=text,
            intent=intent,
            occurrences=occurrences,
            last_seen=last_seen,
            reasons=[reason for reason, has in zip(REASONS, found, strict=True) if has],
        )
        for text, intent, occurrences, last_seen, *found in await reader.ask(question)
    ]
