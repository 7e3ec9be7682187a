"""Two servers of one database at the same moment: each event is new once, each row becomes whole, each label knows all.

And what they share for the judge is shared: claims, people's labels, the day's money.
"""

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Iterable
from typing import Any, LiteralString

import psycopg
import pytest

from aura_analytics.events.records import Event
from aura_analytics.store import Store
from aura_analytics.store.judging import Choice, Demand
from aura_analytics.store.port import Claim, QueueDepth
from contract.following import PATIENCE_S, follow
from contract.making import LATER, LEASE_MS, NOW, by_id, call, conversion, outcome, query, verdict, verdicts

LONG_AGO = NOW - 86_400_000


def cut(events: list[Event], rng: random.Random) -> Iterable[list[Event]]:
    """Cut events into calls of any size."""
    while events:
        size = rng.choice([1, 3, 20, 90])
        yield events[:size]
        events = events[size:]


async def test_each_event_is_new_once_in_whatever_order_and_calls_it_comes(store: Store, other_store: Store) -> None:
    ids = [f"{n:03}" for n in range(150)]
    events: list[Event] = [event for id in ids for event in (query(id), outcome(id), conversion(id, query_id=id))]
    calls: list[Awaitable[list[bool]]] = []
    for seed in range(8):
        rng = random.Random(seed)
        side = (store, other_store)[seed % 2]
        calls += [side.append(call) for call in cut(rng.sample(events, len(events)), rng)]
    start = await store.feed_head()
    writing = asyncio.gather(*calls)
    copy = await follow(other_store, start, writing)
    assert sum(sum(news) for news in await writing) == len(events)
    rows = {row[0]: row for row in await store.wide_rows(ids)}
    assert len(rows) == len(ids)
    assert all(row["has_outcome"] for row in by_id(rows.values()).values())
    assert copy.rows == rows
    assert len(await store.conversion_rows(ids)) == len(ids)


async def test_a_query_and_its_outcome_at_the_same_moment_are_told_whole_and_labelled_once(
    store: Store, other_store: Store
) -> None:
    ids = [f"q{n}" for n in range(300)]
    start = await store.feed_head()

    async def both(id: str) -> None:
        news = await asyncio.gather(store.append([query(id)]), other_store.append([outcome(id)]))
        assert list(news) == [[True], [True]]

    async def all_of_them() -> None:
        for first in range(0, len(ids), 10):
            await asyncio.gather(*map(both, ids[first : first + 10]))

    writing = asyncio.ensure_future(all_of_them())
    copy = await follow(other_store, start, writing, limit=5)
    await writing
    assert copy.rows == {row[0]: row for row in await store.wide_rows(ids)}
    assert all(row["has_outcome"] for row in by_id(copy.rows.values()).values())
    claims = await store.claim_due(1_000, now=NOW, lease_ms=LEASE_MS)  # due at once, though neither knew of the other
    assert sorted(claim.query_id for claim in claims) == sorted(ids)
    assert all(claim.interaction.outcome for claim in claims)
    assert await store.settle(verdicts(claims)) == len(ids)
    assert await other_store.claim_due(1_000, now=LATER, lease_ms=LEASE_MS) == []


