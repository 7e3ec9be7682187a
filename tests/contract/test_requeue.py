"""Interactions by what their rows say: drawn alike by everybody, and judged anew."""

import asyncio
import hashlib
from collections.abc import Iterable

import pytest

from aura_analytics.store import Store
from aura_analytics.store.judging import Choice
from aura_analytics.store.port import QueueDepth
from contract.making import GRACE_MS, LATER, LEASE_MS, NOW, outcome, query, verdict

# What is chosen of the labelled ones that `labelled` makes.
CHOICES = [
    (Choice(), "abcdh"),
    (Choice(store_id="other"), "b"),
    (Choice(store_id="nobody"), ""),
    (Choice(since=NOW + 2), "cdh"),
    (Choice(until=NOW + 1), "ab"),
    (Choice(since=NOW + 1, until=NOW + 2), "bc"),
    (Choice(intent="find"), "c"),
    (Choice(label="GOOD"), "ah"),
    (Choice(label="none"), "d"),
    (Choice(reason="odd"), "b"),
    (Choice(method="a model"), "bc"),
    (Choice(rubric="default:1"), "b"),
    (Choice(below=0.5), "b"),
    (Choice(method="a model", label="REVIEW", since=0), "c"),
    (Choice(method="a model", label="GOOD"), ""),
]


def by_hash(ids: Iterable[str]) -> list[str]:
    return sorted(ids, key=lambda one: hashlib.sha256(one.encode()).hexdigest())


@pytest.fixture
async def labelled(store: Store) -> Store:
    """`store` with a few labelled interactions, one that has none yet, and one that a person labelled."""
    await store.append(
        [
            query("a", created_at=NOW),
            query("b", created_at=NOW + 1, store_id="other"),
            query("c", created_at=NOW + 2, intent="find"),
            query("d", created_at=NOW + 3),
            query("h", created_at=NOW + 4),
            outcome("a"),
        ]
    )
    given = {
        "a": verdict("a", "GOOD"),
        "b": verdict("b", "BAD", reason="odd", method="a model", rubric="default:1", confidence=0.25),
        "c": verdict("c", "REVIEW", method="a model", rubric="default:2", confidence=0.5),
        "h": verdict("h", "GOOD", evaluated_by="human", method="Ada"),
    }
    claims = await store.claim_due(10, now=LATER, lease_ms=LEASE_MS)
    await store.settle([(claim, given[claim.query_id]) for claim in claims if claim.query_id in given])
    await store.release([claim for claim in claims if claim.query_id == "d"], now=LATER)
    return store


@pytest.mark.parametrize(("choice", "ids"), CHOICES)
async def test_all_of_a_choice_is_given_by_the_hash(labelled: Store, choice: Choice, ids: str) -> None:
    assert [one.query.id for one in await labelled.choose(choice, 10)] == by_hash(ids)


async def test_a_few_of_a_choice_are_the_same_each_time_and_whole(labelled: Store) -> None:
    few = await labelled.choose(Choice(), 2)
    assert [one.query.id for one in few] == by_hash("abcdh")[:2]
    assert await labelled.choose(Choice(), 2) == few
    assert await labelled.choose(Choice(), 0) == []
    [whole] = await labelled.choose(Choice(until=NOW), 9)
    assert (whole.query, whole.outcome) == (query("a"), outcome("a"))


@pytest.mark.parametrize(("choice", "ids"), CHOICES)
async def test_a_choice_is_due_again_but_for_what_a_person_labelled(labelled: Store, choice: Choice, ids: str) -> None:
    again = sorted(set(ids) - {"h"})
    assert await labelled.requeue(choice, now=NOW) == len(again)
    claims = await labelled.claim_due(10, now=NOW, lease_ms=LEASE_MS)
    assert sorted(claim.query_id for claim in claims) == again
    assert {claim.attempts for claim in claims} <= {1}


async def test_what_is_judged_anew_replaces_the_label_that_stood(labelled: Store) -> None:
    [before] = await labelled.verdicts(["b"])
    await labelled.requeue(Choice(label="BAD"), now=NOW)
    assert await labelled.verdicts(["b"]) == [before], "until then it stands"
    [claim] = await labelled.claim_due(10, now=NOW, lease_ms=LEASE_MS)
    given = verdict("b", "GOOD", rubric="default:2")
    assert await labelled.settle([(claim, given)]) == 1
    found = await labelled.interaction("b")
    assert found is not None
    assert (found.verdict, found.history) == (given, [before])


async def test_a_failed_one_begins_anew(store: Store) -> None:
    await store.append([query("a"), outcome("a")])
    [claim] = await store.claim_due(1, now=NOW, lease_ms=LEASE_MS)
    await store.give_up(claim, error="no", now=NOW)
    assert await store.requeue(Choice(), now=NOW + 5) == 1
    assert await store.failed_evaluations(10) == []
    assert await store.queue_depth(now=NOW + 5) == QueueDepth(due=1, waiting=0, failed=0, since=NOW + 5)


async def test_a_claim_of_what_is_queued_anew_is_void(store: Store) -> None:
    await store.append([query("a"), outcome("a")])
    [claim] = await store.claim_due(1, now=NOW, lease_ms=LEASE_MS)
    assert await store.requeue(Choice(), now=NOW) == 1
    assert await store.settle([(claim, verdict("a"))]) == 0
    [again] = await store.claim_due(1, now=NOW, lease_ms=LEASE_MS)
    assert again.attempts == 1
    assert await store.settle([(again, verdict("a"))]) == 1


async def test_an_outcome_without_its_query_is_not_queued(store: Store) -> None:
    await store.append([outcome("a")])
    assert await store.requeue(Choice(), now=NOW) == 0
    assert await store.choose(Choice(), 9) == []


async def test_many_are_queued_in_steps_while_events_come_in(store: Store) -> None:
    ids = [f"q{n:05}" for n in range(9_000)]
    await store.append([query(id) for id in ids])
    claims = await store.claim_due(len(ids), now=NOW + GRACE_MS, lease_ms=LEASE_MS)
    await store.settle([(claim, verdict(claim.query_id)) for claim in claims])
    point = await store.feed_head()
    requeued, *news = await asyncio.gather(
        store.requeue(Choice(label="GOOD"), now=NOW), *(store.append([outcome(id)]) for id in ids[:50])
    )
    assert requeued == len(ids)
    assert news == [[True]] * 50
    assert (await store.queue_depth(now=NOW)).due == len(ids)
    assert [one.query.id for one in await store.choose(Choice(), 20)] == by_hash(ids)[:20]
    assert await store.knows(point)
