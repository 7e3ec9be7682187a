"""The change feed: what changed after a point, who can go on from where, and what is forgotten."""

import asyncio
import threading
from functools import partial

from aura_analytics.store import Store
from aura_analytics.store.port import FeedPoint
from contract.backends import Backend
from contract.following import MANY, changed, follow, settled
from contract.making import GRACE_MS, LEASE_MS, NOW, Watch, outcome, query, verdicts


async def points(store: Store, count: int) -> list[FeedPoint]:
    """The points after each of some commits of one query."""
    found = []
    for n in range(count):
        await store.append([query(f"p{n}")])
        found.append(await store.feed_head())
    return found


async def test_nothing_has_changed_after_the_head(store: Store) -> None:
    beginning = await store.feed_head()
    assert (await store.changes(beginning, MANY)).query_ids == []
    assert (await store.changes(beginning, MANY)).upto == beginning
    await store.append([query("a")])
    head = await settled(store)
    assert (await store.changes(head, MANY)).query_ids == []
    assert (await store.changes(head, MANY)).upto == head


async def test_what_was_appended_has_changed(store: Store) -> None:
    beginning = await store.feed_head()
    await store.append([query("a"), query("b"), outcome("b")])
    head = await settled(store)
    assert head != beginning
    changes = await store.changes(beginning, MANY)
    assert sorted(changes.query_ids) == ["a", "b"]
    assert changes.upto == head


async def test_an_interaction_that_changed_often_comes_once(store: Store) -> None:
    beginning = await store.feed_head()
    await store.append([query("a")])
    [claim] = await store.claim_due(1, now=NOW + GRACE_MS, lease_ms=LEASE_MS)
    await store.settle(verdicts([claim]))
    await store.append([outcome("a")])
    await settled(store)
    assert (await store.changes(beginning, MANY)).query_ids == ["a"]


async def test_a_known_event_changes_nothing(store: Store) -> None:
    await store.append([query("a"), outcome("a")])
    head = await store.feed_head()
    await store.append([query("a"), outcome("a")])
    assert await store.feed_head() == head


async def test_a_late_outcome_changes_its_query(store: Store) -> None:
    await store.append([query("a"), query("b")])
    head = await store.feed_head()
    await store.append([outcome("a")])
    assert await changed(store, head) == ["a"]


async def test_a_query_whose_outcome_came_before_it_has_changed(store: Store) -> None:
    await store.append([outcome("a")])
    head = await store.feed_head()
    await store.append([query("a")])
    assert await changed(store, head) == ["a"]


async def test_a_kept_verdict_is_a_change_and_a_dropped_one_is_none(store: Store) -> None:
    await store.append([query("a"), outcome("a")])
    claims = await store.claim_due(1, now=NOW, lease_ms=LEASE_MS)
    head = await store.feed_head()
    await store.settle(verdicts(claims))
    assert await changed(store, head) == ["a"]
    head = await store.feed_head()
    assert await store.settle(verdicts(claims, "BAD")) == 0
    assert await changed(store, head) == []


async def test_changes_come_as_whole_transactions_and_at_least_one(store: Store) -> None:
    beginning = await store.feed_head()
    commits = [{f"{commit}-{n}" for n in range(10)} for commit in "abcde"]
    for commit in commits:
        await store.append([query(id) for id in sorted(commit)])
    head = await settled(store)
    for limit in (1, 5, 10, 15, 49):
        after, seen = beginning, set[str]()
        while (changes := await store.changes(after, limit)).upto != after:
            ids = set(changes.query_ids)
            assert ids
            assert len(ids) < limit + 10
            assert all(commit <= ids or not commit & ids for commit in commits)
            seen |= ids
            after = changes.upto
        assert seen == set.union(*commits)
        assert after == head


async def test_what_is_told_can_be_read_and_nothing_is_lost_while_many_write(store: Store, other_store: Store) -> None:
    after = await store.feed_head()
    writing = asyncio.gather(
        *(side.append([query(f"{n}-{k}") for k in range(3)]) for n in range(60) for side in (store, other_store))
    )
    copy = await follow(other_store, after, writing)
    await writing
    assert copy.told == copy.rows.keys() == {f"{n}-{k}" for n in range(60) for k in range(3)}