class Evaluator:
    """Claims and settles until nothing is left to come; every label that it gives says whether it knew an outcome."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.claims: list[Claim] = []

    async def work(self, writing: asyncio.Future[Any]) -> None:  # Any: what it gives
        while True:
            finished = writing.done()
            claims = await self._store.claim_due(7, now=NOW, lease_ms=LEASE_MS)
            self.claims += claims
            seeing = [claim for claim in claims if claim.interaction.outcome]
            blind = [claim for claim in claims if not claim.interaction.outcome]
            await self._store.settle(verdicts(seeing, "GOOD") + verdicts(blind, "BAD"))
            if finished and not claims:
                return


async def test_a_label_knows_the_outcome_however_the_two_came(store: Store, other_store: Store) -> None:
    """Asked long ago, so each is due at once: it may well be labelled before its outcome comes, but not for good."""
    ids = [f"q{n:03}" for n in range(400)]
    queries: list[Event] = [query(id, created_at=LONG_AGO) for id in ids]
    outcomes: list[Event] = [outcome(id) for id in ids]

    async def send(side: Store, events: list[Event]) -> None:
        for start in range(0, len(events), 8):
            await side.append(events[start : start + 8])

    writing = asyncio.gather(send(store, queries), send(other_store, outcomes))
    evaluators = [Evaluator(store), Evaluator(other_store)]
    await asyncio.gather(writing, *(evaluator.work(writing) for evaluator in evaluators))
    rows = by_id(await store.wide_rows(ids))
    assert Counter(row["label"] for row in rows.values()) == {"GOOD": len(ids)}
    taken = [(claim.query_id, claim.lease) for evaluator in evaluators for claim in evaluator.claims]
    assert len(set(taken)) == len(taken)
    assert (await store.queue_depth(now=LATER)).waiting == 0


async def test_claims_never_overlap_while_work_comes_and_goes(store: Store, other_store: Store) -> None:
    ids = [f"q{n:03}" for n in range(300)]

    async def send() -> None:
        for start in range(0, len(ids), 10):
            await store.append([event for id in ids[start : start + 10] for event in (query(id), outcome(id))])

    writing = asyncio.ensure_future(send())
    evaluators = [Evaluator(side) for side in (store, other_store) for _ in range(2)]
    await asyncio.gather(writing, *(evaluator.work(writing) for evaluator in evaluators))
    taken = Counter(claim.query_id for evaluator in evaluators for claim in evaluator.claims)
    assert taken == dict.fromkeys(ids, 1)
    assert {row["label"] for row in by_id(await other_store.wide_rows(ids)).values()} == {"GOOD"}


async def answered(store: Store, count: int) -> list[str]:
    """Store some interactions that are due now; give their ids."""
    ids = [f"q{n:03}" for n in range(count)]
    await store.append([event for id in ids for event in (query(id), outcome(id))])
    return ids


async def test_what_is_queued_anew_while_others_label_it_is_labelled_anew(store: Store, other_store: Store) -> None:
    ids = await answered(store, 200)

    async def again() -> None:
        for _ in range(6):
            assert await other_store.requeue(Choice(), now=NOW) == len(ids)

    writing = asyncio.ensure_future(again())
    evaluators = [Evaluator(side) for side in (store, other_store) for _ in range(2)]
    await asyncio.gather(writing, *(evaluator.work(writing) for evaluator in evaluators))
    taken = Counter((claim.query_id, claim.lease) for evaluator in evaluators for claim in evaluator.claims)
    assert set(taken.values()) == {1}
    assert {id for id, _ in taken} == set(ids)
    assert {row["label"] for row in by_id(await store.wide_rows(ids)).values()} == {"GOOD"}
    assert await store.queue_depth(now=LATER) == QueueDepth(due=0, waiting=0, failed=0)


async def test_claims_are_found_again_by_their_lease_on_any_server(store: Store, other_store: Store) -> None:
    ids = await answered(store, 90)
    taking = [
        side.claim_due(7, now=NOW, lease_ms=LEASE_MS, lease=f"batch {n}")
        for n, side in enumerate([store, other_store] * 7)
    ]
    taken = {f"batch {n}": claims for n, claims in enumerate(await asyncio.gather(*taking))}
    assert sorted(claim.query_id for claims in taken.values() for claim in claims) == ids
    for lease, claims in taken.items():
        found = await other_store.claims(lease)
        assert sorted(found, key=lambda claim: claim.query_id) == sorted(claims, key=lambda claim: claim.query_id)
    later = await store.claim_due(len(ids), now=NOW + LEASE_MS, lease_ms=LEASE_MS)
    assert len(later) == len(ids)
    assert [await other_store.claims(lease) for lease in taken] == [[]] * len(taken)


async def test_a_persons_label_and_an_automatic_one_at_the_same_moment_are_both_kept(
    store: Store, other_store: Store
) -> None:
    ids = await answered(store, 60)
    claims = await store.claim_due(len(ids), now=NOW, lease_ms=LEASE_MS)
    judged = {claim.query_id: verdict(claim.query_id, "BAD") for claim in claims}
    labelled = {id: verdict(id, "GOOD", evaluated_by="human", method="Ada") for id in ids}
    parts = [claims[start : start + 6] for start in range(0, len(claims), 6)]
    await asyncio.gather(
        *(store.settle([(claim, judged[claim.query_id]) for claim in part]) for part in parts),
        *(other_store.review(labelled[id]) for id in ids),
    )
    for id in ids:
        found = await store.interaction(id)
        assert found is not None
        assert (found.verdict, found.history) == (labelled[id], [judged[id]])


async def test_of_two_persons_at_the_same_moment_both_labels_are_kept(store: Store, other_store: Store) -> None:
    ids = await answered(store, 20)
    claims = await store.claim_due(len(ids), now=NOW, lease_ms=LEASE_MS)
    assert await store.settle(verdicts(claims, "REVIEW")) == len(ids)
    labels = [
        (side, [verdict(id, label, evaluated_by="human", method=name) for id in ids])
        for side, label, name in ((store, "GOOD", "Ada"), (other_store, "BAD", "Bob"))
    ]
    assert all(await asyncio.gather(*(side.review(one) for side, given in labels for one in given)))
    for id in ids:
        found = await store.interaction(id)
        assert found is not None
        assert found.verdict is not None
        assert sorted([found.verdict.method, *(one.method for one in found.history)]) == ["Ada", "Bob", "rules"]


async def test_the_days_money_is_counted_to_the_cent_from_its_first_moment_on(store: Store, other_store: Store) -> None:
    """Money is reserved, spent and put right by two servers at once, before there is a row for it."""
    claims = await claim_all(store, 40)
    demands = [
        Demand(model=f"m{n % 3}", requests=2, tokens=8, cost_usd=0.5, rpm=6_000, tpm=6_000, budget_usd=100.0)
        for n in range(40)
    ]
    notes = [call(model=f"m{n % 3}", cost_usd=0.25, reserved_usd=0.125, reserved_tokens=8) for n in range(3)]
    grants, _ = await asyncio.gather(
        asyncio.gather(*((store, other_store)[n % 2].reserve(one, now=NOW) for n, one in enumerate(demands))),
        asyncio.gather(
            *(
                (store, other_store)[n % 2].settle(verdicts([claim]), random.Random(n).sample(notes, 3))
                for n, claim in enumerate(claims)
            )
        ),
    )
    granted = sum(grant.requests for grant in grants)
    assert granted == 80
    assert await store.spent_usd(now=NOW) == granted * 0.5 + len(claims) * 3 * 0.125


async def claim_all(store: Store, count: int) -> list[Claim]:
    """Store some interactions and claim all of them."""
    return await store.claim_due(len(await answered(store, count)), now=NOW, lease_ms=LEASE_MS)


# Where two servers write at the same moment, one at a halt just before its end.

HALT = """
CREATE FUNCTION halt() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN PERFORM pg_advisory_xact_lock_shared(1); RETURN NEW; END $$;
CREATE TRIGGER halt BEFORE INSERT ON {table} FOR EACH ROW WHEN ({condition}) EXECUTE FUNCTION halt();
SELECT pg_advisory_lock(1);
"""
HALTED = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
WAITING = "SELECT count(*) FROM pg_locks WHERE locktype = 'transactionid' AND NOT granted"


async def seen(outside: psycopg.AsyncConnection[Any], sql: LiteralString) -> None:
    """Wait until one transaction is counted."""
    async with asyncio.timeout(PATIENCE_S):
        while await (await outside.execute(sql)).fetchone() != (1,):  # noqa: ASYNC110 (polls what a server does)
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("backend", ["postgres"], indirect=True)
@pytest.mark.parametrize("labelled_before", [False, True])
async def test_a_blind_label_gives_way_to_an_outcome_that_was_just_being_stored(
    database: str, store: Store, other_store: Store, labelled_before: bool
) -> None:
    """The outcome has looked for its query in vain, and isn't queued yet."""
    async with await psycopg.AsyncConnection.connect(database, autocommit=True) as outside:
        await outside.execute(HALT.format(table="evaluation_queue", condition=f"NEW.due_at = {2**63 - 1}"))
        writing = asyncio.ensure_future(other_store.append([outcome("a")]))
        await seen(outside, HALTED)
        assert await store.append([query("a", created_at=LONG_AGO)]) == [True]
        blind = await store.claim_due(9, now=NOW, lease_ms=LEASE_MS)
        assert [claim.interaction.outcome for claim in blind] == [None]
        if labelled_before:
            assert await store.settle(verdicts(blind, "BAD")) == 1
        await outside.execute("SELECT pg_advisory_unlock(1)")
        assert await writing == [True]
    if not labelled_before:
        assert await store.settle(verdicts(blind, "BAD")) == 0
    seeing = await store.claim_due(9, now=NOW, lease_ms=LEASE_MS)
    assert [claim.interaction.outcome is None for claim in seeing] == [False]
    assert await store.settle(verdicts(seeing, "GOOD")) == 1


