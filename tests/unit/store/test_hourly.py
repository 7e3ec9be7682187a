"""The sums of hours: saved in place of those that stand, and only where they say something else."""

import sqlite3
from collections.abc import Callable
from typing import Any

import pytest

from aura_analytics.store.port import HourlySums
from aura_analytics.store.sqlite import SqliteStore
from aura_analytics.store.sqlite.database import HOURLY_ROWS

Raw = Callable[[], sqlite3.Connection]

HOUR = 1_699_999_200


def sums(store_id: str = "shop", hour_bucket: int = HOUR, **fields: Any) -> HourlySums:
    whole = {
        "total_queries": 4,
        "successful_queries": 2,
        "failed_queries": 1,
        "total_latency_ms": 812.5,
        "unique_sessions": 3,
        "total_cost_usd": 0.125,
        **fields,
    }
    return HourlySums(store_id=store_id, hour_bucket=hour_bucket, **whole)


def saved(raw: Raw) -> list[tuple[object, ...]]:
    return raw().execute("SELECT * FROM voice_stats_hourly ORDER BY store_id, hour_bucket").fetchall()


async def test_an_hour_is_saved_by_its_store_with_whole_milliseconds(store: SqliteStore, raw: Raw) -> None:
    await store.save_hourly([sums(), sums("other"), sums(hour_bucket=HOUR + 3_600, total_latency_ms=813.4)])
    assert saved(raw) == [
        ("other", HOUR, 4, 2, 1, 812, 3, 0.125),
        ("shop", HOUR, 4, 2, 1, 812, 3, 0.125),
        ("shop", HOUR + 3_600, 4, 2, 1, 813, 3, 0.125),
    ]


async def test_it_takes_the_place_of_what_stands(store: SqliteStore, raw: Raw) -> None:
    raw().execute("INSERT INTO voice_stats_hourly (store_id, hour_bucket) VALUES ('shop', ?)", (HOUR,))
    await store.save_hourly([sums()])
    await store.save_hourly([sums(total_queries=5, successful_queries=3)])
    assert saved(raw) == [("shop", HOUR, 5, 3, 1, 812, 3, 0.125)]


async def test_of_the_same_hour_twice_the_last_counts(store: SqliteStore, raw: Raw) -> None:
    await store.save_hourly([sums(), sums(unique_sessions=9)])
    assert saved(raw) == [("shop", HOUR, 4, 2, 1, 812, 9, 0.125)]


async def test_nothing_saved_is_nothing_changed(store: SqliteStore, raw: Raw) -> None:
    await store.save_hourly([])
    assert saved(raw) == []


@pytest.mark.parametrize("count", [1, HOURLY_ROWS, HOURLY_ROWS + 1, 2 * HOURLY_ROWS + 7])
async def test_many_are_saved_all(store: SqliteStore, raw: Raw, count: int) -> None:
    await store.save_hourly([sums(hour_bucket=3_600 * n, total_queries=n + 1) for n in range(count)])
    assert [(row[1], row[2]) for row in saved(raw)] == [(3_600 * n, n + 1) for n in range(count)]


async def test_what_says_the_same_is_not_written_again(store: SqliteStore, raw: Raw) -> None:
    """A dashboard's triggers, and the log of the file, see only what is news."""
    await store.save_hourly([sums(), sums("other")])
    raw().execute("CREATE TABLE seen (store_id TEXT)")
    raw().execute(
        "CREATE TRIGGER see AFTER UPDATE ON voice_stats_hourly BEGIN INSERT INTO seen VALUES (new.store_id); END"
    )
    await store.save_hourly([sums(), sums("other", total_cost_usd=0.5)])
    assert raw().execute("SELECT store_id FROM seen").fetchall() == [("other",)]
