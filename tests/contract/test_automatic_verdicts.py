"""The last automatic verdict of an interaction, whether it stands or a person's took its place."""

from aura_analytics.events.records import Label, Verdict
from aura_analytics.store import Store
from contract.making import GRACE_MS, LEASE_MS, NOW, outcome, query, verdict


async def judge(store: Store, label: Label, **fields: object) -> Verdict:
    """Give the one interaction that is due a verdict."""
    [claim] = await store.claim_due(10, now=NOW + GRACE_MS, lease_ms=LEASE_MS)
    given = verdict(claim.query_id, label, **fields)
    await store.settle([(claim, given)])
    return given


async def test_one_that_stands_is_given(store: Store) -> None:
    await store.append([query("a")])
    given = await judge(store, "BAD", method="a model", explanation="It answered with shoes.")
    assert await store.automatic_verdicts(["a"]) == [given]


async def test_where_a_person_says_otherwise_the_one_before_is_given(store: Store) -> None:
    await store.append([query("a")])
    first = await judge(store, "GOOD")
    await store.append([outcome("a")])
    await judge(store, "BAD", evaluated_by="human", evaluated_at=NOW + 1)
    assert await store.automatic_verdicts(["a"]) == [first]


async def test_of_several_the_last_is_given(store: Store) -> None:
    await store.append([query("a")])
    await judge(store, "GOOD", evaluated_at=NOW)
    await store.append([outcome("a")])
    last = await judge(store, "REVIEW", evaluated_at=NOW + 1)
    assert await store.automatic_verdicts(["a"]) == [last]


async def test_without_an_automatic_one_there_is_none(store: Store) -> None:
    await store.append([query("a"), query("b")])
    claims = await store.claim_due(10, now=NOW + GRACE_MS, lease_ms=LEASE_MS)
    [of_a] = [claim for claim in claims if claim.query_id == "a"]
    await store.settle([(of_a, verdict("a", evaluated_by="human"))])
    assert await store.automatic_verdicts(["a", "b", "nobody"]) == []
    assert await store.automatic_verdicts([]) == []


async def test_only_those_that_are_named_are_given(store: Store) -> None:
    await store.append([query("a"), query("b"), query("c")])
    claims = await store.claim_due(10, now=NOW + GRACE_MS, lease_ms=LEASE_MS)
    await store.settle([(claim, verdict(claim.query_id)) for claim in claims])
    found = await store.automatic_verdicts(["c", "a", "a"])
    assert sorted(one.query_id for one in found) == ["a", "c"]