@pytest.mark.parametrize("backend", ["postgres"], indirect=True)
async def test_a_query_waits_for_its_outcome_that_is_just_being_committed(
    database: str, store: Store, other_store: Store
) -> None:
    """The outcome is queued, and holds the place of its query."""
    async with await psycopg.AsyncConnection.connect(database, autocommit=True) as outside:
        await outside.execute(HALT.format(table="change_feed", condition="NEW.conversion_ids IS NOT NULL"))
        writing = asyncio.ensure_future(other_store.append([outcome("a"), conversion("c")]))
        await seen(outside, HALTED)
        asking = asyncio.ensure_future(store.append([query("a")]))
        await seen(outside, WAITING)
        assert await store.claim_due(9, now=LATER, lease_ms=LEASE_MS) == []
        await outside.execute("SELECT pg_advisory_unlock(1)")
        assert await writing == [True, True]
        assert await asking == [True]
    [claim] = await store.claim_due(9, now=NOW, lease_ms=LEASE_MS)
    assert claim.interaction.outcome == outcome("a")
    assert await store.settle(verdicts([claim])) == 1
    assert await store.queue_depth(now=NOW) == QueueDepth(due=0, waiting=0, failed=0)


async def test_an_outcome_alone_waits_for_no_label(store: Store) -> None:
    await store.append([outcome("a")])
    assert await store.queue_depth(now=NOW) == QueueDepth(due=0, waiting=0, failed=0)
    assert await store.claim_due(9, now=LATER, lease_ms=LEASE_MS) == []
    await store.append([query("a")])
    [claim] = await store.claim_due(9, now=NOW, lease_ms=LEASE_MS)
    assert claim.interaction.outcome == outcome("a")
