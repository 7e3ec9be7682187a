"""A person: what is theirs, what is given of it, what is erased, and what comes later."""

import asyncio
from typing import Any

import pytest
from msgspec.structs import replace

from aura_analytics.events.records import EarlyOutcome, Event
from aura_analytics.store import Store
from aura_analytics.store import privacy as privacy_room
from aura_analytics.store.port import WIDE_COLUMNS, FeedPoint
from aura_analytics.store.privacy import SENT_AGAIN_MS, Erasure
from contract.following import PATIENCE_S, changed, settled
from contract.making import LATER, LEASE_MS, NOW, Watch, conversion, outcome, query, verdict, verdicts

MINE = [
    query("a", user_id="ann", session_id="s"),
    query("b", session_id="s"),
    query("c", user_id="ann", store_id="other"),
    outcome("a", answer_text="yes"),
    outcome("c"),
    conversion("k", query_id="a"),
    conversion("l", query_id=None, session_id="s"),
]
OTHERS = [
    query("x", user_id="bob", session_id="t"),
    query("y", session_id="t"),
    query("z", session_id="s", store_id="other"),
    outcome("x"),
    conversion("m", query_id="x"),
]


async def forget(store: Store, user_id: str = "ann", *, now: int = NOW, blocks: bool = False) -> Erasure:
    """Erase a person."""
    begun = await store.persons.begin(user_id, id=f"{user_id}-{now}", actor="test", blocks=blocks, now=now)
    return await go_on(store, begun, user_id, now=now)


async def go_on(store: Store, begun: Erasure, user_id: str = "ann", *, now: int = NOW) -> Erasure:
    """Erase a person whose erasure was begun."""
    done = await store.persons.erase(user_id, begun, now=now)
    return await store.persons.end(done, now=now, details={})


async def held(store: Store, user_id: str = "ann") -> dict[str, list[str]]:
    """Name what is kept of a person, by its kind."""
    found: dict[str, list[str]] = {"interactions": [], "conversions": [], "calls": []}
    async for part in store.persons.held(user_id):
        found["interactions"] += [one.query.id for one in part.interactions]
        found["conversions"] += [one.id for one in part.conversions]
        found["calls"] += [one.query_id for one in part.judge_calls]
    return {kind: sorted(ids) for kind, ids in found.items()}


async def ids(store: Store) -> list[str]:
    """The interactions that are there."""
    return sorted([row[0] async for rows in store.snapshot(100) for row in rows])


async def until_fewer(store: Store, count: int) -> None:
    """Wait until something was erased."""
    async with asyncio.timeout(PATIENCE_S):
        while await store.count() == count:  # noqa: ASYNC110 (another task's doing, which announces nothing)
            await asyncio.sleep(0)


async def bought(store: Store) -> list[str]:
    """The conversions that are there."""
    return sorted([row[0] async for rows in store.conversion_snapshot(100) for row in rows])


async def test_theirs_is_what_names_them_and_what_names_nobody_in_their_sessions(store: Store) -> None:
    await store.append([*MINE, *OTHERS])
    assert await held(store) == {"interactions": ["a", "b", "c"], "conversions": ["k", "l"], "calls": []}
    assert await held(store, "nobody") == {"interactions": [], "conversions": [], "calls": []}


async def test_all_of_theirs_is_erased_and_nothing_else(store: Store) -> None:
    await store.append([*MINE, *OTHERS])
    erased = (await forget(store)).erased
    assert await ids(store) == ["x", "y", "z"]
    assert await bought(store) == ["m"]
    counts = {"voice_queries": 3, "voice_outcomes": 2, "voice_conversions": 2, "evaluation_queue": 3}
    assert erased == counts
    assert await store.interaction("a") is None
    assert {claim.query_id for claim in await store.claim_due(9, now=LATER, lease_ms=LEASE_MS)} == {"x", "y", "z"}


