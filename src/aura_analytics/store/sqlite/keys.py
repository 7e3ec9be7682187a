"""The keys in SQLite; implements `KeyStore` over the store's thread that writes and those that read."""

import sqlite3
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any, Protocol, TypeVar

from aura_analytics.store import queries
from aura_analytics.store.keys import AuditEntry, KeyRecord, created, entry_of, key_of

SQL = queries.load("keys", "sqlite")

Result = TypeVar("Result")


class Access(Protocol):
    """A way to the database: does something with a connection, elsewhere."""

    def __call__(self, do: Callable[[sqlite3.Connection], Result], /) -> Awaitable[Result]:
        """Do it."""


class SqliteKeys:
    """The keys of one file.

    Args:
        read: has something read.
        change: has something changed, in a transaction that is durable when it returns.
    """

    def __init__(self, read: Access, change: Access) -> None:
        self._read = read
        self._change = change

    async def create(self, record: KeyRecord, *, actor: str) -> None:
        """Keep a new key."""
        await self._change(partial(_create, record=record, actor=actor))

    async def keys(self) -> list[KeyRecord]:
        """Give all keys."""
        return [key_of(row) for row in await self._read(lambda connection: connection.execute(SQL["all"]).fetchall())]

    async def revoke(self, key_id: str, *, now: int, actor: str) -> bool:
        """Take a key back."""
        return await self._change(partial(_revoke, key_id=key_id, now=now, actor=actor))

    async def rotate(self, key_id: str, successor: KeyRecord, *, ends_at: int, now: int, actor: str) -> bool:
        """Keep a key in place of another one."""
        rotate = partial(_rotate, key_id=key_id, successor=successor, ends_at=ends_at, now=now, actor=actor)
        return await self._change(rotate)

    async def touch(self, used: Mapping[str, int]) -> None:
        """Note when keys were last used."""
        rows = [{"id": key_id, "used_at": used_at} for key_id, used_at in used.items()]
        await self._change(lambda connection: connection.executemany(SQL["touch"], rows).rowcount)

    async def remember(self, message: str, *, until: int, now: int) -> bool:
        """Note a signed message."""
        return await self._change(partial(_remember, message=message, until=until, now=now))

    async def note(self, entry: AuditEntry) -> None:
        """Add to the record."""
        await self._change(lambda connection: connection.execute(SQL["note"], entry.cells).rowcount)

    async def audit(self, limit: int, *, since: int | None = None, action: str | None = None) -> list[AuditEntry]:
        """Give the record."""
        asked = {"limit": limit, "since": since, "action": action}
        rows = await self._read(lambda connection: connection.execute(SQL["audit"], asked).fetchall())
        return [entry_of(row) for row in rows]


def _create(connection: sqlite3.Connection, *, record: KeyRecord, actor: str) -> None:
    connection.execute(SQL["create"], record.cells)
    connection.execute(SQL["note"], created(record, actor=actor).cells)


def _revoke(connection: sqlite3.Connection, *, key_id: str, now: int, actor: str) -> bool:
    if not connection.execute(SQL["revoke"], {"id": key_id, "now": now}).rowcount:
        return False
    entry = AuditEntry(at=now, actor=actor, action="key.revoked", subject=key_id)
    connection.execute(SQL["note"], entry.cells)
    return True


def _rotate(
    connection: sqlite3.Connection, *, key_id: str, successor: KeyRecord, ends_at: int, now: int, actor: str
) -> bool:
    asked = {"id": key_id, "expires_at": ends_at, "now": now}
    if not connection.execute(SQL["end_at"], asked).rowcount:
        return False
    _create(connection, record=successor, actor=actor)
    return True


def _remember(connection: sqlite3.Connection, *, message: str, until: int, now: int) -> bool:
    asked: dict[str, Any] = {"id": message, "until": until, "now": now}  # Any: cells
    is_new = connection.execute(SQL["remember"], asked).fetchone() is not None
    connection.execute(SQL["forget_seen"], {"now": now})
    return is_new
