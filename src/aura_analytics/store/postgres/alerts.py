"""The alerts in PostgreSQL; implements `AlertStore` over the store's connections."""

from collections.abc import Sequence

from aura_analytics.store.alerts import KEPT_MS, AlertState, Message
from aura_analytics.store.postgres.keys import Access
from aura_analytics.store.queries import load

SQL = load("alerts", "postgres")


class PostgresAlerts:
    """The alerts of one database.

    Args:
        reading: has a connection for a block.
        changing: has a transaction for a block; it is durable when the block has ended.
    """

    def __init__(self, reading: Access, changing: Access) -> None:
        self._reading = reading
        self._changing = changing

    async def hold(self, holder: str, *, now: int, until: int) -> bool:
        """Have the turn to look."""
        async with self._changing() as connection:
            cursor = await connection.execute(SQL["hold"], {"holder": holder, "now": now, "until": until})
            return await cursor.fetchone() is not None

    async def states(self) -> list[AlertState]:
        """Give how each rule stands."""
        async with self._reading() as connection:
            rows = await (await connection.execute(SQL["states"], {})).fetchall()
        return [AlertState(**dict(zip(AlertState.__struct_fields__, row, strict=True))) for row in rows]

    async def save(
        self, states: Sequence[AlertState], messages: Sequence[Message] = (), *, gone: Sequence[str] = (), now: int
    ) -> None:
        """Note how rules stand and what is to be said."""
        async with self._changing() as connection, connection.cursor() as cursor:
            await cursor.executemany(SQL["save"], [one.cells for one in states])
            await cursor.executemany(SQL["say"], [one.cells for one in messages])
            await cursor.executemany(SQL["drop_state"], [{"rule": rule} for rule in gone])
            await cursor.execute(SQL["forget"], {"before": now - KEPT_MS})

    async def due(self, *, now: int, limit: int) -> list[Message]:
        """Give what is to be said now."""
        return await self._messages("due", now=now, limit=limit)

    async def log(self, limit: int) -> list[Message]:
        """Give what was to be said."""
        return await self._messages("log", limit=limit)

    async def _messages(self, statement: str, **asked: int) -> list[Message]:
        async with self._reading() as connection:
            rows = await (await connection.execute(SQL[statement], asked)).fetchall()
        return [Message(**dict(zip(Message.__struct_fields__, row, strict=True))) for row in rows]