async def test_labels_their_history_and_what_a_model_was_asked_go_too(store: Store) -> None:
    await store.append([*MINE, *OTHERS])
    claims = await store.claim_due(9, now=LATER, lease_ms=LEASE_MS)
    await store.settle(verdicts(claims))
    await store.review(verdict("a", "BAD", evaluated_by="human"))
    assert await store.lease_reviews(["c", "x"], reviewer="eve", limit=9, now=NOW, until=LATER) == ["c", "x"]
    erased = (await forget(store)).erased
    assert (erased["voice_evaluations"], erased["voice_evaluation_history"], erased["review_leases"]) == (3, 1, 1)
    assert await store.verdicts(["a", "b", "c"]) == []
    assert await store.leased_reviews(now=NOW) == {"x": "eve"}
    assert await store.automatic_verdicts(["a"]) == []


async def test_a_session_in_which_another_is_named_keeps_what_names_nobody(store: Store) -> None:
    shared = [
        query("a", user_id="ann", session_id="s"),
        query("b", session_id="s"),
        query("c", user_id="bob", session_id="s"),
    ]
    await store.append([*shared, conversion("l", query_id=None, session_id="s")])
    await forget(store)
    assert await ids(store) == ["b", "c"]
    assert await bought(store) == ["l"]


async def test_a_session_of_too_many_unnamed_turns_keeps_them(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    for room in ("sqlite", "postgres"):
        monkeypatch.setattr(f"aura_analytics.store.{room}.privacy.MOST_UNNAMED", 2)
    few = [query(f"f{n}", session_id="few") for n in range(2)]
    many = [query(f"m{n}", session_id="many") for n in range(3)]
    named = [query("a", user_id="ann", session_id="few"), query("b", user_id="ann", session_id="many")]
    await store.append([*few, *many, *named])
    await forget(store)
    assert await ids(store) == ["m0", "m1", "m2"]


async def test_followers_are_told_what_is_gone(store: Store) -> None:
    await store.append([*MINE, *OTHERS])
    before = await settled(store)
    await forget(store)
    assert await changed(store, before) == ["a", "b", "c"]
    changes = await store.changes(before, 1_000)
    assert sorted(changes.conversion_ids) == ["k", "l"]
    assert await store.wide_rows(changes.query_ids) == []


async def test_the_feed_forgets_which_interactions_it_was_once_all_have_followed(store: Store) -> None:
    await store.append(MINE)
    start = await settled(store)
    await store.acknowledge("columns", start, now=NOW)
    await forget(store)
    position = await store.persons.move_on(now=NOW)
    assert await store.persons.followed(position) == (0, 1)
    told = await settled(store)
    assert told.position == position
    await store.acknowledge("columns", told, now=NOW)
    assert await store.persons.followed(position) == (1, 0)
    assert not await store.knows(FeedPoint(position=0, moment=0))
    assert await store.knows(told)
    await store.append(OTHERS)
    assert await changed(store, told) == ["x", "y", "z"]


async def test_without_followers_the_feed_forgets_at_once(store: Store) -> None:
    await store.append(MINE)
    await forget(store)
    assert await store.persons.followed(await store.persons.move_on(now=NOW)) == (0, 0)
    assert await store.persons.bring_home()


async def test_what_is_sent_again_or_comes_late_brings_nothing_back(store: Store) -> None:
    await store.append([*MINE, *OTHERS])
    await forget(store)
    again: list[Event] = [*MINE, outcome("b"), conversion("n", query_id="c")]
    assert await store.append(again) == [False] * len(again)
    assert await ids(store) == ["x", "y", "z"]
    assert await bought(store) == ["m"]
    assert await held(store) == {"interactions": [], "conversions": [], "calls": []}


async def test_a_later_event_of_that_person_is_taken_in_as_new(store: Store) -> None:
    await store.append(MINE)
    await forget(store)
    assert await store.append([query("d", user_id="ann"), outcome("d")]) == [True, True]
    assert (await held(store))["interactions"] == ["d"]


@pytest.mark.parametrize("store_id", [None, "shop"])
async def test_what_is_bought_in_an_erased_session_isn_t_taken_in_until_somebody_speaks_there(
    store: Store, store_id: str | None
) -> None:
    def bought(id: str, **fields: Any) -> Event:
        return conversion(id, **{"query_id": None, "session_id": "s", "store_id": store_id, **fields})

    await store.append([*MINE[:2], query("t", user_id="bob", session_id="t")])
    await forget(store)
    assert await store.append([bought("1"), bought("2", session_id="t"), bought("3", store_id="other")]) == [
        False,
        True,
        True,
    ]
    # Who goes on there is somebody else, or the same person anew.
    assert await store.append([bought("4"), query("new", user_id="ann", session_id="s")]) == [True, True]
    assert await store.append([bought("5")]) == [True]


async def test_a_blocked_person_s_query_opens_no_erased_session(store: Store) -> None:
    await store.append([*MINE])
    await forget(store, blocks=True)
    late = conversion("late", query_id=None, session_id="s", store_id="shop")
    assert await store.append([query("new", user_id="ann", session_id="s"), late]) == [False, False]
    assert await store.conversion_rows(["late"]) == []


async def test_ids_are_free_again_when_nobody_sends_them_any_more(store: Store) -> None:
    await store.append(MINE)
    await forget(store)
    await forget(store, "bob", now=NOW + SENT_AGAIN_MS + 1)
    assert await store.append([query("a")]) == [True]


async def test_who_is_blocked_isn_t_taken_in_until_they_are_allowed(store: Store) -> None:
    await forget(store, blocks=True)
    await forget(store, now=NOW + 10 * SENT_AGAIN_MS)
    assert await store.append([query("d", user_id="ann"), query("e", user_id="bob")]) == [False, True]
    assert await store.persons.allow("ann")
    assert not await store.persons.allow("ann")
    assert await store.append([query("d", user_id="ann")]) == [True]


HERS: list[Event] = [
    query("d", user_id="ann"),
    outcome("d", answer_text="hers"),
    conversion("k", query_id="d", order_id="hers"),
]
EARLY = EarlyOutcome(outcome=outcome("d", answer_text="hers"), stores=("shop",))


async def kept_of(store: Store, query_id: str = "d") -> dict[str, Any]:
    """What waits under an id that no query has: told by a query of that id that is somebody else's."""
    bought = [row[0] for row in await store.conversion_rows(["k"])]
    assert await store.append([query(query_id, user_id="bob")]) == [True]
    [row] = await store.wide_rows([query_id])
    return {"answer": row[WIDE_COLUMNS.index("answer_text")], "bought": bought}


NOTHING = {"answer": None, "bought": []}
# When work is due that is never done: an outcome's without its query.
EVER = 2**63 - 1


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 0, 2)])
async def test_what_belongs_to_a_blocked_person_s_query_is_refused_with_it(
    store: Store, order: tuple[int, ...]
) -> None:
    await forget(store, blocks=True)
    assert await store.append([HERS[n] for n in order]) == [False] * 3
    assert (await store.queue_depth(now=EVER)).due == 0
    assert await kept_of(store) == NOTHING


