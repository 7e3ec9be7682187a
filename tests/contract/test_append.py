"""Appending: what is new and what is known, what belongs together, all or none, and many at once."""

import asyncio
import random
from typing import Any

import pytest

from aura_analytics.errors import QueueFull
from aura_analytics.events.records import Event
from aura_analytics.store import Store
from contract.backends import Backend
from contract.making import LATER, LEASE_MS, NOW, Watch, by_id, outcome, query, wide

BEYOND_EVERY_INTEGER = 2**70


async def test_new_and_known_events_are_told_apart_in_the_order_of_the_call(store: Store) -> None:
    assert await store.append([query("b"), outcome("a")]) == [True, True]
    assert await store.append([query("a"), query("b"), outcome("c"), outcome("a"), query("c")]) == [
        True,
        False,
        True,
        False,
        True,
    ]


async def test_nothing_appended_is_nothing_new(store: Store) -> None:
    assert await store.append([]) == []
    assert await store.count() == 0


async def test_within_a_call_the_first_event_of_an_id_wins(store: Store) -> None:
    first, second = query("a", query_text="first"), query("a", query_text="second")
    good, bad = outcome("a", answer_text="first"), outcome("a", answer_text="second")
    assert await store.append([first, good, second, bad]) == [True, True, False, False]
    assert by_id(await store.wide_rows(["a"])) == {"a": wide(first, good)}


async def test_a_later_event_of_an_id_changes_nothing(store: Store) -> None:
    first, good = query("a", query_text="first", intent="find"), outcome("a", latency_ms=1)
    await store.append([first, good])
    later: list[Event] = [
        query("a", query_text="second", store_id="elsewhere"),
        outcome("a", latency_ms=2, answer_text="more"),
    ]
    assert await store.append(later) == [False, False]
    assert by_id(await store.wide_rows(["a"])) == {"a": wide(first, good)}
    assert await store.count() == 1


@pytest.mark.parametrize("in_one_call", [True, False])
@pytest.mark.parametrize("outcome_first", [True, False])
async def test_what_belongs_together_meets_in_any_order(store: Store, in_one_call: bool, outcome_first: bool) -> None:
    asked, done = query("a"), outcome("a", answer_text="aisle 3")
    events: list[Event] = [done, asked] if outcome_first else [asked, done]
    for call in [events] if in_one_call else [[event] for event in events]:
        assert all(await store.append(call))
    assert by_id(await store.wide_rows(["a"])) == {"a": wide(asked, done)}


async def test_an_outcome_without_its_query_is_kept_but_is_no_interaction(store: Store) -> None:
    await store.append([outcome("a")])
    assert await store.count() == 0
    assert await store.wide_rows(["a"]) == []
    assert await store.append([outcome("a")]) == [False]


async def test_ten_thousand_events_go_in_one_call(store: Store) -> None:
    events: list[Event] = [event for n in range(5_000) for event in (query(f"q{n}"), outcome(f"q{n}", latency_ms=n))]
    random.Random(7).shuffle(events)
    assert await store.append(events) == [True] * 10_000
    assert await store.append(events) == [False] * 10_000
    rows = by_id(await store.wide_rows([f"q{n}" for n in range(5_000)]))
    assert {id: row["latency_ms"] for id, row in rows.items()} == {f"q{n}": n for n in range(5_000)}
    assert await store.count() == 5_000


FULL_QUERY: dict[str, Any] = {
    "session_id": "session",
    "user_id": "user",
    "query_text": "wo sind die 🍎?",
    "query_source": "text",
    "transcription_conf": 0.123456789012345,
    "audio_duration_ms": 2**53 + 1,
    "intent": "find_product",
    "fast_path": True,
    "correlation_id": "correlation",
    "extra": {"own": [1, None, {"deep": "é"}], "big": 2**53 + 1},
}
FULL_OUTCOME: dict[str, Any] = {
    "answer_text": "Gang 3 👍🏽\n“rechts”",
    "model_name": "gemini",
    "latency_ms": 812.5,
    "tokens_prompt": 2**53 + 1,
    "tokens_completion": 2**63 - 1,
    "tokens_total": 0,
    "cost_usd": 1e-9,
    "action_taken": "PRODUCT_LOOKUP",
    "action_success": False,
    "error_flag": True,
    "error_message": "'; DROP TABLE voice_queries; --",
    "tool_calls": ["search", {"name": "cart", "arguments": {"n": 2**53 + 1}}, None],
    "correlation_id": "correlation",
    "extra": {"own": "x"},
}
# What a judge has no use for, and what a claim therefore needn't carry.
NOT_CLAIMED = {"correlation_id": None, "extra": None}


