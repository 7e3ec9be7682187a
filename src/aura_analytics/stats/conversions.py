"""What was bought after the assistant helped. Which interaction a conversion is owed to, `projection.attribution` says."""

import math
from typing import Any

import msgspec

from aura_analytics.projection import Question, Slice
from aura_analytics.projection.measures import merged
from aura_analytics.stats.reader import Reader
from aura_analytics.stats.scope import Scope

# What an attribution knows of its interaction; for other filters the interaction itself is looked at.
KNOWN = frozenset({"stores", "intents", "session", "text"})
VALUE_DIGITS = 9

_WINDOW = "query_at IS NOT NULL AND ($start IS NULL OR query_at >= $start) AND ($end IS NULL OR query_at <= $end)"

# By intent: the queries, the conversions that are owed to them, to how many of them, and their value by currency.
BY_INTENT = f"""
WITH owed AS MATERIALIZED ({{owed}}),
by_currency AS (
    SELECT intent, currency, count(*) AS conversions, fsum(value) AS value FROM owed
    WHERE value IS NOT NULL GROUP BY intent, currency
)
SELECT asked.intent, queries, coalesce(conversions, 0), coalesce(converted, 0), coalesce(revenue, [])
FROM (SELECT intent, {merged("queries")} AS queries FROM {{cells}} GROUP BY intent) AS asked
LEFT JOIN (SELECT intent, count(*) AS conversions, count(DISTINCT query_id) AS converted FROM owed GROUP BY intent) AS had
    ON had.intent IS NOT DISTINCT FROM asked.intent
LEFT JOIN (
    SELECT intent, list(
        struct_pack(currency := currency, conversions := conversions, value := value) ORDER BY currency NULLS LAST
    ) AS revenue
    FROM by_currency GROUP BY intent
) AS sums ON sums.intent IS NOT DISTINCT FROM asked.intent
ORDER BY conversions DESC NULLS LAST, queries DESC, asked.intent NULLS FIRST
"""

# Conversions that are owed to no interaction; there is no query whose moment counts, so it is their own.
UNATTRIBUTED = """
SELECT count(*) FROM conversions
WHERE id NOT IN (SELECT conversion_id FROM attributions)
  AND ($start IS NULL OR occurred_at >= $start) AND ($end IS NULL OR occurred_at <= $end) AND {among}
"""


class Revenue(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What conversions of one currency were worth together; those without a value are left out."""

    currency: str | None
    value: float
    conversions: int


class IntentConversions(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What the queries of an intent led to. `conversion_rate`: the share of them that a conversion is owed to, 0…1."""

    intent: str | None
    queries: int
    conversions: int
    converted_queries: int
    conversion_rate: float
    revenue: list[Revenue]


class Conversions(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What queries led to. The window is that of the queries, whenever a conversion came.

    `unattributed` counts the conversions of the window and the stores that no query is known for; None where other filters
    are given, which say nothing about them.
    """

    store_id: str
    period: str
    queries: int
    conversions: int
    converted_queries: int
    conversion_rate: float
    revenue: list[Revenue]
    unattributed: int | None
    by_intent: list[IntentConversions]


async def conversions(reader: Reader, scope: Scope) -> Conversions:
    """Tell what queries led to."""
    sql = BY_INTENT.replace("{owed}", owed(scope))
    question = Question(
        sql=sql, about=scope, answered_until=reader.answered_until, measures=("queries",), split="intent"
    )
    intents = [_of_intent(*row) for row in await reader.ask(question)]
    queries = sum(one.queries for one in intents)
    converted = sum(one.converted_queries for one in intents)
    return Conversions(
        store_id=scope.store_id,
        period=scope.period,
        queries=queries,
        conversions=sum(one.conversions for one in intents),
        converted_queries=converted,
        conversion_rate=converted / queries if queries else 0.0,
        revenue=_together(intents),
        unattributed=await _unattributed(reader, scope),
        by_intent=intents,
    )


def converted_queries(about: Slice) -> str:
    """Give the SQL of one number: the queries of a slice that at least one conversion is owed to."""
    if about.filters <= {"stores"}:
        return f"SELECT count(*) FROM converted WHERE {_WINDOW} AND {about.where(window=False)}"
    return f"SELECT count(DISTINCT query_id) FROM ({owed(about)})"


def owed(about: Slice) -> str:
    """Give the SQL of the attributions to the interactions of a slice; the relation `{rows}` may stand in it."""
    if about.filters <= KNOWN:
        return f"SELECT * FROM attributions WHERE {_WINDOW} AND {about.where(window=False)}"
    return "SELECT * FROM attributions WHERE query_id IN (SELECT id FROM {rows})"


def _of_intent(
    intent: str | None, queries: int, conversions: int, converted: int, revenue: list[Any]
) -> IntentConversions:  # Any: what a cell can be
    return IntentConversions(
        intent=intent,
        queries=queries,
        conversions=conversions,
        converted_queries=converted,
        conversion_rate=converted / queries if queries else 0.0,
        revenue=[Revenue(**one | {"value": round(one["value"], VALUE_DIGITS)}) for one in revenue],
    )


def _together(intents: list[IntentConversions]) -> list[Revenue]:
    """Add up the revenue of all intents."""
    found: dict[str | None, list[Revenue]] = {}
    for one in intents:
        for revenue in one.revenue:
            found.setdefault(revenue.currency, []).append(revenue)
    return [
        Revenue(
            currency=currency,
            conversions=sum(one.conversions for one in of_currency),
            value=round(math.fsum(one.value for one in of_currency), VALUE_DIGITS),
        )
        for currency, of_currency in sorted(found.items(), key=lambda item: (item[0] is None, item[0] or ""))
    ]


async def _unattributed(reader: Reader, scope: Scope) -> int | None:
    if not scope.filters <= {"stores"}:
        return None
    among = scope.where(window=False)
    [(number,)] = await reader.ask(Question(sql=UNATTRIBUTED.replace("{among}", among), about=scope))
    return int(number)
