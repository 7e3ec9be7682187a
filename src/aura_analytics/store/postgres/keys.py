"""The keys in PostgreSQL; implements `KeyStore` over the store's connections. Any number of servers may change them."""

from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any

from psycopg import AsyncConnection

from aura_analytics.store.keys import AuditEntry, KeyRecord, created, entry_of, key_of
from aura_analytics.store.postgres.append import storable
from aura_analytics.store.queries import load

SQL = load("keys", "postgres")
RATES = load("rates", "postgres")

# After so many takes, full buckets are forgotten.
FORGOTTEN_EVERY = 256

# Any: a row is a tuple of what a cell can be.
Connection = AsyncConnection[Any]
Access = Callable[[], AbstractAsyncContextManager[Connection]]


class PostgresKeys:
    """The keys of one database.

    Args:
        reading: has a connection for a block.
        changing: has a transaction for a block; it is durable when the block has ended.
    """

    def __init__(self, reading: Access, changing: Access) -> None:
        self._reading = reading
        self._changing = changing
        self._takes = 0

    async def create(self, record: KeyRecord, *, actor: str) -> None:
        """Keep a new key."""
        async with self._changing() as connection:
            await _create(connection, record, actor)

    async def keys(self) -> list[KeyRecord]:
        """Give all keys."""
        async with self._reading() as connection:
            return [key_of(row) for row in await (await connection.execute(SQL["all"], {})).fetchall()]

    async def revoke(self, key_id: str, *, now: int, actor: str) -> bool:
        """Take a key back."""
        async with self._changing() as connection:
            cursor = await connection.execute(SQL["revoke"], {"id": storable(key_id), "now": now})
            if not cursor.rowcount:
                return False
            await _note(connection, AuditEntry(at=now, actor=actor, action="key.revoked", subject=key_id))
        return True

    async def rotate(self, key_id: str, successor: KeyRecord, *, ends_at: int, now: int, actor: str) -> bool:
        """Keep a key in place of another one."""
        async with self._changing() as connection:
            asked = {"id": storable(key_id), "expires_at": ends_at, "now": now}
            if not (await connection.execute(SQL["end_at"], asked)).rowcount:
                return False
            await _create(connection, successor, actor)
        return True

    async def touch(self, used: Mapping[str, int]) -> None:
        """Note when keys were last used, in the order of their ids, so that no two servers wait in a circle."""
        rows = [{"id": key_id, "used_at": used[key_id]} for key_id in sorted(used)]
        async with self._changing() as connection, connection.cursor() as cursor:
            await cursor.executemany(SQL["touch"], rows)

    async def remember(self, message: str, *, until: int, now: int) -> bool:
        """Note a signed message."""
        async with self._changing() as connection:
            cursor = await connection.execute(SQL["remember"], {"id": storable(message), "until": until, "now": now})
            is_new = await cursor.fetchone() is not None
            await connection.execute(SQL["forget_seen"], {"now": now})
        return is_new

    async def take_rate(self, bucket: str, *, least_s: float, most_s: float, capacity_s: float) -> tuple[float, float]:
        """Take out of a bucket; now and then forget those that are full."""
        asked = {"bucket": storable(bucket), "least": least_s, "most": most_s, "capacity": capacity_s}
        self._takes += 1
        async with self._changing() as connection:
            row = await (await connection.execute(RATES["take"], asked)).fetchone()
            if self._takes % FORGOTTEN_EVERY == 0:
                await connection.execute(RATES["forget"], {})
        # None: another server made the bucket while this one looked.
        return (float(row[0]), float(row[1])) if row is not None else (0.0, capacity_s)

    async def note(self, entry: AuditEntry) -> None:
        """Add to the record."""
        async with self._changing() as connection:
            await _note(connection, entry)

    async def audit(self, limit: int, *, since: int | None = None, action: str | None = None) -> list[AuditEntry]:
        """Give the record."""
        asked = {"limit": limit, "since": since, "action": None if action is None else storable(action)}
        async with self._reading() as connection:
            return [entry_of(row) for row in await (await connection.execute(SQL["audit"], asked)).fetchall()]


async def _create(connection: Connection, record: KeyRecord, actor: str) -> None:
    await connection.execute(SQL["create"], _stored(record.cells))
    await _note(connection, created(record, actor=actor))


async def _note(connection: Connection, entry: AuditEntry) -> None:
    await connection.execute(SQL["note"], _stored(entry.cells))


def _stored(cells: dict[str, Any]) -> dict[str, Any]:
    return {name: storable(cell) if isinstance(cell, str) else cell for name, cell in cells.items()}
