"""One interaction with all that belongs to it: its records whole, its verdict, the verdicts before, what was bought."""

import pytest

from aura_analytics.events.records import InteractionDetails, Label, Verdict
from aura_analytics.store import Store
from contract.making import GRACE_MS, LEASE_MS, NOW, conversion, outcome, query, verdict
from contract.test_append import FULL_OUTCOME, FULL_QUERY

COST = {
    "rubric": "default:1f",
    "tokens_prompt": 812,
    "tokens_completion": 64,
    "cost_usd": 0.00031,
    "duration_ms": 740.5,
}


async def details_of(store: Store, id: str = "a") -> InteractionDetails:
    found = await store.interaction(id)
    assert found is not None
    return found


async def judge(store: Store, label: Label, **fields: object) -> Verdict:
    """Give the one interaction that is due a verdict, whether it is kept or not."""
    [claim] = await store.claim_due(10, now=NOW + GRACE_MS, lease_ms=LEASE_MS)
    given = verdict(claim.query_id, label, **fields)
    await store.settle([(claim, given)])
    return given


async def again(store: Store, label: Label, **fields: object) -> Verdict:
    """Judge it once more: an outcome that comes late makes it due, and only the first one does."""
    await store.append([outcome("a")])
    return await judge(store, label, **fields)


async def test_one_that_is_not_there_is_none(store: Store) -> None:
    await store.append([outcome("a"), conversion("c"), query("b")])
    assert await store.interaction("a") is None
    assert await store.interaction("nobody") is None


async def test_a_query_alone_has_nothing_else(store: Store) -> None:
    await store.append([query("a")])
    assert await details_of(store) == InteractionDetails(
        query=query("a"), outcome=None, verdict=None, history=[], conversions=[]
    )


async def test_every_field_comes_back_as_it_was(store: Store) -> None:
    asked = query("a", received_at=NOW + 1, **FULL_QUERY)
    done = outcome("a", occurred_at=NOW + 2, received_at=NOW + 3, **FULL_OUTCOME)
    bought = [conversion("late", occurred_at=NOW + 5), conversion("early", value=1.5, occurred_at=NOW + 4)]
    await store.append([asked, done, *bought, query("b"), outcome("b"), conversion("other", query_id="b")])
    claims = await store.claim_due(10, now=NOW, lease_ms=LEASE_MS)
    given = {
        id: verdict(id, "REVIEW", evaluated_at=NOW + 9, evaluated_by="human", method="Ada", explanation="…")
        for id in ("a", "b")
    }
    await store.settle([(claim, given[claim.query_id]) for claim in claims])

    assert await details_of(store) == InteractionDetails(
        query=asked, outcome=done, verdict=given["a"], history=[], conversions=bought[::-1]
    )


async def test_a_verdict_that_gives_way_stays_in_the_history(store: Store) -> None:
    await store.append([query("a")])
    first = await judge(store, "BAD", evaluated_at=NOW, explanation="nothing came")
    second = await again(store, "GOOD", evaluated_at=NOW + 1)
    found = await details_of(store)
    assert (found.verdict, found.history) == (second, [first])


@pytest.mark.parametrize(
    ("fields", "kept"),
    [
        ({}, 0),
        ({"confidence": 0.1, "evaluated_at": NOW + 1, "explanation": "in other words"}, 0),
        ({"reason": "another"}, 1),
        ({"method": "a model"}, 1),
        ({"evaluated_by": "human"}, 1),
        ({"rubric": "default:1"}, 1),
        ({"tokens_prompt": 7, "tokens_completion": 3, "cost_usd": 0.5, "duration_ms": 1.5}, 0),
    ],
)
async def test_one_that_says_the_same_is_not_repeated(store: Store, fields: dict[str, object], kept: int) -> None:
    await store.append([query("a")])
    first = await judge(store, "GOOD")
    second = await again(store, "GOOD", **fields)
    found = await details_of(store)
    assert (found.verdict, found.history) == (second, [first] * kept)


async def test_an_automatic_one_stays_in_the_history_where_a_persons_stands(store: Store) -> None:
    await store.append([query("a")])
    first = await judge(store, "GOOD", evaluated_by="human")
    second = await again(store, "BAD", **COST)
    found = await details_of(store)
    assert (found.verdict, found.history) == (first, [second])


async def test_what_a_label_took_is_kept_and_goes_into_the_history_with_it(store: Store) -> None:
    await store.append([query("a")])
    first = await judge(store, "GOOD", method="a model", **COST)
    assert (await details_of(store)).verdict == first
    assert await store.verdicts(["a"]) == await store.automatic_verdicts(["a"]) == [first]
    second = await again(store, "BAD", evaluated_by="human")
    found = await details_of(store)
    assert (found.verdict, found.history) == (second, [first])
    assert await store.automatic_verdicts(["a"]) == [first]


async def test_a_claim_that_is_lost_is_no_history(store: Store) -> None:
    await store.append([query("a")])
    first = await judge(store, "GOOD")
    await store.append([outcome("a")])
    [lost] = await store.claim_due(1, now=NOW, lease_ms=LEASE_MS)
    await store.release([lost], now=NOW)
    assert await store.settle([(lost, verdict("a", "BAD"))]) == 0
    found = await details_of(store)
    assert (found.verdict, found.history) == (first, [])


async def test_the_verdicts_of_several_are_those_that_stand(store: Store) -> None:
    await store.append([query("a")])
    await judge(store, "BAD")
    second = await again(store, "GOOD", method="a model", explanation="it fits")
    await store.append([query("b")])
    other = await judge(store, "REVIEW", evaluated_by="human", method="Ada")
    await store.append([query("waits")])

    found = await store.verdicts(["a", "b", "waits", "nobody", "a"])

    assert sorted(found, key=lambda one: one.query_id) == [second, other]
    assert await store.verdicts([]) == []
