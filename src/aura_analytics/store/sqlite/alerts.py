"""The alerts in SQLite; implements `AlertStore` over the store's thread that writes and those that read."""

import sqlite3
from collections.abc import Sequence
from functools import partial
from typing import Any

from aura_analytics.store import queries
from aura_analytics.store.alerts import KEPT_MS, AlertState, Message
from aura_analytics.store.sqlite.keys import Access

SQL = queries.load("alerts", "sqlite")


class SqliteAlerts:
    """The alerts of one file.

    Args:
        read: has something read.
        change: has something changed, in a transaction that is durable when it returns.
    """

    def __init__(self, read: Access, change: Access) -> None:
        self._read = read
        self._change = change

    async def hold(self, holder: str, *, now: int, until: int) -> bool:
        """Have the turn to look."""
        asked: dict[str, Any] = {"holder": holder, "now": now, "until": until}  # Any: cells
        return await self._change(lambda connection: connection.execute(SQL["hold"], asked).fetchone() is not None)

    async def states(self) -> list[AlertState]:
        """Give how each rule stands."""
        rows = await self._read(lambda connection: connection.execute(SQL["states"]).fetchall())
        return [AlertState(**dict(zip(AlertState.__struct_fields__, row, strict=True))) for row in rows]

    async def save(
        self, states: Sequence[AlertState], messages: Sequence[Message] = (), *, gone: Sequence[str] = (), now: int
    ) -> None:
        """Note how rules stand and what is to be said."""
        await self._change(partial(_save, states=states, messages=messages, gone=gone, now=now))

    async def due(self, *, now: int, limit: int) -> list[Message]:
        """Give what is to be said now."""
        return await self._messages("due", now=now, limit=limit)

    async def log(self, limit: int) -> list[Message]:
        """Give what was to be said."""
        return await self._messages("log", limit=limit)

    async def _messages(self, statement: str, **asked: int) -> list[Message]:
        rows = await self._read(lambda connection: connection.execute(SQL[statement], asked).fetchall())
        return [Message(**dict(zip(Message.__struct_fields__, row, strict=True))) for row in rows]


def _save(
    connection: sqlite3.Connection,
    *,
    states: Sequence[AlertState],
    messages: Sequence[Message],
    gone: Sequence[str],
    now: int,
) -> None:
    connection.executemany(SQL["save"], [one.cells for one in states])
    connection.executemany(SQL["say"], [one.cells for one in messages])
    connection.executemany(SQL["drop_state"], [{"rule": rule} for rule in gone])
    connection.execute(SQL["forget"], {"before": now - KEPT_MS})
