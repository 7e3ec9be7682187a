"""Parts: together they are all interactions, each once; streamed or row by row, they hold the same."""

import asyncio
import json
import subprocess
import sys
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import msgspec
import pytest

from aura_analytics.events.records import Event
from aura_analytics.projection.schema import TYPES
from aura_analytics.store import Store
from aura_analytics.store.port import WIDE_COLUMNS, Part, WideRow
from contract.making import LATER, LEASE_MS, NOW, outcome, query, verdicts

# In a process of its own, which has no other connection to the database.
READ = """
import json, sys
import duckdb, msgspec
from aura_analytics.store import stream
from aura_analytics.store.port import Part
rows = stream(msgspec.json.decode(sys.argv[1], type=Part))
for _ in range(2):  # each time anew
    found = duckdb.sql("SELECT * FROM rows").fetchall()
rows.close()
print(json.dumps(found))
"""


async def streamed(part: Part) -> list[WideRow]:
    """The rows of a part by its stream, and first the one that tells the types."""

    def read() -> list[WideRow]:
        arguments = [sys.executable, "-c", READ, msgspec.json.encode(part).decode()]
        done = subprocess.run(arguments, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr.decode()
        return [tuple(row) for row in json.loads(done.stdout)]

    return await asyncio.to_thread(read)


async def by_rows(store: Store, part: Part | None = None) -> list[WideRow]:
    return [row async for rows in store.snapshot(7, part) for row in rows]


def interactions(count: int) -> list[Event]:
    """Queries with few cells and with many, some of them answered."""
    some: dict[str, Any] = {"session_id": "s", "intent": "search", "transcription_conf": 1.0, "fast_path": True}
    asked = [query(f"q{n:03}", created_at=NOW + n, **(some if n % 3 else {})) for n in range(count)]
    answered = [
        outcome(one.id, latency_ms=n, cost_usd=0.25, action_success=n % 4 == 0, tool_calls=["é 🍎"], answer_text="")
        for n, one in enumerate(asked)
        if n % 2
    ]
    return [*asked, *answered]


def plain(rows: Sequence[WideRow]) -> list[WideRow]:
    """Rows whose flags and numbers are of their column's type, however a database keeps them."""
    kinds = {"DOUBLE": float, "BOOLEAN": bool}
    return [
        tuple(
            cell if cell is None else kinds.get(kind, lambda cell: cell)(cell)
            for cell, kind in zip(row, TYPES.values(), strict=True)
        )
        for row in rows
    ]


async def test_a_database_without_interactions_has_no_parts(store: Store) -> None:
    assert await store.parts() == []
    await store.append([outcome("nobody")])
    assert await store.parts() == []


async def test_parts_follow_on_each_other(store: Store) -> None:
    await store.append(interactions(30))
    parts = await store.parts()
    assert parts[0].after == 0
    assert all(before.upto == after.after for before, after in pairwise(parts))
    assert all(part.batch_rows >= 1 for part in parts)


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)  # the other's streams are bounded by bytes, not by rows
async def test_long_texts_leave_room_for_fewer_rows(store: Store) -> None:
    await store.append(interactions(30))
    small = (await store.parts())[0].batch_rows
    await store.append([query("long", query_text="x" * 2**20)])
    [*_, last] = await store.parts()
    assert 1 <= last.batch_rows < small
    await store.append([outcome("q000", answer_text="ä" * 2**21)])
    assert 1 <= (await store.parts())[0].batch_rows <= last.batch_rows


async def test_parts_together_are_all_rows_each_once(store: Store) -> None:
    await store.append(interactions(30))
    rows = [row for part in await store.parts() for row in await by_rows(store, part)]
    assert rows == await by_rows(store)
    assert len({row[0] for row in rows}) == len(rows) == 30


@pytest.mark.parametrize(("after", "upto"), [(0, 30), (0, 1), (10, 20), (29, 30), (30, 60), (12, 12), (0, 2**62)])
async def test_a_stream_gives_the_rows_of_its_part(store: Store, after: int, upto: int) -> None:
    await store.append(interactions(30))
    await store.settle(verdicts(await store.claim_due(10, now=LATER, lease_ms=LEASE_MS)))
    [whole] = await store.parts()
    part = msgspec.structs.replace(whole, after=after, upto=upto)
    types, *rows = await streamed(part)
    assert types[WIDE_COLUMNS.index("has_outcome")] not in (0, 1)
    expected = await by_rows(store, part)
    assert len(expected) == max(0, min(30, upto) - after)
    assert plain(rows) == plain(expected)


async def test_the_types_are_known_before_the_first_cell_that_shows_them(store: Store) -> None:
    await store.append([query(f"q{n:02}") for n in range(20)])
    await store.append([query("late", transcription_conf=0.5, intent="search"), outcome("late", latency_ms=0.5)])
    [whole] = await store.parts()
    _, *rows = await streamed(msgspec.structs.replace(whole, batch_rows=2))
    assert plain(rows) == plain(await by_rows(store))


async def test_a_stream_sees_what_was_acknowledged_and_leaves_the_store_alone(store: Store) -> None:
    for n in range(3):
        await store.append([query(f"q{n}")])
        [part] = await store.parts()
        assert len(await streamed(part)) == n + 2
    assert await store.append([query("after")]) == [True]
    assert await store.count() == 4