@pytest.mark.parametrize("early_first", [True, False])
async def test_an_early_outcome_is_refused_with_a_blocked_person_s_query(store: Store, early_first: bool) -> None:
    await forget(store, blocks=True)
    sent = [EARLY, HERS[0]] if early_first else [HERS[0], EARLY]
    assert await store.append(sent) == [False, False]
    assert await kept_of(store) == NOTHING


async def test_what_comes_after_a_blocked_person_s_query_is_refused(
    store: Store, other_store: Store, watch: Watch
) -> None:
    await forget(store, blocks=True)
    assert await store.append(HERS[:1]) == [False]
    assert await store.append(HERS[1:]) == [False, False]
    assert await other_store.append([EARLY]) == [False]
    # The query that is sent again keeps it away for as long again.
    watch.now += SENT_AGAIN_MS - 1
    assert await store.append(HERS[:1]) == [False]
    await forget(store, "bob", now=watch() + SENT_AGAIN_MS - 1)
    assert await store.append(HERS[1:]) == [False, False]
    assert await kept_of(store) == NOTHING


async def test_what_came_before_a_blocked_person_s_query_is_erased_when_that_is_refused(store: Store) -> None:
    await forget(store, blocks=True)
    assert await store.append([outcome("x", answer_text="another's"), conversion("m", query_id="x")]) == [True, True]
    work = await store.queue_depth(now=EVER)
    assert await store.append([*HERS[1:], EARLY]) == [True] * 3
    start = await settled(store)
    assert await store.append(HERS[:1]) == [False]
    assert await changed(store, start) == ["d"]
    assert (await store.changes(start, 1_000)).conversion_ids == ["k"]
    assert await store.queue_depth(now=EVER) == work
    assert await kept_of(store) == NOTHING
    assert await kept_of(store, "x") == NOTHING | {"answer": "another's"}
    assert [row[0] for row in await store.conversion_rows(["m"])] == ["m"]


