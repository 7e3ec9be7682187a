"""What shoppers wanted and didn't get, and why."""

import msgspec

from aura_analytics.projection import Question
from aura_analytics.projection.meanings import REASONS
from aura_analytics.stats.reader import Reader
from aura_analytics.stats.said import Aggregate, said
from aura_analytics.stats.scope import Scope

MEASURES: dict[str, Aggregate] = {
    "missed": "sum",
    "last_missed": "max",
    **{f"for_{reason}": "sum" for reason in REASONS},
}

# The unanswered queries by text and intent, with every reason that any of them has.
UNANSWERED = f"""
SELECT query_text, intent, missed, last_missed, {", ".join(f"for_{reason} > 0" for reason in REASONS)} FROM ({{said}})
ORDER BY missed DESC, last_missed DESC, query_text, intent NULLS FIRST
LIMIT $limit
"""


class UnansweredQuery(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A text that wasn't answered. `last_seen` is epoch milliseconds."""

    query_text: str
    intent: str | None
    occurrences: int
    last_seen: int
    reasons: list[str]


async def unanswered(reader: Reader, scope: Scope, limit: int, *, normalize: bool = False) -> list[UnansweredQuery]:
    """List the unanswered queries, the most frequent first, the latest first among equals.

    With `normalize`, all spellings of a text are one.
    """
    sql = UNANSWERED.replace("{said}", said(MEASURES, weight="missed", normalize=normalize, among="missed > 0"))
    question = Question(sql=sql, parameters={"limit": limit}, about=scope, answered_until=reader.answered_until)
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
