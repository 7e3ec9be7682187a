"""Projections and stores that are ended with their test, and what it means that rows and columns are equal."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from aura_analytics.projection import Projection, Question
from aura_analytics.store import Store
from aura_analytics.store.port import WIDE_COLUMNS, ConversionRow, WideRow
from aura_analytics.store.sqlite import SqliteStore, migrate

RawSql = Callable[[str], None]

# However slow the machine is; nothing takes this long but a test that fails.
AT_MOST_S = 30


class Stores:
    """Opens stores, and closes those that are left."""

    def __init__(self) -> None:
        self._open: list[Store] = []

    async def open(self, file: Path) -> Store:
        """Open a store on a file, which is migrated first."""
        migrate(f"sqlite:///{file}")
        store = SqliteStore(f"sqlite:///{file}")
        await store.open()
        self._open.append(store)
        return store

    async def close(self, store: Store) -> None:
        """Close one before the end."""
        self._open.remove(store)
        await store.close()

    async def close_all(self) -> None:
        """Close those that are left."""
        for store in list(self._open):
            await self.close(store)


class Projections:
    """Starts projections, and stops those that are left."""

    def __init__(self) -> None:
        self._running: list[Projection] = []

    async def start(self, store: Store, path: Path | None) -> Projection:
        """Start one; it may still be rebuilding when this returns."""
        projection = Projection(store, path, memory_mb=256, threads=1)
        await projection.start()
        self._running.append(projection)
        return projection

    async def built(self, store: Store, path: Path | None) -> Projection:
        """Start one, and wait until it is whole."""
        projection = await self.start(store, path)
        async with asyncio.timeout(AT_MOST_S):
            await projection.built()
        return projection

    async def stop(self, projection: Projection) -> None:
        """Stop one before the end."""
        self._running.remove(projection)
        await projection.stop()

    async def stop_all(self) -> None:
        """Stop those that are left."""
        for projection in list(self._running):
            await self.stop(projection)


class Rebuilds:
    """Counts the rebuilds from a store: each takes all conversions once, and nothing else asks for those."""

    def __init__(self, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
        self.begun = 0
        taking = store.conversion_snapshot

        def counting(batch: int) -> AsyncIterator[list[ConversionRow]]:
            self.begun += 1
            return taking(batch)

        monkeypatch.setattr(store, "conversion_snapshot", counting)


def asking(sql: str, **parameters: Any) -> Question:
    """A question about nothing in particular."""
    return Question(sql=sql, parameters=parameters)


def spoil(projection: Projection, sql: str) -> None:
    """Change the columns behind the back of what follows into them."""
    with closing(projection._columns._open.cursor()) as cursor:
        cursor.execute(sql)


async def rows_of(store: Store) -> list[WideRow]:
    """All rows, by their ids."""
    query_ids: list[str] = []
    async for batch in type(store).snapshot(store, 1_000):
        query_ids += [row[0] for row in batch]
    return sorted(await store.wide_rows(query_ids), key=lambda row: str(row[0]))


async def assert_equal(store: Store, projection: Projection) -> int:
    """Compare all rows with all columns; give how many interactions there are."""
    held = await projection.ask(asking(f"SELECT {', '.join(WIDE_COLUMNS)} FROM interactions ORDER BY id, has_outcome"))
    assert held == await rows_of(store)
    return len(held)


async def phase(projection: Projection) -> str:
    """What a projection does."""
    return (await projection.status()).phase


async def position(projection: Projection) -> int:
    """How far a projection has come."""
    return (await projection.status()).position


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    """Wait for a condition."""
    async with asyncio.timeout(AT_MOST_S):
        while not await condition():  # noqa: ASYNC110 (polls what the projection does)
            await asyncio.sleep(0.005)
