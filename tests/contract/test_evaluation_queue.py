"""The work queue: when an interaction is due, who has it, and what becomes of it."""

import asyncio

import pytest

from aura_analytics.events.records import Event, Label
from aura_analytics.store import Store
from aura_analytics.store.port import Claim, FailedEvaluation, QueueDepth
from contract.making import GRACE_MS, LATER, LEASE_MS, NOW, Watch, by_id, outcome, query, verdict, verdicts

HOUR_MS = 3_600_000


async def claimed(store: Store, now: int, limit: int = 1_000) -> list[str]:
    """The ids that a claim gets, in an order that doesn't matter."""
    return sorted(claim.query_id for claim in await store.claim_due(limit, now=now, lease_ms=LEASE_MS))


async def claim_one(store: Store, now: int = NOW) -> Claim:
    """The one interaction that is due."""
    [claim] = await store.claim_due(10, now=now, lease_ms=LEASE_MS)
    return claim


async def label_of(store: Store, id: str = "a") -> tuple[Label | None, str | None]:
    """An interaction's label, and by whom."""
    row = by_id(await store.wide_rows([id]))[id]
    return row["label"], row["evaluated_by"]


@pytest.fixture
async def answered(store: Store) -> Store:
    """`store` with one interaction, due now."""
    await store.append([query("a"), outcome("a")])
    return store


# When it is due.


async def test_without_an_outcome_it_is_due_after_the_grace_time(store: Store) -> None:
    await store.append([query("a")])
    assert await claimed(store, NOW + GRACE_MS - 1) == []
    assert await claimed(store, NOW + GRACE_MS) == ["a"]


@pytest.mark.parametrize("order", [1, -1])
async def test_with_an_outcome_it_is_due_at_once(store: Store, order: int) -> None:
    events: list[Event] = [query("a"), outcome("a")]
    await store.append(events[::order])
    assert await claimed(store, NOW) == ["a"]


@pytest.mark.parametrize("order", [1, -1])
async def test_it_is_due_at_once_when_the_second_half_comes_in_a_later_call(store: Store, order: int) -> None:
    events: list[Event] = [query("a"), outcome("a")]
    first, second = events[::order]
    await store.append([first])
    assert await claimed(store, NOW) == []
    await store.append([second])
    assert await claimed(store, NOW) == ["a"]


async def test_what_was_asked_long_ago_is_due_at_once(store: Store) -> None:
    await store.append([query("a", created_at=NOW - GRACE_MS)])
    assert await claimed(store, NOW) == ["a"]


async def test_a_clock_ahead_elsewhere_does_not_stretch_the_grace_time(store: Store) -> None:
    await store.append([query("a", created_at=NOW + 100 * HOUR_MS)])
    assert await claimed(store, NOW + GRACE_MS - 1) == []
    assert await claimed(store, NOW + GRACE_MS) == ["a"]


async def test_an_outcome_without_its_query_is_no_work(store: Store) -> None:
    await store.append([outcome("a")])
    assert await store.queue_depth(now=LATER) == QueueDepth(due=0, waiting=0, failed=0)
    assert await claimed(store, LATER) == []


async def test_the_same_event_again_is_no_new_work(answered: Store) -> None:
    assert await answered.settle(verdicts([await claim_one(answered)])) == 1
    await answered.append([query("a"), outcome("a")])
    assert await claimed(answered, LATER) == []


async def test_a_late_outcome_queues_a_labelled_interaction_anew(store: Store) -> None:
    await store.append([query("a")])
    await store.settle(verdicts([await claim_one(store, NOW + GRACE_MS)], "BAD"))
    await store.append([outcome("a", answer_text="aisle 3")])
    claim = await claim_one(store, NOW + GRACE_MS)
    assert claim.interaction.outcome is not None
    assert claim.interaction.outcome.answer_text == "aisle 3"
    assert claim.attempts == 1
    assert await store.settle(verdicts([claim], "GOOD")) == 1
    assert await label_of(store) == ("GOOD", "auto")


# Who has it.


async def test_a_claim_keeps_others_away_while_its_lease_lasts(answered: Store) -> None:
    first = await claim_one(answered)
    assert await claimed(answered, NOW + LEASE_MS - 1) == []
    second = await claim_one(answered, NOW + LEASE_MS)
    assert second.lease != first.lease
    assert [first.attempts, second.attempts] == [1, 2]


async def test_what_has_been_due_longest_is_claimed_first(store: Store) -> None:
    ages = {"new": 1, "old": 3, "middle": 2}
    await store.append([query(id, created_at=NOW - age * HOUR_MS) for id, age in ages.items()])
    assert [await claimed(store, NOW, limit=1) for _ in range(4)] == [["old"], ["middle"], ["new"], []]


