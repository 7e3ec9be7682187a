"""Sessions in SQLite; implements `SessionStore` over the store's thread that writes and those that read."""

import sqlite3
from functools import partial

import msgspec

from aura_analytics.store import queries
from aura_analytics.store.sessions import PageSession
from aura_analytics.store.sqlite.keys import Access

SQL = queries.load("sessions", "sqlite")


class SqliteSessions:
    """The sessions of one file.

    Args:
        read: has something read.
        change: has something changed, in a transaction that is durable when it returns.
    """

    def __init__(self, read: Access, change: Access) -> None:
        self._read = read
        self._change = change

    async def open(self, session: PageSession) -> None:
        """Keep a session."""
        await self._change(partial(_open, session=session))

    async def find(self, hash: str, *, now: int) -> PageSession | None:
        """Give a session that goes on."""
        asked = {"hash": hash, "now": now}
        row = await self._read(lambda connection: connection.execute(SQL["find"], asked).fetchone())
        return None if row is None else PageSession(hash=row[0], key_id=row[1], opened_at=row[2], ends_at=row[3])

    async def end(self, hash: str) -> None:
        """End a session."""
        await self._change(lambda connection: connection.execute(SQL["end"], {"hash": hash}).rowcount)


def _open(connection: sqlite3.Connection, *, session: PageSession) -> None:
    connection.execute(SQL["forget"], {"now": session.opened_at})
    connection.execute(SQL["open"], msgspec.structs.asdict(session))