async def test_an_early_outcome_that_waits_is_erased_when_a_blocked_person_s_query_comes(store: Store) -> None:
    await forget(store, blocks=True)
    assert await store.append([EARLY]) == [True]
    assert await store.append(HERS[:1]) == [False]
    assert await kept_of(store) == NOTHING


async def test_a_blocked_person_touches_nothing_of_another_s_query(store: Store) -> None:
    await forget(store, blocks=True)
    others = [query("d", user_id="bob"), outcome("d", answer_text="his"), conversion("k", query_id="d")]
    assert await store.append(others[:2]) == [True, True]
    assert await store.append(HERS[:1]) == [False]
    assert await store.append([*others[:2], others[2]]) == [False, False, True]
    assert await store.append(HERS) == [False] * 3
    [row] = await store.wide_rows(["d"])
    assert row[WIDE_COLUMNS.index("answer_text")] == "his"
    assert [row[0] for row in await store.conversion_rows(["k"])] == ["k"]
    assert (await store.queue_depth(now=EVER)).due == 1


async def test_an_id_that_a_blocked_person_has_sent_is_whose_query_is_taken_in_under_it(store: Store) -> None:
    await forget(store, blocks=True)
    assert await store.append(HERS[:1]) == [False]
    assert await store.append([query("d", user_id="bob")]) == [True]
    assert await store.append([outcome("d", answer_text="his"), conversion("k", query_id="d")]) == [True, True]
    [row] = await store.wide_rows(["d"])
    assert row[WIDE_COLUMNS.index("answer_text")] == "his"


@pytest.mark.parametrize("at_once", [True, False])
async def test_who_is_allowed_again_has_all_of_it_taken_in(store: Store, at_once: bool) -> None:
    await forget(store, blocks=True)
    assert await store.append(HERS) == [False] * 3
    assert await store.persons.allow("ann")
    assert await store.append([HERS[1]]) == [False]
    sent = [HERS] if at_once else [[event] for event in HERS]
    assert [news for call in sent for news in await store.append(call)] == [True] * 3
    [row] = await store.wide_rows(["d"])
    assert row[WIDE_COLUMNS.index("answer_text")] == "hers"
    assert [row[0] for row in await store.conversion_rows(["k"])] == ["k"]


async def test_what_comes_at_the_moment_at_which_a_blocked_person_s_query_is_refused_isn_t_left_behind(
    store: Store, other_store: Store
) -> None:
    await forget(store, blocks=True)
    names = [f"q{n}" for n in range(100)]

    async def at_once(id: str) -> None:
        late = [outcome(id, answer_text="hers"), conversion(id, query_id=id)]
        early = EarlyOutcome(outcome=outcome(f"e{id}", answer_text="hers"), stores=("shop",))
        asked: list[Event] = [query(id, user_id="ann"), query(f"e{id}", user_id="ann")]
        refused, *_ = await asyncio.gather(
            store.append(asked), other_store.append([*late, early]), store.append([query(f"x{id}"), outcome(f"x{id}")])
        )
        assert refused == [False, False]

    for first in range(0, len(names), 10):
        await asyncio.gather(*map(at_once, names[first : first + 10]))
    assert await store.conversion_rows(names) == []
    theirs = [*names, *(f"e{id}" for id in names)]
    assert await store.append([query(id, user_id="bob") for id in theirs]) == [True] * len(theirs)
    rows = await store.wide_rows(theirs)
    assert not any(row[WIDE_COLUMNS.index("has_outcome")] for row in rows)
    others = await store.wide_rows([f"x{id}" for id in names])
    assert [row[WIDE_COLUMNS.index("has_outcome")] for row in others] == [1] * len(names)


