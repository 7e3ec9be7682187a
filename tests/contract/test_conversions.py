"""Conversions: each once, in any order, told to the followers, and read one by one or all of them."""

import asyncio
from typing import Any

import pytest

from aura_analytics.events.records import Event
from aura_analytics.store import Store
from aura_analytics.store.port import CONVERSION_COLUMNS, ConversionRow
from contract.following import settled
from contract.making import LATER, LEASE_MS, NOW, conversion, conversion_row, outcome, query

FULL: dict[str, Any] = {
    "query_id": "query 🍎",
    "session_id": "session",
    "store_id": "shop",
    "occurred_at": NOW - 1,
    "value": 49.123456789012345,
    "currency": "EUR",
    "order_id": "'; DROP TABLE voice_conversions; --",
    "correlation_id": "correlation",
    "extra": {"own": [1, None, {"deep": "é"}]},
}


async def snapshot(store: Store, batch: int) -> list[ConversionRow]:
    """All rows of a snapshot whose batches are no larger than asked for."""
    rows: list[ConversionRow] = []
    async for part in store.conversion_snapshot(batch):
        assert 0 < len(part) <= batch
        rows += part
    return rows


async def test_new_and_known_ones_are_told_apart_beside_other_events(store: Store) -> None:
    first = conversion("c", value=1.0)
    assert await store.append([first, query("c"), outcome("c"), conversion("c", value=2.0)]) == [True] * 3 + [False]
    assert await store.append([conversion("d"), conversion("c", value=3.0), query("c")]) == [True, False, False]
    assert await store.conversion_rows(["c"]) == [conversion_row(first)]


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param(FULL, id="all there"),
        pytest.param({"query_id": None, "session_id": "s"}, id="all absent"),
        pytest.param({"value": 0.0, "extra": {}}, id="zero"),
        pytest.param({"value": 1e300}, id="far"),
    ],
)
async def test_every_field_comes_back_as_it_was(store: Store, fields: dict[str, Any]) -> None:
    bought = conversion("c", **fields)
    await store.append([bought])
    assert await store.conversion_rows(["c"]) == [conversion_row(bought)]
    assert await snapshot(store, 10) == [conversion_row(bought)]
    if bought.query_id is not None:
        await store.append([query(bought.query_id)])
        details = await store.interaction(bought.query_id)
        assert details is not None
        assert details.conversions == [bought]


async def test_it_may_come_before_after_or_without_what_it_belongs_to(store: Store) -> None:
    calls: list[list[Event]] = [
        [conversion("before")],
        [query("a"), conversion("along"), outcome("a")],
        [conversion("after")],
        [conversion("nowhere", query_id=None, session_id="unheard of")],
    ]
    for call in calls:
        assert all(await store.append(call))
    details = await store.interaction("a")
    assert details is not None
    assert [bought.id for bought in details.conversions] == ["after", "along", "before"]
    assert await store.count() == 1


async def test_it_is_no_work_for_the_evaluation_and_voids_no_claim(store: Store) -> None:
    await store.append([query("a"), outcome("a")])
    [claim] = await store.claim_due(1, now=NOW, lease_ms=LEASE_MS)
    await store.append([conversion("c")])
    assert await store.claim_due(1, now=NOW, lease_ms=LEASE_MS) == []
    await store.release([claim], now=NOW)
    assert [again.query_id for again in await store.claim_due(9, now=LATER, lease_ms=LEASE_MS)] == ["a"]


async def test_of_many_at_once_each_is_new_once(store: Store, other_store: Store) -> None:
    events = [conversion(f"c{n}") for n in range(600)]
    calls = [side.append(events[start::3]) for _ in range(4) for side in (store, other_store) for start in range(3)]
    assert sum(map(sum, await asyncio.gather(*calls))) == 600
    assert len(await snapshot(store, 1_000)) == 600


# What the followers are told.


async def test_the_feed_names_what_came(store: Store) -> None:
    start = await store.feed_head()
    await store.append([query("a"), conversion("c"), conversion("d"), conversion("c")])
    head = await settled(store)
    changes = await store.changes(start, 100)
    assert (changes.query_ids, sorted(changes.conversion_ids)) == (["a"], ["c", "d"])
    assert changes.upto == head


async def test_a_transaction_may_bring_nothing_but_conversions(store: Store) -> None:
    start = await store.feed_head()
    await store.append([conversion("c")])
    head = await settled(store)
    changes = await store.changes(start, 100)
    assert (changes.query_ids, changes.conversion_ids) == ([], ["c"])
    assert changes.upto == head != start


async def test_known_ones_are_no_change(store: Store) -> None:
    await store.append([conversion("c")])
    head = await store.feed_head()
    await store.append([conversion("c")])
    assert await store.feed_head() == head


async def test_transactions_without_any_name_none(store: Store) -> None:
    start = await store.feed_head()
    await store.append([query("a")])
    await settled(store)
    changes = await store.changes(start, 100)
    assert (changes.query_ids, changes.conversion_ids) == (["a"], [])


async def test_the_limit_of_a_look_counts_both_kinds(store: Store) -> None:
    point = await store.feed_head()
    for n in range(4):
        await store.append([query(f"q{n}"), conversion(f"c{n}")])
    await settled(store)
    looks = []
    while (changes := await store.changes(point, 3)).upto != point:
        looks.append((changes.query_ids, changes.conversion_ids))
        point = changes.upto
    assert looks == [(["q0", "q1"], ["c0", "c1"]), (["q2", "q3"], ["c2", "c3"])]


# How they are read.


async def test_one_that_is_not_there_has_no_row(store: Store) -> None:
    await store.append([conversion("c")])
    assert await store.conversion_rows([]) == []
    assert await store.conversion_rows(["nobody"]) == []
    assert await store.conversion_rows(["nobody", "c"]) == [conversion_row(conversion("c"))]


@pytest.mark.parametrize("batch", [1, 7, 30, 1_000])
async def test_a_snapshot_has_every_row_once_in_the_order_of_arrival(store: Store, batch: int) -> None:
    assert await snapshot(store, batch) == []
    ids = [f"{n * 7 % 30:02}" for n in range(30)]
    for start in range(0, 30, 10):
        await store.append([conversion(id, occurred_at=NOW - int(id)) for id in ids[start : start + 10]])
    rows = await snapshot(store, batch)
    assert [row[0] for row in rows] == ids
    assert sorted(rows) == sorted(await store.conversion_rows(ids))


def test_the_columns_are_named_once() -> None:
    assert len(set(CONVERSION_COLUMNS)) == len(CONVERSION_COLUMNS)