async def test_another_server_sees_what_was_acknowledged(store: Store, other_store: Store) -> None:
    after = await other_store.feed_head()
    for n in range(20):
        await store.append([query(str(n))])
        head = await settled(other_store)
        changes = await other_store.changes(after, MANY)
        assert changes.query_ids == [str(n)]
        after = changes.upto
        assert after == head


async def test_the_points_of_this_feed_are_known(store: Store) -> None:
    beginning = await store.feed_head()
    assert await store.knows(beginning)
    for point in [beginning, *await points(store, 3)]:
        assert await store.knows(point)


async def test_the_points_of_another_feed_are_not(backend: Backend, store: Store, watch: Watch) -> None:
    await points(store, 3)
    elsewhere = await backend.open(await backend.fresh(), clock=Watch(watch.now + 1))
    for point in await points(elsewhere, 4):
        assert not await store.knows(point)


async def test_what_only_the_slowest_follower_needs_is_kept(store: Store) -> None:
    first, _, third, fourth = await points(store, 4)
    await store.acknowledge("slow", first, now=NOW)
    await store.acknowledge("fast", fourth, now=NOW)
    assert await store.knows(first)
    assert await store.knows(fourth)
    assert await changed(store, first) == ["p1", "p2", "p3"]

    await store.acknowledge("slow", third, now=NOW)
    assert not await store.knows(first)
    assert await store.knows(third)
    assert await changed(store, third) == ["p3"]


async def test_what_all_followers_have_is_forgotten_but_their_point_is_known(store: Store) -> None:
    beginning = await store.feed_head()
    first, second, _, last = await points(store, 4)
    await store.acknowledge("only", last, now=NOW)
    assert await store.knows(last)
    assert await changed(store, last) == []
    for point in (beginning, first, second):
        assert not await store.knows(point)
    await store.append([query("later")])
    assert await changed(store, last) == ["later"]


async def test_a_follower_at_the_very_beginning_keeps_all(store: Store) -> None:
    beginning = await store.feed_head()
    await store.acknowledge("slow", beginning, now=NOW)
    *_, last = await points(store, 3)
    await store.acknowledge("fast", last, now=NOW)
    assert await store.knows(beginning)
    assert await changed(store, beginning) == ["p0", "p1", "p2"]


async def test_the_feed_waits_no_longer_for_a_follower_that_said_goodbye(store: Store) -> None:
    first, _, third = await points(store, 3)
    await store.acknowledge("slow", first, now=NOW)
    await store.acknowledge("fast", third, now=NOW)
    await store.forget_follower("slow")
    await store.forget_follower("nobody")
    await store.acknowledge("fast", third, now=NOW)
    assert not await store.knows(first)
    assert await store.knows(third)


async def test_followers_of_two_servers_wait_for_each_other(store: Store, other_store: Store) -> None:
    first, second = await points(store, 2)
    await other_store.acknowledge("there", first, now=NOW)
    await store.acknowledge("here", second, now=NOW)
    assert await other_store.knows(first)
    assert await changed(other_store, first) == ["p1"]


async def test_an_identity_is_of_one_database_and_stays(
    backend: Backend, database: str, store: Store, other_store: Store, watch: Watch
) -> None:
    identity = await store.identity()
    assert identity
    assert await other_store.identity() == identity
    elsewhere = await backend.open(await backend.fresh(), clock=watch)
    assert await elsewhere.identity() != identity
    await backend.close(store)
    reopened = await backend.open(database, clock=watch)
    assert await reopened.identity() == identity


async def test_every_listener_is_told_on_the_event_loop_after_the_commit(store: Store) -> None:
    loop = asyncio.get_running_loop()
    told: list[tuple[str, int, asyncio.AbstractEventLoop]] = []

    def tell(name: str) -> None:
        told.append((name, threading.get_ident(), asyncio.get_running_loop()))

    for name in ("first", "second"):
        store.on_commit(partial(tell, name))

    async def told_again() -> None:
        async with asyncio.timeout(10):
            while not {"first", "second"} <= {name for name, _, _ in told}:  # noqa: ASYNC110 (polls what the store does)
                await asyncio.sleep(0)
        assert {(thread, running) for _, thread, running in told} == {(threading.get_ident(), loop)}
        told.clear()

    await store.append([query("a"), outcome("a")])
    await told_again()
    claims = await store.claim_due(1, now=NOW, lease_ms=LEASE_MS)
    await told_again()
    await store.settle(verdicts(claims))
    await told_again()
