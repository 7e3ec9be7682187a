"""The hours, by the contract's own sentences, whatever stands in a database that others have written to."""

import sqlite3
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, closing
from pathlib import Path

import msgspec
import pytest

from aura_analytics.projection import Projection
from aura_analytics.stats.hourly import hourly
from aura_analytics.stats.reader import ColumnReader
from aura_analytics.stats.scope import Scope
from aura_analytics.store.sqlite import SqliteStore, migrate
from contract.making import NOW, outcome, query

Loaded = Callable[..., AbstractAsyncContextManager[ColumnReader]]

HOUR_MS = 3_600_000
# 2025-10-09T08:00:00Z
HOUR = 1_759_996_800_000
FIRST_OF_YEAR_10000 = 253_402_300_800_000


async def test_hours_come_the_newest_first_and_end_before_the_next(loaded: Loaded) -> None:
    events = [
        query("before", created_at=HOUR - 1),
        query("first", created_at=HOUR, session_id="s"),
        outcome("first", latency_ms=100, cost_usd=0.25, action_success=True),
        query("last", created_at=HOUR + HOUR_MS - 1, session_id="s"),
        outcome("last", latency_ms=200, cost_usd=0.5, error_flag=True),
        query("after", created_at=HOUR + HOUR_MS),
    ]
    async with loaded(events) as reader:
        found = msgspec.to_builtins(await hourly(reader, Scope(), 20))
    nothing = {"successes": 0, "failures": 0, "avgLatencyMs": None, "costUsd": 0.0, "sessions": 0}
    assert found == [
        {"hour": "2025-10-09T09:00:00Z", "queries": 1, **nothing},
        {
            "hour": "2025-10-09T08:00:00Z",
            "queries": 2,
            "successes": 1,
            "failures": 1,
            "avgLatencyMs": 150.0,
            "costUsd": 0.75,
            "sessions": 1,
        },
        {"hour": "2025-10-09T07:00:00Z", "queries": 1, **nothing},
    ]


async def test_the_ends_of_time_are_hours_like_any_other(loaded: Loaded) -> None:
    async with loaded([query("a", created_at=0), query("b", created_at=FIRST_OF_YEAR_10000 - 1)]) as reader:
        assert [row.hour for row in await hourly(reader, Scope(), 20)] == [
            "9999-12-31T23:00:00Z",
            "1970-01-01T00:00:00Z",
        ]


@pytest.mark.parametrize("moment", [FIRST_OF_YEAR_10000, 2**60, -(2**60), "'yesterday'"])
async def test_a_moment_that_no_calendar_has_costs_the_others_nothing(tmp_path: Path, moment: int | str) -> None:
    url = f"sqlite:///{tmp_path}/aura.db"
    migrate(url)
    with closing(sqlite3.connect(tmp_path / "aura.db", isolation_level=None)) as connection:
        connection.execute(
            "INSERT INTO voice_queries (id, store_id, created_at, query_text) "
            f"VALUES ('a', 's', {moment}, 't'), ('b', 's', {NOW}, 't')"
        )
    store = SqliteStore(url)
    await store.open()
    projection = Projection(store, None, memory_mb=256, threads=1)
    await projection.start()
    try:
        await projection.built()
        found = await hourly(ColumnReader(projection, grace_ms=0), Scope(), 20)
        assert "2025-10-09T08:00:00Z" in [row.hour for row in found]
    finally:
        await projection.stop()
        await store.close()