async def test_a_claim_of_what_was_erased_gives_no_label_and_notes_no_request(store: Store) -> None:
    await store.append(MINE)
    [claim, *_] = await store.claim_due(1, now=LATER, lease_ms=LEASE_MS)
    await forget(store)
    call: Any = {"query_id": claim.query_id, "store_id": "shop", "called_at": NOW, "model": "m", "rubric": "r"}
    made = privacy_room.JudgeCall(**call, outcome="answered", duration_ms=1.0)
    assert await store.settle(verdicts([claim]), [made]) == 0
    assert await store.judge_calls(since=0, until=LATER, store_id=None) == []
    assert not await store.review(verdict(claim.query_id))


async def test_what_was_broken_off_goes_on_and_is_counted_from_the_beginning(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    for room in ("sqlite", "postgres"):
        monkeypatch.setattr(f"aura_analytics.store.{room}.privacy.STEP_IDS", 1)
    await store.append([query(f"q{n}", user_id="ann") for n in range(6)])
    begun = await store.persons.begin("ann", id="first", actor="test", blocks=False, now=NOW)
    work = asyncio.ensure_future(store.persons.erase("ann", begun, now=NOW))
    await until_fewer(store, 6)
    work.cancel()
    await asyncio.gather(work, return_exceptions=True)
    again = await store.persons.begin("ann", id="second", actor="test", blocks=False, now=NOW)
    assert again.id == "first"
    done = await store.persons.end(await store.persons.erase("ann", again, now=NOW), now=NOW, details={})
    assert await store.count() == 0
    assert done.erased["voice_queries"] == 6
    assert (await store.persons.begin("ann", id="third", actor="test", blocks=False, now=NOW)).id == "third"


async def test_the_record_names_a_hash_and_not_the_person(store: Store) -> None:
    await store.append(MINE)
    done = await forget(store)
    assert await store.persons.end(replace(done, ended_at=None), now=NOW + 1, details={}) == done
    [entry] = await store.keys.audit(9, action="person.forgotten")
    assert (entry.subject, entry.actor) == (await store.persons.pseudonym("ann"), "test")
    assert "ann" not in entry.subject
    assert await store.keys.audit(9, since=NOW + 1) == []
    assert await store.persons.last_erasure() == NOW


async def test_two_at_once_erase_it_once(store: Store, other_store: Store) -> None:
    await store.append([query(f"q{n}", user_id="ann", session_id=f"s{n % 3}") for n in range(300)])
    both = (store, other_store)
    # Each has begun before any is at its end: who comes later has nothing to go on with, and begins another one.
    begun = await asyncio.gather(
        *(one.persons.begin("ann", id=f"by-{n}", actor="test", blocks=False, now=NOW) for n, one in enumerate(both))
    )
    assert begun[0].id == begun[1].id
    await asyncio.gather(*(go_on(one, erasure) for one, erasure in zip(both, begun, strict=True)))
    assert await store.count() == 0
    assert len(await store.keys.audit(9, action="person.forgotten")) == 1


async def test_an_outcome_that_comes_at_the_same_moment_isn_t_left_alone(
    store: Store, other_store: Store, watch: Watch
) -> None:
    await store.append([query(f"q{n}", user_id="ann") for n in range(200)])
    late = [asyncio.ensure_future(other_store.append([outcome(f"q{n}", answer_text="mine")])) for n in range(200)]
    await forget(store, now=watch())
    await asyncio.gather(*late)
    assert await store.append([outcome(f"q{n}") for n in range(200)]) == [False] * 200
    # Once the ids may come again, there is no answer that waited for them.
    await forget(store, "bob", now=watch() + SENT_AGAIN_MS + 1)
    await store.append([query(f"q{n}") for n in range(200)])
    assert all([row[WIDE_COLUMNS.index("has_outcome")] == 0 async for rows in store.snapshot(1_000) for row in rows])
