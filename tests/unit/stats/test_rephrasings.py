"""What was said again is what a plain look at each session's turns finds, however much of it is settled."""

from collections import Counter, defaultdict
from typing import Any

from hypothesis import event, given
from hypothesis import strategies as st

from aura_analytics.stats.rephrasings import IntentRate, Pair, rephrasings
from aura_analytics.stats.scope import Scope
from contract.making import NOW
from trying import tried
from unit.projection import turns_twin as twin
from unit.stats.held import SETTLED, Held, Row, Settled, filters, histories, turns, windows, within


def pair(turn: Row, count: int = 1) -> Pair:
    """The pair of a turn and the one after it."""
    return Pair(
        id=turn["id"],
        next_id=turn["next_id"],
        store_id=turn["store_id"],
        session_id=turn["session_id"],
        created_at=turn["created_at"],
        gap_ms=turn["next_at"] - turn["created_at"],
        query_text=turn["query_text"],
        next_text=turn["next_text"],
        intent=turn["intent"],
        next_intent=turn["next_intent"],
        count=count,
    )


def rates(found: list[Row], least: int) -> list[IntentRate]:
    """The intents of enough queries, the worst first."""
    by_intent: dict[str | None, list[Row]] = defaultdict(list)
    for turn in found:
        by_intent[turn["intent"]].append(turn)
    listed = []
    for intent, group in by_intent.items():
        rephrased, repeated = (sum(turn[name] for turn in group) for name in ("rephrased", "repeated"))
        if len(group) >= least and rephrased:
            rate = rephrased / len(group)
            listed.append(
                IntentRate(intent=intent, queries=len(group), rephrased=rephrased, repeated=repeated, rate=rate)
            )
    return sorted(listed, key=lambda one: (-one.rate, -one.rephrased, one.intent or ""))


def frequent(again: list[Row]) -> list[Pair]:
    """The pairs of what was said, whatever the spelling, each with the newest that there is."""
    groups: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for turn in again:  # the newest first
        groups[twin.normalised(turn["query_text"]), twin.normalised(turn["next_text"])].append(turn)
    found = [pair(group[0], len(group)) for group in groups.values()]
    return sorted(found, key=lambda one: (one.count, one.created_at, one.id), reverse=True)


@tried(8)
@given(
    rows=histories(),
    settled=st.sampled_from(SETTLED),
    window=windows,
    among=filters,
    limit=st.sampled_from([1, 3, 100]),
    least=st.sampled_from([1, 3]),
)
async def test_every_figure_is_that_of_a_plain_look(
    *, rows: list[Row], settled: Settled, window: list[int | None], among: dict[str, Any], limit: int, least: int
) -> None:
    scope = Scope(start=window[0], end=window[1], **among)
    found = [turn for turn in turns(rows) if within(turn, scope)]
    again = [turn for turn in found if turn["rephrased"]]
    again.sort(key=lambda turn: (turn["created_at"], turn["id"]), reverse=True)
    with Held() as held:
        held.fill(rows).settle(settled)
        answer = await rephrasings(held, scope, limit=limit, least=least)
        often = await rephrasings(held, scope, limit=limit, order="frequent")
    event(f"rephrased: {min(len(again), 3)}")
    counts = Counter({name: sum(turn[name] for turn in found) for name in ("rephrased", "repeated")})
    assert (answer.queries, answer.rephrased, answer.repeated) == (len(found), counts["rephrased"], counts["repeated"])
    assert answer.rate == (counts["rephrased"] / len(found) if found else 0)
    assert answer.repeated_rate == (counts["repeated"] / len(found) if found else 0)
    assert answer.intents == rates(found, least)[:limit]
    assert answer.examples == [pair(turn) for turn in again][:limit]
    assert often.examples == frequent(again)[:limit]


async def test_the_same_wish_in_other_words_is_shown_with_both_sayings() -> None:
    said = [("a", "do you have red shoes", 0), ("b", "show me red sneakers", 4_000), ("c", "gift cards", 9_000)]
    rows = [
        {
            "id": id,
            "store_id": "shop",
            "session_id": "s",
            "created_at": NOW + later,
            "query_text": text,
            "intent": "find",
            "has_outcome": False,
        }
        for id, text, later in said
    ]
    with Held() as held:
        answer = await rephrasings(held.fill(rows), Scope(), limit=20)
    assert [(one.id, one.next_id, one.query_text, one.next_text, one.gap_ms) for one in answer.examples] == [
        ("a", "b", "do you have red shoes", "show me red sneakers", 4_000)
    ]
    assert answer.rate == 1 / 3
    assert answer.intents == []  # three queries say little about an intent