async def test_no_more_are_claimed_than_asked_for(store: Store) -> None:
    await store.append([event for n in range(10) for event in (query(f"q{n}"), outcome(f"q{n}"))])
    first = await claimed(store, NOW, limit=7)
    second = await claimed(store, NOW, limit=7)
    assert [len(first), len(second)] == [7, 3]
    assert sorted(first + second) == [f"q{n}" for n in range(10)]


async def test_two_servers_never_have_the_same_claim(store: Store, other_store: Store) -> None:
    ids = [f"q{n:03}" for n in range(120)]
    await store.append([event for id in ids for event in (query(id), outcome(id))])
    rounds = [side.claim_due(7, now=NOW, lease_ms=LEASE_MS) for _ in range(12) for side in (store, other_store)]
    claims = [claim for part in await asyncio.gather(*rounds) for claim in part]
    assert sorted(claim.query_id for claim in claims) == ids
    settling = [store.settle(verdicts(claims[:60])), other_store.settle(verdicts(claims[60:]))]
    assert await asyncio.gather(*settling) == [60, 60]
    assert await store.queue_depth(now=LATER) == QueueDepth(due=0, waiting=0, failed=0)


# What becomes of it.


async def test_a_verdict_is_kept_and_its_work_is_gone(answered: Store) -> None:
    claim = await claim_one(answered)
    given = verdict("a", "REVIEW", reason="odd", confidence=0.1, evaluated_at=NOW + 5, method="gemini", explanation="…")
    assert await answered.settle([(claim, given)]) == 1
    row = by_id(await answered.wide_rows(["a"]))["a"]
    assert [row[name] for name in ("label", "reason", "confidence", "evaluated_at", "evaluated_by")] == [
        "REVIEW",
        "odd",
        0.1,
        NOW + 5,
        "auto",
    ]
    assert await answered.queue_depth(now=LATER) == QueueDepth(due=0, waiting=0, failed=0)
    assert await claimed(answered, LATER) == []


async def test_nothing_settled_is_nothing_kept(store: Store) -> None:
    assert await store.settle([]) == 0


async def test_a_claim_is_settled_once(answered: Store) -> None:
    claim = await claim_one(answered)
    assert await answered.settle(verdicts([claim, claim], "GOOD")) == 1
    assert await answered.settle(verdicts([claim], "BAD")) == 0
    assert await label_of(answered) == ("GOOD", "auto")


async def test_a_claim_that_somebody_else_has_by_now_is_dropped(answered: Store, other_store: Store) -> None:
    lost = await claim_one(answered)
    current = await claim_one(other_store, NOW + LEASE_MS)
    assert await answered.settle(verdicts([lost], "BAD")) == 0
    assert await label_of(answered) == (None, None)
    assert await other_store.settle(verdicts([current], "GOOD")) == 1
    assert await label_of(answered) == ("GOOD", "auto")


async def test_a_claim_without_the_outcome_that_came_meanwhile_is_dropped(store: Store) -> None:
    await store.append([query("a")])
    blind = await claim_one(store, NOW + GRACE_MS)
    await store.append([outcome("a")])
    assert await store.settle(verdicts([blind], "BAD")) == 0
    assert await label_of(store) == (None, None)
    seeing = await claim_one(store)
    assert seeing.interaction.outcome is not None
    assert await store.settle(verdicts([seeing], "GOOD")) == 1


async def test_a_dropped_claim_harms_no_other_of_the_same_call(store: Store) -> None:
    await store.append([event for id in "abc" for event in (query(id), outcome(id))])
    claims = await store.claim_due(10, now=NOW, lease_ms=LEASE_MS)
    stale = [claim for claim in claims if claim.query_id == "b"]
    await store.settle(verdicts(stale, "REVIEW"))
    assert await store.settle(verdicts(claims, "GOOD")) == 2
    assert [await label_of(store, id) for id in "abc"] == [("GOOD", "auto"), ("REVIEW", "auto"), ("GOOD", "auto")]


@pytest.mark.parametrize(
    ("first", "second", "stays"),
    [
        (("GOOD", "human"), ("BAD", "auto"), ("GOOD", "human")),
        (("GOOD", "human"), ("BAD", "human"), ("BAD", "human")),
        (("GOOD", "auto"), ("BAD", "human"), ("BAD", "human")),
        (("GOOD", "auto"), ("BAD", "auto"), ("BAD", "auto")),
    ],
)
async def test_a_persons_label_gives_way_only_to_a_persons(
    store: Store, first: tuple[Label, str], second: tuple[Label, str], stays: tuple[Label, str]
) -> None:
    await store.append([query("a")])
    label, by = first
    await store.settle(verdicts([await claim_one(store, NOW + GRACE_MS)], label, evaluated_by=by))
    await store.append([outcome("a")])
    label, by = second
    await store.settle(verdicts([await claim_one(store)], label, evaluated_by=by))
    assert await label_of(store) == stays
    assert await store.queue_depth(now=LATER) == QueueDepth(due=0, waiting=0, failed=0)


