"""What wasn't answered and why, by the contract's own sentences."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import msgspec
import pytest

from aura_analytics.events.records import Label
from aura_analytics.stats.reader import ColumnReader
from aura_analytics.stats.scope import Scope
from aura_analytics.stats.unanswered import unanswered
from contract.making import GRACE_MS, NOW, outcome, query, verdict

Loaded = Callable[..., AbstractAsyncContextManager[ColumnReader]]


@pytest.mark.parametrize(
    ("of_outcome", "label", "reasons"),
    [
        ({"error_flag": True}, None, ["error"]),
        ({"action_success": False}, None, ["action_failed"]),
        ({}, "BAD", ["bad_quality"]),
        ({}, "REVIEW", ["needs_review"]),
        ({"latency_ms": 8_001}, None, ["slow_response"]),
        ({"latency_ms": 8_000}, None, None),
        ({"latency_ms": 8_000.5}, None, ["slow_response"]),
        (
            {"error_flag": True, "action_success": False, "latency_ms": 9_000},
            "BAD",
            ["error", "action_failed", "bad_quality", "slow_response"],
        ),
        ({}, None, None),
        ({}, "GOOD", None),
        ({"action_success": True, "error_flag": False}, "GOOD", None),
    ],
)
async def test_why_a_query_is_unanswered(
    loaded: Loaded, of_outcome: dict[str, Any], label: Label | None, reasons: list[str] | None
) -> None:
    verdicts = {"a": verdict("a", label)} if label else {}
    async with loaded([query("a", created_at=NOW - GRACE_MS), outcome("a", **of_outcome)], verdicts) as reader:
        found = await unanswered(reader, Scope(), 20)
    assert [row.reasons for row in found] == ([reasons] if reasons else [])


@pytest.mark.parametrize(("age", "reasons"), [(GRACE_MS - 1, []), (GRACE_MS, [["no_response"]])])
async def test_no_response_is_known_only_after_the_grace_time(
    loaded: Loaded, age: int, reasons: list[list[str]]
) -> None:
    async with loaded([query("a", created_at=NOW - age), outcome("orphan", error_flag=True)]) as reader:
        assert [row.reasons for row in await unanswered(reader, Scope(), 20)] == reasons


async def test_occurrences_are_gathered_by_text_and_intent_with_all_their_reasons(loaded: Loaded) -> None:
    told: list[tuple[str, str | None, int, dict[str, Any]]] = [
        ("milk", "find", 1, {"error_flag": True}),
        ("milk", "find", 3, {"action_success": False}),
        ("milk", "find", 2, {"action_success": True}),
        ("milk", None, 9, {"latency_ms": 10_000}),
        ("bread", "find", 5, {"error_flag": True}),
        ("bread", "find", 4, {"error_flag": True}),
        ("bread", "find", 6, {"error_flag": True}),
    ]
    events = [
        event
        for n, (text, intent, later, of_outcome) in enumerate(told)
        for event in (
            query(str(n), query_text=text, intent=intent, created_at=NOW + later),
            outcome(str(n), **of_outcome),
        )
    ]
    async with loaded(events) as reader:
        found = msgspec.to_builtins(await unanswered(reader, Scope(), 20))
    assert found == [
        {"queryText": "bread", "intent": "find", "occurrences": 3, "lastSeen": NOW + 6, "reasons": ["error"]},
        {
            "queryText": "milk",
            "intent": "find",
            "occurrences": 2,
            "lastSeen": NOW + 3,
            "reasons": ["error", "action_failed"],
        },
        {"queryText": "milk", "intent": None, "occurrences": 1, "lastSeen": NOW + 9, "reasons": ["slow_response"]},
    ]
