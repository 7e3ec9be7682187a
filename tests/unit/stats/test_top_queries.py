"""The most frequent texts, by the contract's own sentences."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

import msgspec

from aura_analytics.stats.reader import ColumnReader
from aura_analytics.stats.scope import Scope
from aura_analytics.stats.top_queries import top_queries
from contract.making import outcome, query

Loaded = Callable[..., AbstractAsyncContextManager[ColumnReader]]


async def test_texts_come_the_most_frequent_first_with_the_share_that_succeeded_in_percent(loaded: Loaded) -> None:
    events = [
        query("1", query_text="bread"),
        *(query(f"m{n}", query_text="milk", intent="find") for n in range(4)),
        outcome("m0", latency_ms=100, action_success=True),
        outcome("m1", latency_ms=200, action_success=False),
        outcome("m2", action_success=None),
    ]
    async with loaded(events) as reader:
        found = msgspec.to_builtins(await top_queries(reader, Scope(), 20))
        assert found == [
            {"queryText": "milk", "intent": "find", "count": 4, "avgLatencyMs": 150.0, "successRate": 25.0},
            {"queryText": "bread", "intent": None, "count": 1, "avgLatencyMs": None, "successRate": 0.0},
        ]
        assert msgspec.to_builtins(await top_queries(reader, Scope(), 1)) == found[:1]


async def test_nothing_asked_is_nothing_listed(loaded: Loaded) -> None:
    async with loaded([]) as reader:
        assert await top_queries(reader, Scope(), 20) == []
