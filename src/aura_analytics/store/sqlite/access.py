"""How a store gets at its file: one thread that writes, a few that read."""

import asyncio
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from aura_analytics.clock import Clock, now
from aura_analytics.errors import StoreUnavailable
from aura_analytics.store.shelved import Past
from aura_analytics.store.sqlite.connection import connect, path_of, translated
from aura_analytics.store.sqlite.writer import Writer, touch

READERS = 3

Result = TypeVar("Result")


class Access:
    """The threads and connections of a store."""

    def __init__(self, url: str, *, grace_ms: int = 120_000, most_waiting: int = 50_000, clock: Clock = now) -> None:
        self._url = url
        self._path = path_of(url)
        self._grace_ms = grace_ms
        self._most_waiting = most_waiting
        self._clock = clock
        self._local = threading.local()
        self._connections: list[sqlite3.Connection] = []
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="aura-reader")
        self._notified: list[Callable[[], None]] = []
        self._writer: Writer | None = None
        self._closed = False
        self.past: Past | None = None

    async def open(self) -> None:
        """Connect."""
        connection = await asyncio.to_thread(connect, self._path)
        self._writer = Writer(
            connection,
            self._path,
            clock=self._clock,
            grace_ms=self._grace_ms,
            most_waiting=self._most_waiting,
            committed=self._committed,
        )
        self._writer.start()

    async def close(self) -> None:
        """Write what was submitted, bring the log home, close the file."""
        self._closed = True
        # Readers first: an open read connection keeps the log from being brought home whole.
        await asyncio.to_thread(self._readers.shutdown)
        for connection in self._connections:
            connection.close()
        if self._writer is not None:
            await self._writer.stop()

    async def ping(self) -> None:
        """Read the file, and see that the writer lives."""
        if not self._write.is_alive():
            raise StoreUnavailable("the writer has stopped")
        await self._read(lambda connection: connection.execute("SELECT 1 FROM migration_metadata").fetchone())
        if self._write.failing or self._write.is_misplaced():
            await self._write.change(touch)

    def on_commit(self, notify: Callable[[], None]) -> None:
        """Call a function after each commit of this process."""
        self._notified.append(notify)

    def _committed(self) -> None:
        for notify in self._notified:
            notify()

    @property
    def _write(self) -> Writer:
        if self._writer is None:
            raise StoreUnavailable("the database isn't open")
        return self._writer

    async def _read(self, question: Callable[[sqlite3.Connection], Result]) -> Result:
        if self._closed:
            raise StoreUnavailable("the service is stopping", trouble="stopping")
        return await asyncio.get_running_loop().run_in_executor(self._readers, self._ask, question)

    def _ask(self, question: Callable[[sqlite3.Connection], Result]) -> Result:
        """Ask on a reader's thread, which keeps its own connection."""
        with translated():
            connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
            if connection is None:
                connection = self._local.connection = connect(self._path, read_only=True)
                self._connections.append(connection)
            return question(connection)
