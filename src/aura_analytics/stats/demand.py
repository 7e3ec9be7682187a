"""What shoppers asked for and didn't get: topics of unanswered queries, with what they may have cost."""

import asyncio
import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from aura_analytics.errors import ExtraMissing, SettingsError
from aura_analytics.projection import Question
from aura_analytics.projection.meanings import IS_UNANSWERED, REASONS
from aura_analytics.projection.spelling import folded
from aura_analytics.stats.conversions import owed
from aura_analytics.stats.reader import Reader
from aura_analytics.stats.scope import Scope
from aura_analytics.stats.topics import Said, Topic, topics

# Texts that are gathered into topics, the most frequent ones; beyond, each says next to nothing.
MOST_TEXTS = 20_000
MOST_STORES = 5
MOST_EXAMPLES = 5
MONEY_DIGITS = 2

# What wasn't answered, by text and intent, and why; each beside how often anything wasn't.
MISSED = f"""
SELECT (sum(sum(missed)) OVER ())::BIGINT, query_text, intent, sum(missed)::BIGINT AS missed,
       {", ".join(f"sum(for_{reason})::BIGINT" for reason in REASONS)}
FROM {{texts}} WHERE missed > 0
GROUP BY query_text, intent ORDER BY missed DESC, query_text, intent NULLS FIRST LIMIT {MOST_TEXTS}
"""
# From when to when there is anything.
EXTENT = "SELECT min(created_at), max(created_at) FROM {rows}"
# Where the texts of each topic weren't answered, in the first half of the window and in the second.
PLACES = f"""
SELECT topic, store_id, count(*) FILTER (WHERE created_at < $middle), count(*) FILTER (WHERE created_at >= $middle)
FROM {{rows}} JOIN (SELECT unnest($texts::VARCHAR[]) AS said, unnest($topics::INTEGER[]) AS topic) ON said = query_text
WHERE {IS_UNANSWERED}
GROUP BY topic, store_id
"""
# How many queries of each intent were answered.
ANSWERED = "SELECT intent, sum(queries - missed)::BIGINT FROM {texts} GROUP BY intent"
# What those led to, by intent and currency. Few queries led to anything: by their moments all others are passed over.
EARNED = f"""
WITH owed AS MATERIALIZED ({{owed}})
SELECT intent, currency, fsum(value) FROM owed
WHERE value IS NOT NULL AND query_id IN (
    SELECT id FROM {{rows}} WHERE created_at IN (SELECT query_at FROM owed) AND NOT {IS_UNANSWERED}
)
GROUP BY intent, currency
"""
ANY_CONVERSION = "SELECT count(*) > 0 FROM ({owed})"


