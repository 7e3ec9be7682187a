"""The row databases that the suite runs over: it knows them only by `Backend`."""

import asyncio
import time
from abc import ABC, abstractmethod
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg

from aura_analytics.clock import Clock
from aura_analytics.settings import Settings
from aura_analytics.store import Store, make_store, migrate
from contract.making import GRACE_MS
from postgres_server import PATIENCE_S, PAUSE_S, PostgresServer

BACKENDS = ("sqlite", "postgres")

LEFT_BEHIND = """
SELECT
    deadlocks,
    (
        SELECT count(*) FROM pg_stat_activity AS a
        WHERE a.datid = d.datid AND a.backend_type = 'client backend' AND a.pid != pg_backend_pid()
    ) AS connections
FROM pg_stat_database AS d WHERE d.datname = current_database()
"""


class Backend(ABC):
    """One kind of row database."""

    def __init__(self) -> None:
        self._open: list[Store] = []

    @abstractmethod
    async def fresh(self) -> str:
        """Make an empty, migrated database; give the URL that names it."""

    async def open(self, database: str, *, clock: Clock, grace_ms: int = GRACE_MS, most_waiting: int = 50_000) -> Store:
        """Open a store on a database; a second one on the same database is another server's."""
        settings = Settings(
            aura_database_url=database, eval_grace_seconds=grace_ms / 1000, ingest_queue_events=most_waiting
        )
        store = make_store(settings, clock=clock)
        await store.open()
        self._open.append(store)
        return store

    async def close(self, store: Store) -> None:
        """Close one store that was opened here."""
        self._open.remove(store)
        await store.close()

    async def dispose(self) -> None:
        """Close what is still open, and remove the databases."""
        for store in list(self._open):
            await self.close(store)


def _migrate(url: str) -> list[str]:
    return migrate(Settings(aura_database_url=url))


class Sqlite(Backend):
    """Files in a folder, which goes away with the test."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._folder = folder
        self._made = 0

    async def fresh(self) -> str:
        """Make a file."""
        self._made += 1
        url = f"sqlite:///{self._folder}/{self._made}.db"
        await asyncio.to_thread(_migrate, url)
        return url


class Postgres(Backend):
    """Databases of the run's server."""

    def __init__(self, server: PostgresServer) -> None:
        super().__init__()
        self._server = server
        self._made: list[str] = []

    async def fresh(self) -> str:
        """Make a database."""
        url = await asyncio.to_thread(self._server.create)
        self._made.append(url)
        await asyncio.to_thread(_migrate, url)
        return url

    async def dispose(self) -> None:
        """Remove the databases, after a look at what the stores left behind and what the server says of them."""
        await super().dispose()
        for url in self._made:
            left = await asyncio.to_thread(_left_behind, url)
            await asyncio.to_thread(self._server.drop, url)
            assert left == {"connections": 0, "deadlocks": 0}


def _left_behind(url: str) -> dict[str, Any]:
    """Look at a database whose stores are closed, until their connections have gone. Any: a cell of a database."""
    with closing(psycopg.connect(url, autocommit=True, row_factory=psycopg.rows.dict_row)) as connection:
        deadline = time.monotonic() + PATIENCE_S
        while True:
            found = connection.execute(LEFT_BEHIND).fetchone()
            assert found is not None
            if not found["connections"] or time.monotonic() > deadline:
                return found
            time.sleep(PAUSE_S)