async def test_what_is_postponed_is_due_when_it_says(answered: Store) -> None:
    await answered.postpone(await claim_one(answered), error="busy", due_at=NOW + HOUR_MS)
    assert await claimed(answered, NOW + HOUR_MS - 1) == []
    assert (await claim_one(answered, NOW + HOUR_MS)).attempts == 2


async def test_a_postponed_claim_proves_nothing_any_more(answered: Store) -> None:
    claim = await claim_one(answered)
    await answered.postpone(claim, error="busy", due_at=NOW)
    assert await answered.settle(verdicts([claim])) == 0


async def test_what_is_given_up_rests_among_the_failed_ones(answered: Store) -> None:
    claim = await claim_one(answered)
    await answered.postpone(claim, error="first", due_at=NOW)
    await answered.give_up(await claim_one(answered), error="second 🍎", now=NOW + 7)
    assert await claimed(answered, LATER) == []
    assert await answered.failed_evaluations(10) == [
        FailedEvaluation(query_id="a", attempts=2, last_error="second 🍎", failed_at=NOW + 7)
    ]
    assert await answered.settle(verdicts([claim])) == 0


async def test_the_failed_ones_are_listed_the_latest_first(store: Store) -> None:
    await store.append([event for id in "abcd" for event in (query(id), outcome(id))])
    claims = {claim.query_id: claim for claim in await store.claim_due(10, now=NOW, lease_ms=LEASE_MS)}
    for moment, id in enumerate("cabd"):
        await store.give_up(claims[id], error="no", now=NOW + moment)
    assert [failed.query_id for failed in await store.failed_evaluations(10)] == list("dbac")
    assert [failed.query_id for failed in await store.failed_evaluations(2)] == list("db")


async def test_what_is_released_is_due_at_once_and_the_attempt_is_not_counted(answered: Store) -> None:
    claim = await claim_one(answered)
    await answered.release([claim], now=NOW + 1)
    again = await claim_one(answered, NOW + 1)
    assert [claim.attempts, again.attempts] == [1, 1]
    assert await answered.settle(verdicts([claim])) == 0
    assert await answered.settle(verdicts([again])) == 1


async def test_nothing_released_is_nothing_changed(answered: Store) -> None:
    claim = await claim_one(answered)
    await answered.release([], now=NOW)
    assert await answered.settle(verdicts([claim])) == 1


async def test_what_is_prolonged_is_kept_from_others_for_longer(answered: Store) -> None:
    claim = await claim_one(answered)
    await answered.prolong([claim], until=NOW + 2 * LEASE_MS)
    assert await claimed(answered, NOW + LEASE_MS) == []
    assert await answered.settle(verdicts([claim])) == 1


async def test_a_lost_claim_prolongs_nothing(answered: Store) -> None:
    lost = await claim_one(answered)
    await claim_one(answered, NOW + LEASE_MS)
    await answered.prolong([lost], until=NOW + 9 * LEASE_MS)
    assert (await claim_one(answered, NOW + 2 * LEASE_MS)).attempts == 3


async def test_a_lost_claim_can_neither_be_postponed_nor_given_up_nor_released(answered: Store) -> None:
    lost = await claim_one(answered)
    current = await claim_one(answered, NOW + LEASE_MS)
    await answered.postpone(lost, error="busy", due_at=NOW)
    await answered.release([lost], now=NOW)
    await answered.give_up(lost, error="no", now=NOW)
    assert await answered.failed_evaluations(10) == []
    assert await claimed(answered, NOW + LEASE_MS) == []
    assert await answered.settle(verdicts([current])) == 1


@pytest.mark.parametrize(
    ("named", "retried"),
    [(None, ["a", "b", "c"]), (["b"], ["b"]), (["a", "c", "nobody"], ["a", "c"]), ([], [])],
)
async def test_failed_ones_are_tried_again_all_or_the_named(
    store: Store, named: list[str] | None, retried: list[str]
) -> None:
    await store.append([event for id in "abc" for event in (query(id), outcome(id))])
    for claim in await store.claim_due(10, now=NOW, lease_ms=LEASE_MS):
        await store.give_up(claim, error="no", now=NOW)
    assert await store.retry_failed(now=NOW + 1, query_ids=named) == len(retried)
    assert await claimed(store, NOW + 1) == retried
    left = sorted(failed.query_id for failed in await store.failed_evaluations(10))
    assert left == sorted({"a", "b", "c"} - set(retried))


async def test_only_failed_ones_are_tried_again(answered: Store) -> None:
    claim = await claim_one(answered)
    assert await answered.retry_failed(now=NOW, query_ids=["a"]) == 0
    assert await answered.retry_failed(now=NOW) == 0
    assert await answered.settle(verdicts([claim])) == 1


