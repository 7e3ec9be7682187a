"""How a store gets at its database: connections that are shared by all but the lanes that write events."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from aura_analytics.clock import Clock
from aura_analytics.errors import StoreUnavailable
from aura_analytics.store.postgres.connection import CONNECT_S, STATEMENT_MS, check, conninfo, prepare, translated
from aura_analytics.store.queries import Row, load
from aura_analytics.store.shelved import Past

ARCHIVE = load("archive", "postgres")
SESSION = load("session", "postgres")

# How long a call waits for a connection; then the database is away, or all connections are busy.
POOL_S = 3.0
# A server that is frozen ends no statement by itself.
CALL_S = STATEMENT_MS / 1000 + 5

# Any: a row is a tuple of what a cell can be.
Connection = AsyncConnection[Any]


class Access:
    """The pool of a store.

    Args:
        url: postgresql://…
        connections: how many this process may hold at once, the lanes that write not counted.
        clock: the present.
    """

    def __init__(self, url: str, *, connections: int, clock: Clock) -> None:
        self._url = url
        self._conninfo = conninfo(url)
        self._connections = connections
        self._clock = clock
        self._notified: list[Callable[[], None]] = []
        self._pool: AsyncConnectionPool[Connection] | None = None
        self._closed = False
        self.past: Past | None = None

    async def _open_pool(self) -> None:
        with translated():
            async with await self._connect() as connection:
                await check(connection)
        self._pool = AsyncConnectionPool(
            self._conninfo,
            connection_class=AsyncConnection[Row],
            kwargs={"autocommit": True},
            min_size=1,
            max_size=self._connections,
            timeout=POOL_S,
            reconnect_timeout=POOL_S,  # whoever asks next tries again
            check=AsyncConnectionPool.check_connection,
            configure=prepare,
            open=False,
        )
        await self._pool.open()

    async def _close_pool(self) -> None:
        if self._pool is not None:
            await self._pool.close()

    def on_commit(self, notify: Callable[[], None]) -> None:
        """Call a function after each commit of this process."""
        self._notified.append(notify)

    def _committed(self) -> None:
        for notify in self._notified:
            notify()

    @asynccontextmanager
    async def _reading(self) -> AsyncIterator[Connection]:
        """Have a connection from the pool; each statement is its own transaction."""
        if self._closed or self._pool is None:
            raise StoreUnavailable("the service is stopping", trouble="stopping")
        with translated():
            try:
                async with asyncio.timeout(CALL_S), self._pool.connection() as connection:
                    yield connection
            except PoolTimeout:
                await self._tell_why(self._pool)
                raise

    async def _tell_why(self, pool: AsyncConnectionPool[Connection]) -> None:
        """Find out why there is no connection: the pool keeps it to itself."""
        if pool.get_stats()["pool_size"] >= self._connections:
            raise StoreUnavailable("all connections to the database are in use", trouble="busy")
        async with asyncio.timeout(CONNECT_S), await self._connect():
            pass

    async def _connect(self) -> Connection:
        return await AsyncConnection.connect(self._conninfo, autocommit=True)

    @asynccontextmanager
    async def _changing(self) -> AsyncIterator[Connection]:
        """Have a transaction; it is durable when the block has ended."""
        async with self._reading() as connection, connection.transaction():
            yield connection
        self._committed()

    @asynccontextmanager
    async def _at_one_moment(self) -> AsyncIterator[Connection]:
        """Have a connection that reads what is there at one moment."""
        async with self._reading() as connection, connection.transaction():
            await connection.execute(SESSION["one_moment"], {})
            yield connection

    async def _archived(self, ids: Sequence[str]) -> list[str]:
        """Tell which of some interactions lie in the archive."""
        return [id for (id,) in await self._read(ARCHIVE["among"], ids=list(ids))]

    async def _read(self, sql: str, **values: object) -> list[Row]:
        async with self._reading() as connection:
            return await (await connection.execute(sql, values, binary=True)).fetchall()

    async def _execute(self, sql: str, **values: object) -> int:
        async with self._changing() as connection:
            return (await connection.execute(sql, values)).rowcount
