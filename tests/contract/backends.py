"""The row databases that the suite runs over: it knows them only by `Backend`."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from aura_analytics.clock import Clock
from aura_analytics.settings import Settings
from aura_analytics.store import Store, make_store, migrate
from contract.making import GRACE_MS


class Backend(Protocol):
    """One kind of row database."""

    async def fresh(self) -> str:
        """Make an empty, migrated database; give the URL that names it."""

    async def open(self, database: str, *, clock: Clock, grace_ms: int = GRACE_MS, most_waiting: int = 50_000) -> Store:
        """Open a store on a database; a second one on the same database is another server's."""

    async def close(self, store: Store) -> None:
        """Close one store that was opened here."""

    async def dispose(self) -> None:
        """Close what is still open, and remove the databases."""


class Sqlite:
    """Files in a folder, which goes away with the test."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._made = 0
        self._open: list[Store] = []

    async def fresh(self) -> str:
        """Make a file."""
        self._made += 1
        settings = Settings(aura_database_url=f"sqlite:///{self._folder}/{self._made}.db")
        await asyncio.to_thread(migrate, settings)
        return settings.aura_database_url

    async def open(self, database: str, *, clock: Clock, grace_ms: int = GRACE_MS, most_waiting: int = 50_000) -> Store:
        """Open a store on a file."""
        settings = Settings(
            aura_database_url=database, eval_grace_seconds=grace_ms / 1000, ingest_queue_events=most_waiting
        )
        store = make_store(settings, clock=clock)
        await store.open()
        self._open.append(store)
        return store

    async def close(self, store: Store) -> None:
        """Close one store."""
        self._open.remove(store)
        await store.close()

    async def dispose(self) -> None:
        """Close what is still open."""
        for store in list(self._open):
            await self.close(store)


BACKENDS: dict[str, Callable[[Path], Backend]] = {"sqlite": Sqlite}
