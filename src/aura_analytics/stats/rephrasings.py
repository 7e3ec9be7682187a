"""How often shoppers had to say it again in other words, and what they said first and then."""

from typing import Any, Literal, get_args

import msgspec

from aura_analytics.projection import Question
from aura_analytics.projection.measures import merged
from aura_analytics.projection.turns import normalised
from aura_analytics.stats.newest import newest
from aura_analytics.stats.reader import Reader
from aura_analytics.stats.scope import Scope

Examples = Literal["newest", "frequent"]

EXAMPLES: tuple[Examples, ...] = get_args(Examples)
# Of fewer queries, a rate says little.
LEAST_QUERIES = 20

MEASURES = ("queries", "rephrased", "repeated")

# How often queries were said again, by intent.
BY_INTENT = f"""
SELECT intent, {", ".join(merged(measure) for measure in MEASURES)} FROM {{cells}} GROUP BY intent ORDER BY intent
"""

_PAIR = (
    "id, next_id, store_id, session_id, created_at, next_at - created_at, query_text, next_text, intent, next_intent"
)

# The newest queries that were said again in other words.
NEWEST = f"SELECT {_PAIR}, 1 FROM {{turns}} WHERE rephrased ORDER BY created_at DESC, id DESC LIMIT $limit"

# The same, but spellings of the same two texts gathered, the most frequent first, and the newest of each shown.
FREQUENT = f"""
SELECT {_PAIR}, pairs FROM (
    SELECT *, count(*) OVER same AS pairs, row_number() OVER (same ORDER BY created_at DESC, id DESC) AS place
    FROM (SELECT *, {normalised("query_text")} AS said, {normalised("next_text")} AS said_then FROM {{turns}} WHERE rephrased)
    WINDOW same AS (PARTITION BY said, said_then)
) WHERE place = 1 ORDER BY pairs DESC, created_at DESC, id DESC LIMIT $limit
"""


class IntentRate(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """How often the queries of an intent were said again in other words; `rate` is 0…1."""

    intent: str | None
    queries: int
    rephrased: int
    repeated: int
    rate: float


class Pair(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What was said, and what then. `count`: how many such pairs this one stands for."""

    id: str
    next_id: str
    store_id: str
    session_id: str
    created_at: int
    gap_ms: int
    query_text: str
    next_text: str
    intent: str | None
    next_intent: str | None
    count: int


class Rephrasings(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """How often queries were said again: `rephrased` in other words, `repeated` in the same. Rates are 0…1.

    `intents` are those of enough queries that any was rephrased in, the worst first.
    """

    store_id: str
    period: str
    queries: int
    rephrased: int
    repeated: int
    rate: float
    repeated_rate: float
    intents: list[IntentRate]
    examples: list[Pair]


async def rephrasings(
    reader: Reader, scope: Scope, *, limit: int, order: Examples = "newest", least: int = LEAST_QUERIES
) -> Rephrasings:
    """Tell how often queries were said again.

    Args:
        reader: what to ask.
        scope: which interactions.
        limit: how many intents and how many examples.
        order: which examples.
        least: how many queries an intent must have to be listed.
    """
    question = Question(
        sql=BY_INTENT, about=scope, answered_until=reader.answered_until, measures=MEASURES, split="intent"
    )
    intents = [_rate(*row) for row in await reader.ask(question)]
    queries, rephrased, repeated = (sum(getattr(one, name) for one in intents) for name in MEASURES)
    listed = [one for one in intents if one.queries >= least and one.rephrased]
    return Rephrasings(
        store_id=scope.store_id,
        period=scope.period,
        queries=queries,
        rephrased=rephrased,
        repeated=repeated,
        rate=rephrased / queries if queries else 0.0,
        repeated_rate=repeated / queries if queries else 0.0,
        intents=sorted(listed, key=lambda one: (-one.rate, -one.rephrased, one.intent or ""))[:limit],
        examples=await pairs(reader, scope, limit=limit, order=order) if rephrased else [],
    )


async def pairs(reader: Reader, scope: Scope, *, limit: int, order: Examples = "newest") -> list[Pair]:
    """List what was said and then rephrased."""
    sql = NEWEST if order == "newest" else FREQUENT
    question = Question(sql=sql, parameters={"limit": limit}, about=scope, answered_until=reader.answered_until)
    if order == "newest":
        rows = await newest(reader, question, lambda rows: len(rows) == limit)
    else:
        rows = await reader.ask(question)
    return [_pair(row) for row in rows]


def _rate(intent: str | None, queries: int, rephrased: int, repeated: int) -> IntentRate:
    return IntentRate(
        intent=intent,
        queries=queries,
        rephrased=rephrased,
        repeated=repeated,
        rate=rephrased / queries if queries else 0.0,
    )


def _pair(row: Any) -> Pair:  # Any: cells in the order of the fields
    return Pair(**dict(zip(Pair.__struct_fields__, row, strict=True)))
