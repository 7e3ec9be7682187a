"""People's labels, and who looks at what."""

import asyncio

from aura_analytics.store import Store
from aura_analytics.store.undoing import TakenBack
from contract.following import settled
from contract.making import GRACE_MS, LATER, LEASE_MS, NOW, by_id, outcome, query, verdict
from contract.test_interaction import judge

UNTIL = NOW + 600_000


async def leased(store: Store, ids: str, reviewer: str, limit: int = 10, now: int = NOW) -> list[str]:
    """What a person gets of these."""
    return await store.lease_reviews(list(ids), reviewer=reviewer, limit=limit, now=now, until=now + UNTIL - NOW)


async def test_a_persons_label_takes_the_place_of_an_automatic_one(store: Store) -> None:
    await store.append([query("a")])
    before = await judge(store, "BAD", method="a model", rubric="default:1")
    await settled(store)
    point = await store.feed_head()
    given = verdict("a", "GOOD", evaluated_by="human", method="Ada", explanation="It is right.", evaluated_at=NOW + 1)
    assert await store.review(given)
    found = await store.interaction("a")
    assert found is not None
    assert (found.verdict, found.history) == (given, [before])
    assert by_id(await store.wide_rows(["a"]))["a"]["label"] == "GOOD"
    await settled(store)
    assert (await store.changes(point, 10)).query_ids == ["a"]


async def test_a_label_by_the_same_person_again_is_kept_as_any_other(store: Store) -> None:
    await store.append([query("a")])
    first = verdict("a", "BAD", evaluated_by="human", method="Ada")
    second = verdict("a", "GOOD", evaluated_by="human", method="Ada", evaluated_at=NOW + 1)
    assert [await store.review(first), await store.review(second), await store.review(second)] == [True] * 3
    found = await store.interaction("a")
    assert found is not None
    assert (found.verdict, found.history) == (second, [first])


async def test_what_nobody_asked_cannot_be_labelled(store: Store) -> None:
    await store.append([outcome("a")])
    head = await store.feed_head()
    assert not await store.review(verdict("a", evaluated_by="human"))
    assert not await store.review(verdict("nobody", evaluated_by="human"))
    assert await store.verdicts(["a", "nobody"]) == []
    assert await store.feed_head() == head


async def test_work_that_waits_goes_on_beside_a_persons_label(store: Store) -> None:
    await store.append([query("a")])
    given = verdict("a", "GOOD", evaluated_by="human", method="Ada")
    await store.review(given)
    assert (await store.queue_depth(now=LATER)).due == 1
    [claim] = await store.claim_due(1, now=NOW + GRACE_MS, lease_ms=LEASE_MS)
    judged = verdict("a", "BAD", method="a model")
    assert await store.settle([(claim, judged)]) == 0
    found = await store.interaction("a")
    assert found is not None
    assert (found.verdict, found.history) == (given, [judged])
    assert (await store.queue_depth(now=LATER)).due == 0


async def test_a_review_ends_its_lease(store: Store) -> None:
    await store.append([query("a")])
    assert await leased(store, "ab", "Ada") == ["a", "b"]
    await store.review(verdict("a", evaluated_by="human"))
    assert await store.leased_reviews(now=NOW) == {"b": "Ada"}
    assert await leased(store, "ab", "Bob") == ["a"]


async def test_what_one_person_has_nobody_else_gets(store: Store) -> None:
    assert await leased(store, "cab", "Ada", limit=2) == ["c", "a"]
    assert await leased(store, "cabd", "Bob", limit=9) == ["b", "d"]
    assert await leased(store, "cabd", "Cyd") == []
    assert await store.leased_reviews(now=NOW) == {"a": "Ada", "c": "Ada", "b": "Bob", "d": "Bob"}


async def test_the_same_person_keeps_what_it_has(store: Store) -> None:
    assert await leased(store, "ab", "Ada") == ["a", "b"]
    assert await leased(store, "abc", "Ada", limit=2, now=NOW + 1) == ["a", "b"]
    assert await store.leased_reviews(now=UNTIL) == {"a": "Ada", "b": "Ada"}


async def test_a_lease_that_is_over_is_anybodys(store: Store) -> None:
    await leased(store, "a", "Ada")
    assert await leased(store, "a", "Bob", now=UNTIL - 1) == []
    assert await store.leased_reviews(now=UNTIL) == {}
    assert await leased(store, "a", "Bob", now=UNTIL) == ["a"]
    assert await store.leased_reviews(now=UNTIL) == {"a": "Bob"}


async def test_nothing_is_leased_of_nothing(store: Store) -> None:
    assert await leased(store, "", "Ada") == []
    assert await leased(store, "a", "Ada", limit=0) == []
    assert await leased(store, "aab", "Ada") == ["a", "b"]


async def test_two_servers_never_lease_the_same_to_two_people(store: Store, other_store: Store) -> None:
    ids = [f"q{n:03}" for n in range(60)]
    asking = [
        side.lease_reviews(ids, reviewer=f"{n}", limit=3, now=NOW, until=UNTIL)
        for n, side in enumerate([store, other_store] * 10)
    ]
    given = await asyncio.gather(*asking)
    assert sorted(id for part in given for id in part) == ids
    assert {len(part) for part in given} == {3}
    held = await store.leased_reviews(now=NOW)
    assert held == {id: f"{n}" for n, part in enumerate(given) for id in part}


async def test_a_label_that_is_taken_back_lets_the_one_before_stand_again(store: Store) -> None:
    await store.append([query("a")])
    before = await judge(store, "BAD", method="a model", rubric="default:1")
    first = verdict("a", "GOOD", evaluated_by="human", method="Ada", evaluated_at=NOW + 1)
    second = verdict("a", "REVIEW", evaluated_by="human", method="Bo", evaluated_at=NOW + 2)
    await store.review(first)
    await store.review(second)
    await settled(store)
    point = await store.feed_head()
    assert await store.take_back("a", given_at=NOW + 1, now=LATER) is None
    assert await store.take_back("a", given_at=NOW + 2, now=LATER) == TakenBack(first)
    assert await store.take_back("a", given_at=None, now=LATER) == TakenBack(before)
    assert await store.take_back("a", given_at=None, now=LATER) is None
    found = await store.interaction("a")
    assert found is not None
    assert (found.verdict, found.history) == (before, [])
    assert by_id(await store.wide_rows(["a"]))["a"]["label"] == "BAD"
    assert (await store.queue_depth(now=LATER)).due == 0
    await settled(store)
    assert (await store.changes(point, 10)).query_ids == ["a"]


async def test_an_only_label_that_is_taken_back_leaves_the_interaction_waiting_for_one(store: Store) -> None:
    await store.append([query("a")])
    [claim] = await store.claim_due(1, now=NOW + GRACE_MS, lease_ms=LEASE_MS)
    await store.leave([claim])
    await store.review(verdict("a", "GOOD", evaluated_by="human", method="Ada"))
    assert await store.take_back("a", given_at=None, now=LATER) == TakenBack(None)
    assert await store.verdicts(["a"]) == []
    assert [one.query_id for one in await store.claim_due(1, now=LATER, lease_ms=LEASE_MS)] == ["a"]
    assert await store.take_back("nobody\0", given_at=None, now=LATER) is None
