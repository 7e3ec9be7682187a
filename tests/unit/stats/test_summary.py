"""The summary, by the contract's own sentences."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import msgspec
import pytest

from aura_analytics.stats.reader import ColumnReader
from aura_analytics.stats.scope import Scope, parse
from aura_analytics.stats.summary import Labels, Summary, summary
from contract.making import GRACE_MS, NOW, outcome, query, verdict

Loaded = Callable[..., AbstractAsyncContextManager[ColumnReader]]
CONTRACT_KEYS = {
    "storeId",
    "period",
    "totalQueries",
    "successfulQueries",
    "failedQueries",
    "averageLatencyMs",
    "totalCostUsd",
    "uniqueSessions",
    "conversionRate",
    "unansweredRate",
}


async def test_an_empty_window_has_zeros_and_no_average(loaded: Loaded) -> None:
    async with loaded([]) as reader:
        found = await summary(reader, Scope())
    assert found == Summary(
        store_id="all",
        period="all",
        total_queries=0,
        successful_queries=0,
        failed_queries=0,
        average_latency_ms=None,
        p50_latency_ms=None,
        p95_latency_ms=None,
        p99_latency_ms=None,
        total_cost_usd=0,
        cost_per_successful_query_usd=None,
        total_tokens=0,
        prompt_tokens=0,
        completion_tokens=0,
        unique_sessions=0,
        conversion_rate=0,
        unanswered_rate=0,
        labels=Labels(good=0, review=0, bad=0, unlabelled=0),
        start=None,
        end=None,
    )


async def test_the_keys_are_those_of_the_contract(loaded: Loaded) -> None:
    async with loaded([query("a", store_id="shop")]) as reader:
        written = msgspec.json.decode(
            msgspec.json.encode(await summary(reader, parse({"store": "shop", "period": "7d"}, now=NOW)))
        )
    assert written.keys() >= CONTRACT_KEYS
    assert (written["storeId"], written["period"]) == ("shop", "7d")


@pytest.mark.parametrize(
    ("of_outcome", "successful", "failed"),
    [
        (None, 0, 0),
        ({}, 0, 0),
        ({"action_success": True}, 1, 0),
        ({"action_success": False}, 0, 1),
        ({"error_flag": True}, 0, 1),
        ({"error_flag": False}, 0, 0),
        ({"action_success": True, "error_flag": True}, 1, 1),
        ({"action_success": False, "error_flag": True}, 0, 1),
        ({"action_success": True, "error_flag": False}, 1, 0),
    ],
)
async def test_what_is_successful_and_what_has_failed(
    loaded: Loaded, of_outcome: dict[str, Any] | None, successful: int, failed: int
) -> None:
    events = [query("a")] if of_outcome is None else [query("a"), outcome("a", **of_outcome)]
    async with loaded(events) as reader:
        found = await summary(reader, Scope())
    assert (found.successful_queries, found.failed_queries) == (successful, failed)


async def test_averages_leave_absent_values_out(loaded: Loaded) -> None:
    events = [query(id) for id in "abcd"] + [
        outcome("a", latency_ms=100),
        outcome("b", latency_ms=300.5),
        outcome("c", cost_usd=0.5),
    ]
    async with loaded(events) as reader:
        found = await summary(reader, Scope())
    assert found.average_latency_ms == 200.25
    assert found.total_cost_usd == 0.5


async def test_costs_do_not_drift_with_their_number(loaded: Loaded) -> None:
    events = [event for n in range(3_000) for event in (query(f"q{n}"), outcome(f"q{n}", cost_usd=0.0001))]
    async with loaded(events) as reader:
        assert (await summary(reader, Scope())).total_cost_usd == 0.3


async def test_sessions_are_counted_once_and_unknown_ones_not_at_all(loaded: Loaded) -> None:
    sessions = ["s", "s", "t", None, None]
    async with loaded([query(str(n), session_id=session) for n, session in enumerate(sessions)]) as reader:
        assert (await summary(reader, Scope())).unique_sessions == 2


async def test_a_slow_answer_is_left_out_of_the_rate(loaded: Loaded) -> None:
    events = [
        event
        for id, latency in {"slow": 20_000, "quick": 10}.items()
        for event in (query(id), outcome(id, latency_ms=latency, action_success=True))
    ]
    async with loaded(events) as reader:
        assert (await summary(reader, Scope())).unanswered_rate == 0


@pytest.mark.parametrize(
    ("of_outcome", "label"),
    [
        ({"error_flag": True}, None),
        ({"action_success": False}, None),
        ({"action_success": True}, "BAD"),
        ({"action_success": True}, "REVIEW"),
        ({"latency_ms": 20_000, "error_flag": True}, None),
    ],
)
async def test_what_counts_as_unanswered_counts_once(
    loaded: Loaded, of_outcome: dict[str, Any], label: str | None
) -> None:
    events = [query("a"), outcome("a", **of_outcome), query("b"), outcome("b", action_success=True)]
    verdicts = {"b": verdict("b", "GOOD")} | ({"a": verdict("a", label)} if label else {})  # type: ignore[arg-type]
    async with loaded(events, verdicts) as reader:
        assert (await summary(reader, Scope())).unanswered_rate == 0.5


@pytest.mark.parametrize(("age", "rate"), [(0, 0), (GRACE_MS - 1, 0), (GRACE_MS, 1), (GRACE_MS + 1, 1)])
async def test_a_query_without_an_outcome_is_unanswered_only_after_the_grace_time(
    loaded: Loaded, age: int, rate: float
) -> None:
    async with loaded([query("a", created_at=NOW - age)]) as reader:
        assert (await summary(reader, Scope())).unanswered_rate == rate


async def test_both_ends_of_a_window_are_included(loaded: Loaded) -> None:
    async with loaded([query(str(n), created_at=NOW + n) for n in range(5)]) as reader:
        assert (await summary(reader, Scope(start=NOW + 1, end=NOW + 3))).total_queries == 3
        assert (await summary(reader, Scope(start=NOW + 1, end=NOW + 1))).total_queries == 1


async def test_a_store_has_only_its_own(loaded: Loaded) -> None:
    stores = ["a", "a", "A", "b", "a'; --"]
    async with loaded([query(str(n), store_id=store) for n, store in enumerate(stores)]) as reader:
        for store in set(stores):
            found = await summary(reader, Scope(stores=(store,)))
            assert (found.store_id, found.total_queries) == (store, stores.count(store))
