"""Sessions in PostgreSQL; implements `SessionStore` over the store's connections."""

import msgspec

from aura_analytics.store.postgres.append import storable
from aura_analytics.store.postgres.keys import Access
from aura_analytics.store.queries import load
from aura_analytics.store.sessions import PageSession

SQL = load("sessions", "postgres")


class PostgresSessions:
    """The sessions of one database.

    Args:
        reading: has a connection for a block.
        changing: has a transaction for a block; it is durable when the block has ended.
    """

    def __init__(self, reading: Access, changing: Access) -> None:
        self._reading = reading
        self._changing = changing

    async def open(self, session: PageSession) -> None:
        """Keep a session."""
        async with self._changing() as connection:
            await connection.execute(SQL["forget"], {"now": session.opened_at})
            await connection.execute(SQL["open"], msgspec.structs.asdict(session))

    async def find(self, hash: str, *, now: int) -> PageSession | None:
        """Give a session that goes on."""
        async with self._reading() as connection:
            row = await (await connection.execute(SQL["find"], {"hash": storable(hash), "now": now})).fetchone()
        return None if row is None else PageSession(hash=row[0], key_id=row[1], opened_at=row[2], ends_at=row[3])

    async def end(self, hash: str) -> None:
        """End a session."""
        async with self._changing() as connection:
            await connection.execute(SQL["end"], {"hash": storable(hash)})