async def test_a_late_outcome_wakes_a_failed_one(store: Store) -> None:
    await store.append([query("a")])
    await store.give_up(await claim_one(store, NOW + GRACE_MS), error="no", now=NOW)
    await store.append([outcome("a")])
    assert await store.failed_evaluations(10) == []
    assert (await claim_one(store)).attempts == 1


async def test_the_depth_counts_due_waiting_and_failed(store: Store, watch: Watch) -> None:
    async def depth(now: int) -> tuple[int, int, int]:
        found = await store.queue_depth(now=now)
        return found.due, found.waiting, found.failed

    assert await depth(LATER) == (0, 0, 0)
    await store.append([query("unanswered"), query("a"), outcome("a"), query("b"), outcome("b")])
    assert await depth(watch.now) == (2, 1, 0)
    assert await depth(watch.now + GRACE_MS) == (3, 0, 0)
    first, second = await store.claim_due(2, now=NOW, lease_ms=LEASE_MS)
    assert await depth(NOW) == (0, 3, 0)
    assert await depth(NOW + LEASE_MS) == (2, 1, 0)
    await store.give_up(first, error="no", now=NOW)
    assert await depth(NOW + GRACE_MS) == (2, 0, 1)
    await store.settle(verdicts([second]))
    assert await depth(NOW) == (0, 1, 1)


async def test_a_try_that_does_not_count_is_no_attempt(answered: Store) -> None:
    await answered.postpone(await claim_one(answered), error="the judge rests", due_at=NOW + 5, counts=False)
    again = await claim_one(answered, NOW + 5)
    assert again.attempts == 1
    await answered.postpone(again, error="busy", due_at=NOW + 6)
    assert (await claim_one(answered, NOW + 6)).attempts == 2


async def test_those_that_nobody_was_asked_about_are_postponed_together(store: Store) -> None:
    await store.append([event for id in "abc" for event in (query(id), outcome(id))])
    claims = await store.claim_due(10, now=NOW, lease_ms=LEASE_MS)
    await store.settle(verdicts(claims[:1]))
    await store.postpone_all(claims, error="the day's money is spent", due_at=NOW + HOUR_MS)
    assert await claimed(store, NOW + HOUR_MS - 1) == []
    again = await store.claim_due(10, now=NOW + HOUR_MS, lease_ms=LEASE_MS)
    assert sorted(claim.query_id for claim in again) == sorted(claim.query_id for claim in claims[1:])
    assert {claim.attempts for claim in again} == {1}
    await store.postpone_all([], error="nothing", due_at=NOW)


async def test_what_is_left_is_no_work_and_has_no_label(store: Store) -> None:
    await store.append([event for id in "ab" for event in (query(id), outcome(id))])
    claims = await store.claim_due(10, now=NOW, lease_ms=LEASE_MS)
    await store.release(claims[:1], now=NOW)
    await store.leave(claims)
    assert await claimed(store, LATER) == [claims[0].query_id]
    assert [await label_of(store, id) for id in "ab"] == [(None, None)] * 2
    await store.leave([])


async def test_the_depth_tells_since_when_what_was_due_first_has_waited(store: Store) -> None:
    async def since(now: int) -> int | None:
        return (await store.queue_depth(now=now)).since

    assert await since(LATER) is None
    await store.append([query("a")])
    assert await since(NOW + GRACE_MS - 1) is None
    assert await since(NOW + GRACE_MS) == NOW + GRACE_MS
    claim = await claim_one(store, NOW + GRACE_MS + 7)
    assert await since(NOW + GRACE_MS + 7) == NOW + GRACE_MS, "a claim changes nothing of it"
    await store.postpone(claim, error="busy", due_at=NOW + HOUR_MS)
    assert await since(NOW + GRACE_MS + 7) == NOW + GRACE_MS, "nor does a try in vain"
    again = await claim_one(store, NOW + HOUR_MS)
    await store.give_up(again, error="no", now=NOW + HOUR_MS)
    assert await since(LATER) is None
    assert await store.retry_failed(now=NOW + 2 * HOUR_MS) == 1
    assert await since(LATER) == NOW + 2 * HOUR_MS


async def test_an_outcome_begins_the_wait_anew(store: Store, watch: Watch) -> None:
    await store.append([query("a")])
    await claim_one(store, NOW + GRACE_MS)
    watch.now = NOW + HOUR_MS
    await store.append([outcome("a")])
    assert (await store.queue_depth(now=NOW + HOUR_MS)).since == NOW + HOUR_MS
    await store.settle(verdicts([await claim_one(store, NOW + HOUR_MS)]))
    assert (await store.queue_depth(now=LATER)).since is None