class StoreCount(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A store, and how often it was asked there."""

    store_id: str
    count: int


class Spelling(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A text, all spellings in one, and how often it was said."""

    query_text: str
    count: int


class Money(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """An amount; `currency` is None where conversions named none."""

    currency: str | None
    value: float


class DemandTopic(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What unanswered queries have in common.

    `volume` counts queries, `texts` their different texts, all spellings in one. `earlier` and `later` count them in the
    two halves of the window; `trend` is the change from one to the other: 0.5 is half as many again, None where there
    were none before. `stores` are those where it was asked most.

    `money_at_stake` is what these queries would have brought had they done as the answered ones of their intents did: for
    each intent the queries missed, times the share of answered queries that led to a conversion, times the average value
    of those conversions; that is, times the value that the conversions brought for each answered query. It is added up by
    currency, and None where the window knows no conversion at all.
    """

    name: str
    volume: int
    texts: int
    earlier: int
    later: int
    trend: float | None
    stores: list[StoreCount]
    reasons: dict[str, int]
    examples: list[Spelling]
    money_at_stake: list[Money] | None


class Demand(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Missed demand: `unanswered` counts all queries that weren't answered, `topics` are the most voluminous first."""

    store_id: str
    period: str
    unanswered: int
    topics: list[DemandTopic]


class Missed(msgspec.Struct, frozen=True):
    """How often a text of an intent wasn't answered; `reasons` are counted in the order of `REASONS`."""

    text: str
    intent: str | None
    count: int
    reasons: Sequence[int]


# What each answered query of an intent brought, by currency.
Worth = Mapping[str | None, Mapping[str | None, float]]
# Where a topic wasn't answered, each store with how often in the first and in the second half of the window.
Places = list[tuple[str, int, int]]


async def demand(reader: Reader, scope: Scope, *, limit: int) -> Demand:
    """Gather what wasn't answered into topics, and tell the first of them.

    Raises:
        ExtraMissing: the libraries aren't installed that texts are compared with.
    """
    rows, [(first, last)] = await asyncio.gather(_missed(reader, scope), reader.ask(_question(EXTENT, reader, scope)))
    missed = [Missed(text, intent, count, why) for _, text, intent, count, *why in rows]
    if not missed:
        return Demand(store_id=scope.store_id, period=scope.period, unanswered=0, topics=[])
    # The one is a matter of this process, the other of the columns'.
    gathered, worth = await asyncio.gather(_gathered(missed), _worth(reader, scope))
    found = gathered[:limit]
    places = await _places(reader, scope, found, _middle(scope, first, last, reader.now)) if found else []
    by_text = defaultdict(list)
    for one in missed:
        by_text[one.text].append(one)
    return Demand(
        store_id=scope.store_id,
        period=scope.period,
        unanswered=rows[0][0],
        topics=[_told(topic, by_text, of_topic, worth) for topic, of_topic in zip(found, places, strict=True)],
    )


def _middle(scope: Scope, first: int, last: int, now: int) -> int:
    """Give the moment that halves a window, or, where it is open at both ends, what lies in it."""
    low = first if scope.start is None else scope.start
    high = scope.end if scope.end is not None else last if scope.start is None else max(last, now)
    return (low + high + 1) // 2


async def _missed(reader: Reader, scope: Scope) -> list[Any]:  # Any: what a cell can be
    return await reader.ask(_question(MISSED, reader, scope))


async def _gathered(missed: Iterable[Missed]) -> list[Topic]:
    """Gather texts in a thread: it takes seconds where there are many."""
    try:
        return await asyncio.to_thread(topics, [Said(one.text, one.count) for one in missed])
    except SettingsError as error:
        raise ExtraMissing(str(error)) from error


async def _places(reader: Reader, scope: Scope, found: Sequence[Topic], middle: int) -> list[Places]:
    """Tell where each topic wasn't answered."""
    said = [(one.text, number) for number, topic in enumerate(found) for one in topic.members]
    texts, numbers = [text for text, _ in said], [number for _, number in said]
    question = _question(PLACES, reader, scope, {"texts": texts, "topics": numbers, "middle": middle})
    places: list[Places] = [[] for _ in found]
    for number, *place in await reader.ask(question):
        places[number].append(tuple(place))
    return places


async def _worth(reader: Reader, scope: Scope) -> Worth | None:
    """Tell what an answered query of each intent brought; None where there is no conversion."""
    attributions = owed(scope)
    [(any_conversion,)] = await reader.ask(_question(ANY_CONVERSION.replace("{owed}", attributions), reader, scope))
    if not any_conversion:
        return None
    answered = dict(await reader.ask(_question(ANSWERED, reader, scope)))
    worth: dict[str | None, dict[str | None, float]] = defaultdict(dict)
    for intent, currency, value in await reader.ask(_question(EARNED.replace("{owed}", attributions), reader, scope)):
        if answered.get(intent):
            worth[intent][currency] = value / answered[intent]
    return worth


def _told(topic: Topic, by_text: Mapping[str, Sequence[Missed]], places: Places, worth: Worth | None) -> DemandTopic:
    members = [one for said in topic.members for one in by_text[said.text]]
    stores = Counter({store: earlier + later for store, earlier, later in places})
    first, second = sum(one for _, one, _ in places), sum(one for _, _, one in places)
    spellings = _spellings(topic.members)
    return DemandTopic(
        name=topic.name,
        volume=topic.volume,
        texts=len(spellings),
        earlier=first,
        later=second,
        trend=round(second / first - 1, 4) if first else None,
        stores=[StoreCount(store_id=store, count=count) for store, count in _most(stores)[:MOST_STORES]],
        reasons=_reasons(members),
        examples=spellings[:MOST_EXAMPLES],
        money_at_stake=None if worth is None else _at_stake(members, worth),
    )


def _spellings(members: Iterable[Said]) -> list[Spelling]:
    """Gather spellings, each shown by its most frequent one; `members` come the most frequent first."""
    shown: dict[str, str] = {}
    counts: Counter[str] = Counter()
    for one in members:
        counts[shown.setdefault(folded(one.text), one.text)] += one.count
    return [Spelling(query_text=text, count=count) for text, count in _most(counts)]


def _reasons(members: Sequence[Missed]) -> dict[str, int]:
    sums = [sum(counts) for counts in zip(*(one.reasons for one in members), strict=True)]
    return {reason: count for reason, count in zip(REASONS, sums, strict=True) if count}


def _at_stake(members: Iterable[Missed], worth: Worth) -> list[Money]:
    amounts: dict[str | None, list[float]] = defaultdict(list)
    for one in members:
        for currency, value in worth.get(one.intent, {}).items():
            amounts[currency].append(one.count * value)
    sums = {currency: round(math.fsum(of_currency), MONEY_DIGITS) for currency, of_currency in amounts.items()}
    return [
        Money(currency=currency, value=value)
        for currency, value in sorted(sums.items(), key=lambda item: (item[0] is None, item[0] or ""))
    ]


def _most(counts: Counter[str]) -> list[tuple[str, int]]:
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))


def _question(sql: str, reader: Reader, scope: Scope, parameters: dict[str, Any] | None = None) -> Question:
    return Question(sql=sql, parameters=parameters or {}, about=scope, answered_until=reader.answered_until)
