"""What shoppers asked for in vain: each topic's figures are those of a plain count over its texts."""

import math
from collections import Counter, defaultdict
from typing import Any

import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from aura_analytics.errors import ExtraMissing, SettingsError
from aura_analytics.projection.spelling import folded
from aura_analytics.stats import demand as of_demand
from aura_analytics.stats.demand import DemandTopic, Money, demand
from aura_analytics.stats.scope import Scope
from aura_analytics.stats.topics import Said, Topic, topics
from aura_analytics.stats.vocabulary import synonyms, terms
from contract.making import NOW, conversion, conversion_row
from trying import tried
from unit.stats.held import SETTLED, Held, Row, Settled, filters, histories, reasons, windows, within

ALL = 1_000
HOUR_MS = 3_600_000

purchases = st.lists(
    st.tuples(
        st.integers(0, 24), st.sampled_from([None, 0.1, 12.5]), st.sampled_from([None, "EUR", "USD"])
    ),
    max_size=12,
)  # fmt: skip


def said(id: str, text: str, **fields: Any) -> Row:
    """An interaction that wasn't answered, unless `fields` say something else."""
    whole = {
        "store_id": "a",
        "created_at": NOW - HOUR_MS,
        "intent": "find",
        "has_outcome": True,
        "action_success": False,
    }
    return {"id": id, "query_text": text, **whole, **fields}


class Counted:
    """The plain count over the interactions of a scope."""

    def __init__(self, rows: list[Row], purchases: list[tuple[Row, float | None, str | None]]) -> None:
        self.missed = [row for row in rows if reasons(row)]
        self.answered = Counter(row["intent"] for row in rows if not reasons(row))
        self.purchases = [(row, value, currency) for row, value, currency in purchases if row in rows]

    def topics(self) -> list[Topic]:
        return topics(Said(text, count) for text, count in Counter(row["query_text"] for row in self.missed).items())

    def of(self, topic: Topic) -> list[Row]:
        texts = {one.text for one in topic.members}
        return [row for row in self.missed if row["query_text"] in texts]

    def worth(self, rows: list[Row]) -> dict[str | None, float]:
        """What they would have brought had they done as the answered ones of their intents."""
        amounts: dict[str | None, list[float]] = defaultdict(list)
        for intent, number in Counter(row["intent"] for row in rows).items():
            for bought_after, value, currency in self.purchases:
                if value is not None and bought_after["intent"] == intent and not reasons(bought_after):
                    amounts[currency].append(number * value / self.answered[intent])
        return {currency: math.fsum(found) for currency, found in amounts.items()}


def assert_told(found: DemandTopic, topic: Topic, counted: Counted, middle: int) -> None:
    """Compare what is told of a topic with the plain count."""
    rows = counted.of(topic)
    assert (found.name, found.volume) == (topic.name, len(rows))
    assert found.texts == len({folded(row["query_text"]) for row in rows})
    assert found.earlier == sum(row["created_at"] < middle for row in rows)
    assert found.later == len(rows) - found.earlier
    assert found.trend == (pytest.approx(found.later / found.earlier - 1, abs=1e-4) if found.earlier else None)
    assert {one.store_id: one.count for one in found.stores} == Counter(row["store_id"] for row in rows)
    assert found.reasons == Counter(reason for row in rows for reason in reasons(row))
    assert sum(one.count for one in found.examples) <= len(rows)
    if not counted.purchases:
        assert found.money_at_stake is None
    else:
        at_stake = {one.currency: one.value for one in found.money_at_stake or []}
        assert at_stake == pytest.approx(counted.worth(rows), abs=0.005 + 1e-9)


def middle_of(scope: Scope, rows: list[Row]) -> int:
    moments: list[int] = [row["created_at"] for row in rows]
    low = min(moments) if scope.start is None else scope.start
    if scope.end is not None:
        return (low + scope.end + 1) // 2
    return (low + (max(moments) if scope.start is None else max(*moments, NOW)) + 1) // 2


@tried(8)
@given(
    rows=histories(),
    bought=purchases,
    settled=st.sampled_from(SETTLED),
    window=st.just([None, None]) | windows,
    among=st.just({}) | filters,
)
async def test_every_figure_is_that_of_a_plain_count(
    rows: list[Row],
    bought: list[tuple[int, float | None, str | None]],
    settled: Settled,
    window: list[int | None],
    among: dict[str, Any],
) -> None:
    scope = Scope(start=window[0], end=window[1], **among)
    owned = [(rows[place], value, currency) for place, value, currency in bought if place < len(rows)]
    lines = [
        conversion_row(conversion(f"c{n}", query_id=row["id"], value=value, currency=currency))
        for n, (row, value, currency) in enumerate(owned)
    ]
    with Held() as held:
        held.fill(rows, lines).settle(settled)
        answer = await demand(held, scope, limit=ALL)
        first = await demand(held, scope, limit=1)
    inside = [row for row in rows if within(row, scope)]
    counted = Counted(inside, owned)
    expected = counted.topics()
    event(f"topics: {min(len(expected), 3)}")
    assert answer.unanswered == len(counted.missed)
    assert len(answer.topics) == len(expected)
    for found, topic in zip(answer.topics, expected, strict=True):
        assert_told(found, topic, counted, middle_of(scope, inside))
    assert first.topics == answer.topics[:1]


async def test_what_is_at_stake_is_what_answered_queries_of_the_intent_brought() -> None:
    rows = [
        said("1", "oat milk", store_id="b"),
        said("2", "oat milk please"),
        said("3", "Oat milk!"),
        *(said(f"good {n}", f"bread {n}", action_success=True) for n in range(4)),
    ]
    bought = [conversion(f"c{n}", query_id=f"good {n}", value=10, currency="EUR") for n in range(2)]
    with Held() as held:
        held.fill(rows, [conversion_row(one) for one in bought])
        answer = await demand(held, Scope(), limit=20)
    [topic] = answer.topics
    # Three queries, of which one in two would have led to a conversion, of 10 EUR on average.
    assert topic.money_at_stake == [Money(currency="EUR", value=15.0)]
    assert (topic.volume, topic.texts) == (3, 2)
    assert [(one.store_id, one.count) for one in topic.stores] == [("a", 2), ("b", 1)]
    assert [(one.query_text, one.count) for one in topic.examples] == [("Oat milk!", 2), ("oat milk please", 1)]


async def test_nothing_asked_is_no_topic() -> None:
    with Held() as held:
        answer = await demand(held.fill([]), Scope(), limit=20)
    assert (answer.unanswered, answer.topics) == (0, [])


async def test_without_the_libraries_it_says_how_to_get_them(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(_: object) -> list[Topic]:
        raise SettingsError("topics need the extra `topics`")

    monkeypatch.setattr(of_demand, "topics", missing)
    with Held() as held, pytest.raises(ExtraMissing, match="the extra `topics`"):
        await demand(held.fill([said("1", "oat milk")]), Scope(), limit=20)


async def test_words_of_unanswered_queries_stand_out_and_stand_in_for_known_ones() -> None:
    answered = [said(f"a{n}", "do you have red shoes", action_success=True) for n in range(60)]
    rows = [*answered, *(said(f"u{n}", "do you have red trainers") for n in range(12))]
    with Held() as held:
        held.fill(rows)
        found = await terms(held, Scope(), limit=1)
        swapped = await synonyms(held, Scope(), limit=5)
        none = await terms(held, Scope(stores=("nobody",)), limit=5)
    assert [(one.term, one.count) for one in found] == [("red trainers", 12)]
    assert [(one.said, one.known, one.count) for one in swapped] == [("trainers", "shoes", 12)]
    assert none == []