@pytest.mark.parametrize(
    ("of_query", "of_outcome"),
    [
        pytest.param(FULL_QUERY, FULL_OUTCOME, id="all there"),
        pytest.param({}, {}, id="all absent"),
        pytest.param({"extra": {}}, {"tool_calls": [], "extra": {}}, id="empty"),
        pytest.param({"query_text": ""}, {"answer_text": "", "error_message": ""}, id="empty texts"),
        pytest.param({"query_text": "x" * 200_000}, {"answer_text": "é" * 200_000}, id="long texts"),
        pytest.param({"query_text": "ﷺ \u202e\ufffd\x01\x7f\t"}, {"latency_ms": 0, "cost_usd": 0.0}, id="odd"),
        pytest.param({"transcription_conf": 1}, {"latency_ms": 1e300, "action_success": True}, id="far"),
    ],
)
async def test_every_field_comes_back_as_it_was(
    store: Store, of_query: dict[str, Any], of_outcome: dict[str, Any]
) -> None:
    asked, done = query("a", **of_query), outcome("a", **of_outcome)
    alone = query("alone", **of_query)
    await store.append([asked, done, alone])

    rows = by_id(await store.wide_rows(["a", "alone"]))
    assert rows == {"a": wide(asked, done), "alone": wide(alone)}

    claims = {claim.query_id: claim for claim in await store.claim_due(10, now=LATER, lease_ms=LEASE_MS)}
    assert claims["a"].interaction.query == query("a", **of_query | NOT_CLAIMED)
    assert claims["a"].interaction.outcome == outcome("a", **of_outcome | NOT_CLAIMED)
    assert claims["alone"].interaction.outcome is None


async def test_no_flag_is_not_the_same_as_a_false_one(store: Store) -> None:
    await store.append(
        [query("unknown"), outcome("unknown"), query("no"), outcome("no", action_success=False, error_flag=False)]
    )
    rows = by_id(await store.wide_rows(["unknown", "no"]))
    assert [rows["unknown"][name] for name in ("action_success", "error_flag")] == [None, None]
    assert [rows["no"][name] for name in ("action_success", "error_flag")] == [0, 0]


async def test_a_call_that_cannot_be_stored_stores_nothing_and_harms_no_other(store: Store) -> None:
    calls: list[list[Event]] = [
        [query("a")],
        [query("b"), query("bad", created_at=BEYOND_EVERY_INTEGER), query("c")],
        [query("d")],
    ]
    before, bad, after = await asyncio.gather(*map(store.append, calls), return_exceptions=True)
    assert before == [True]
    assert after == [True]
    assert isinstance(bad, Exception)
    assert await store.append([query(id) for id in "abcd"]) == [False, True, True, False]


async def test_more_than_may_wait_is_refused_whole_and_the_rest_is_kept(
    backend: Backend, database: str, watch: Watch
) -> None:
    store = await backend.open(database, clock=watch, most_waiting=50)
    calls = [[query(f"{call}-{n}") for n in range(20)] for call in range(40)]
    answers = await asyncio.gather(*map(store.append, calls), return_exceptions=True)
    refused = [isinstance(answer, QueueFull) for answer in answers]
    assert any(refused)
    assert not all(refused)
    assert all(answer == [True] * 20 for answer, no in zip(answers, refused, strict=True) if not no)
    for call, no in zip(calls, refused, strict=True):
        assert await store.append(call) == [no] * 20


async def test_a_refusal_says_when_to_come_back(backend: Backend, database: str, watch: Watch) -> None:
    store = await backend.open(database, clock=watch, most_waiting=1)
    calls = [store.append([query(str(n))]) for n in range(50)]
    refusals = [
        answer for answer in await asyncio.gather(*calls, return_exceptions=True) if isinstance(answer, QueueFull)
    ]
    assert refusals
    assert all(refusal.retry_after_s >= 1 for refusal in refusals)


def shuffled(seed: int, ids: int) -> list[Event]:
    events: list[Event] = [event for n in range(ids) for event in (query(f"q{n}"), outcome(f"q{n}"))]
    random.Random(seed).shuffle(events)
    return events


async def assert_each_is_new_once(stores: list[Store]) -> None:
    """Have many tasks append the same events, each in its own order and cut in two."""
    calls = [half for seed in range(30) for events in [shuffled(seed, 20)] for half in (events[:17], events[17:])]
    answers = await asyncio.gather(*(stores[n % len(stores)].append(call) for n, call in enumerate(calls)))
    new = [
        event
        for call, news in zip(calls, answers, strict=True)
        for event, is_new in zip(call, news, strict=True)
        if is_new
    ]
    assert len(new) == 40
    assert set(map(repr, new)) == set(map(repr, shuffled(0, 20)))
    for store in stores:
        rows = by_id(await store.wide_rows([f"q{n}" for n in range(20)]))
        assert len(rows) == 20
        assert all(row["has_outcome"] for row in rows.values())


async def test_of_many_tasks_with_the_same_event_one_is_told_that_it_is_new(store: Store) -> None:
    await assert_each_is_new_once([store])


async def test_of_two_servers_with_the_same_event_one_is_told_that_it_is_new(store: Store, other_store: Store) -> None:
    await assert_each_is_new_once([store, other_store])


async def test_a_query_and_its_outcome_meet_across_two_servers(store: Store, other_store: Store) -> None:
    await asyncio.gather(
        *(store.append([query(f"q{n}")]) for n in range(30)),
        *(other_store.append([outcome(f"q{n}")]) for n in range(30)),
    )
    rows = by_id(await store.wide_rows([f"q{n}" for n in range(30)]))
    assert len(rows) == 30
    assert all(row["has_outcome"] for row in rows.values())
    assert len(await other_store.claim_due(100, now=NOW, lease_ms=LEASE_MS)) == 30
