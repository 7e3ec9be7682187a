"""What failed: listed by cause and store, and tried again."""

from aura_analytics.store import Store
from aura_analytics.store.failures import Failure, FailureCause, FailureChoice
from contract.making import GRACE_MS, LATER, LEASE_MS, NOW, query

CUT, DOWN = "the answer was cut off", "503 🍎"
ALL = FailureChoice()


async def failed(store: Store) -> None:
    """Five that failed, one a millisecond: two causes, two stores."""
    await store.append([query(id, store_id="mine" if id in "ab" else "other") for id in "abcde"])
    claims = {claim.query_id: claim for claim in await store.claim_due(5, now=NOW + GRACE_MS, lease_ms=LEASE_MS)}
    for moment, id in enumerate("abcde"):
        await store.give_up(claims[id], error=CUT if id in "ac" else DOWN, now=NOW + moment)


def ids(found: list[Failure]) -> str:
    return "".join(one.query_id for one in found)


async def test_a_store_without_failures_has_none(store: Store) -> None:
    assert await store.failures(ALL, 10) == []
    assert await store.failure_causes(ALL) == []
    assert await store.retry_failures(ALL, now=NOW) == 0


async def test_the_latest_come_first_with_what_was_asked(store: Store) -> None:
    await failed(store)
    found = await store.failures(ALL, 10)
    assert ids(found) == "edcba"
    assert found[-1] == Failure(
        query_id="a", attempts=1, cause=CUT, failed_at=NOW, store_id="mine", created_at=NOW, query_text="red apples"
    )


async def test_a_page_goes_on_where_the_one_before_ended(store: Store) -> None:
    await failed(store)
    first = await store.failures(ALL, 2)
    last = first[-1]
    rest = await store.failures(ALL, 10, after=(last.failed_at, last.query_id))
    assert (ids(first), ids(rest)) == ("ed", "cba")


async def test_they_are_chosen_by_cause_store_and_id(store: Store) -> None:
    await failed(store)
    assert ids(await store.failures(FailureChoice(cause=CUT), 10)) == "ca"
    assert ids(await store.failures(FailureChoice(stores=frozenset({"mine"})), 10)) == "ba"
    assert ids(await store.failures(FailureChoice(stores=frozenset({"mine"}), query_ids=("a", "e")), 10)) == "a"
    assert ids(await store.failures(FailureChoice(stores=frozenset()), 10)) == ""
    assert ids(await store.failures(FailureChoice(cause="other\0"), 10)) == ""


async def test_causes_are_counted_the_most_frequent_first(store: Store) -> None:
    await failed(store)
    assert await store.failure_causes(ALL) == [
        FailureCause(cause=DOWN, count=3, last_at=NOW + 4),
        FailureCause(cause=CUT, count=2, last_at=NOW + 2),
    ]
    assert await store.failure_causes(FailureChoice(stores=frozenset({"mine"}))) == [
        FailureCause(cause=DOWN, count=1, last_at=NOW + 1),
        FailureCause(cause=CUT, count=1, last_at=NOW),
    ]


async def test_what_is_tried_again_is_due_as_new_and_the_rest_rests(store: Store) -> None:
    await failed(store)
    assert await store.retry_failures(FailureChoice(cause=CUT, stores=frozenset({"mine"})), now=LATER) == 1
    [claim] = await store.claim_due(10, now=LATER, lease_ms=LEASE_MS)
    assert (claim.query_id, claim.attempts) == ("a", 1)
    assert ids(await store.failures(ALL, 10)) == "edcb"
    assert await store.retry_failures(FailureChoice(query_ids=("a", "b", "nobody\0")), now=LATER) == 1
    assert await store.retry_failures(ALL, now=LATER) == 3
    assert await store.failures(ALL, 10) == []
