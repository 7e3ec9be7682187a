"""What shoppers wanted and didn't get, and why."""

import msgspec

from aura_analytics.stats.reader import Reader
from aura_analytics.stats.scope import WHERE, Scope

SLOW_MS = 8_000

# Why an interaction counts as unanswered: the reason, and its condition on a row.
REASONS = {
    "error": "coalesce(error_flag, false)",
    "action_failed": "coalesce(NOT action_success, false)",
    "bad_quality": "coalesce(label = 'BAD', false)",
    "needs_review": "coalesce(label = 'REVIEW', false)",
    "slow_response": f"coalesce(latency_ms > {SLOW_MS}, false)",
    "no_response": "NOT has_outcome AND created_at <= $answered_until",
}

IS_UNANSWERED = " OR ".join(f"({condition})" for condition in REASONS.values())
# A slow answer is an answer: the rate leaves it out.
IS_UNANSWERED_FOR_RATE = " OR ".join(f"({REASONS[reason]})" for reason in REASONS if reason != "slow_response")

# The unanswered queries by text and intent, with every reason that any of them has.
UNANSWERED = f"""
SELECT query_text, intent, count(*) AS occurrences, max(created_at) AS last_seen,
       {", ".join(f"bool_or({condition})" for condition in REASONS.values())}
FROM interactions
WHERE {WHERE} AND ({IS_UNANSWERED})
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


def answered_until(reader: Reader) -> int:
    """Give the moment before which a query without an outcome won't get one any more."""
    return reader.now - reader.grace_ms


async def unanswered(reader: Reader, scope: Scope, limit: int) -> list[UnansweredQuery]:
    """List the unanswered queries, the most frequent first, the latest first among equals."""
    parameters = scope.parameters | {"answered_until": answered_until(reader), "limit": limit}
    return [
        UnansweredQuery(
            query_text=text,
            intent=intent,
            occurrences=occurrences,
            last_seen=last_seen,
            reasons=[reason for reason, has in zip(REASONS, found, strict=True) if has],
        )
        for text, intent, occurrences, last_seen, *found in await reader.ask(UNANSWERED, parameters)
    ]
