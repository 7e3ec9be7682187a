"""The persons in SQLite; implements `PersonStore` over the store's thread that writes and those that read."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

from aura_analytics.store import queries
from aura_analytics.store.keys import AuditEntry
from aura_analytics.store.privacy import (
    BY_QUERY,
    CONVERSIONS,
    MOST_UNNAMED,
    PAGE_ROWS,
    SENT_AGAIN_MS,
    STEP_IDS,
    Erasure,
    Held,
    Theirs,
    added,
    call_of,
    erasure_of,
    hashed,
    of_sessions,
    pseudonym_of,
    written,
)
from aura_analytics.store.sqlite.append import json_of, publish
from aura_analytics.store.sqlite.connection import connect, fetch, translated
from aura_analytics.store.sqlite.forgotten import secret
from aura_analytics.store.sqlite.interaction import interaction
from aura_analytics.store.sqlite.keys import Access
from aura_analytics.store.tolerance import conversion_of

SQL = queries.load("privacy", "sqlite")
KEYS = queries.load("keys", "sqlite")

# Tries to bring the log home, each of which waits some seconds for who reads.
HOME_TRIES = 3


class SqlitePersons:
    """The persons of one file.

    Args:
        path: the file.
        read: has something read.
        change: has something changed, in a transaction that is durable when it returns.
    """

    def __init__(self, path: Path, read: Access, change: Access) -> None:
        self._path = path
        self._read = read
        self._change = change

    async def pseudonym(self, user_id: str) -> str:
        """Give the hash that a person is named by."""
        return pseudonym_of(await self._read(secret), user_id)

    async def begin(self, user_id: str, *, id: str, actor: str, blocks: bool, now: int) -> Erasure:
        """Begin to erase a person, or go on."""
        return await self._change(partial(_begin, user_id=user_id, id=id, actor=actor, blocks=blocks, now=now))

    async def erase(self, user_id: str, erasure: Erasure, *, now: int) -> Erasure:
        """Erase all of a person, step by step."""
        async for ids in self._named(user_id):
            step = partial(_erase, user_id=user_id, ids=ids, erasure_id=erasure.id, now=now)
            erasure = await self._change(step)
        return erasure

    async def end(self, erasure: Erasure, *, now: int, details: Mapping[str, Any]) -> Erasure:
        """Note that all is erased."""
        return await self._change(partial(_end, erasure=erasure, now=now, details=details))

    async def allow(self, user_id: str) -> bool:
        """Take the events of a blocked person again."""
        return await self._change(partial(_allow, user_id=user_id))

    async def held(self, user_id: str) -> AsyncIterator[Held]:
        """Give all that is kept of a person, in parts."""
        given: set[str] = set()
        async for ids in self._named(user_id):
            theirs = await self._read(partial(_theirs, user_id=user_id, ids=ids))
            fresh = [id for id in theirs.query_ids if id not in given]
            given.update(fresh)
            yield await self._read(partial(_held, query_ids=fresh, conversion_ids=theirs.conversion_ids))

    async def last_erasure(self) -> int | None:
        """Give when an erasure began or ended last."""
        (moment,) = await self._read(lambda connection: connection.execute(SQL["last_erasure"]).fetchone())
        return None if moment is None else int(moment)

    async def move_on(self, *, now: int) -> int:
        """Write to the feed a row that tells nothing."""
        (position,) = await self._change(lambda connection: connection.execute(SQL["move_on"], {"now": now}).fetchone())
        return int(position)

    async def followed(self, position: int) -> tuple[int, int]:
        """Forget the feed before a position; give how many have followed, and haven't."""
        return await self._change(partial(_followed, position=position))

    async def bring_home(self) -> bool:
        """Empty the log."""
        return await asyncio.to_thread(_bring_home, self._path)

    async def _named(self, user_id: str) -> AsyncIterator[list[str]]:
        """Give the interactions that name a person, a step at a time; each read looks through a page of rows."""
        (last,) = await self._read(lambda connection: connection.execute(SQL["last_row"]).fetchone())
        for after in range(0, last or 0, PAGE_ROWS):
            asked = {"after": after, "upto": after + PAGE_ROWS, "user_id": user_id}
            rows = await self._read(partial(fetch, sql=SQL["named"], parameters=asked))
            ids = [id for (id,) in rows if isinstance(id, str)]
            for start in range(0, len(ids), STEP_IDS):
                yield ids[start : start + STEP_IDS]


def _begin(connection: sqlite3.Connection, *, user_id: str, id: str, actor: str, blocks: bool, now: int) -> Erasure:
    own = secret(connection)
    person = pseudonym_of(own, user_id)
    connection.execute(SQL["remember_no_more"], {"now": now})
    if blocks:
        connection.execute(SQL["remember"], {"hash": hashed(own, "user", user_id), "until": None})
    if (row := connection.execute(SQL["open"], {"person": person}).fetchone()) is None:
        connection.execute(SQL["begin"], {"id": id, "person": person, "actor": actor, "now": now})
        row = connection.execute(SQL["erasure"], {"id": id}).fetchone()
    return erasure_of(row)


def _erase(connection: sqlite3.Connection, *, user_id: str, ids: Sequence[str], erasure_id: str, now: int) -> Erasure:
    """Erase a step: some interactions that name the person, and what is theirs around them. In a write transaction."""
    theirs = _theirs(connection, user_id=user_id, ids=ids)
    erasure = erasure_of(connection.execute(SQL["erasure"], {"id": erasure_id}).fetchone())
    if not theirs.query_ids:
        return erasure
    connection.execute(SQL["overwrite"]).fetchall()
    try:
        erasure = added(erasure, _removed(connection, theirs))
    finally:
        connection.execute(SQL["leave"]).fetchall()
    own = secret(connection)
    until = now + SENT_AGAIN_MS
    hashes = [{"hash": hashed(own, kind, id), "until": until} for kind, id in theirs.names]
    connection.executemany(SQL["remember"], hashes)
    publish(connection, theirs.query_ids, theirs.conversion_ids, now=now)
    connection.execute(SQL["count"], {"id": erasure.id, "erased": written(erasure.erased)})
    return erasure


def _removed(connection: sqlite3.Connection, theirs: Theirs) -> dict[str, int]:
    """Remove rows; count them by table."""
    keys = {"ids": json_of(theirs.query_ids)}
    counts = {table: connection.execute(SQL[statement], keys).rowcount for statement, table in BY_QUERY}
    bought = {"ids": json_of(theirs.conversion_ids)}
    return counts | {CONVERSIONS: connection.execute(SQL["erase_conversions"], bought).rowcount}


def _theirs(connection: sqlite3.Connection, *, user_id: str, ids: Sequence[str]) -> Theirs:
    """Give what is a person's of some interactions that name them and of their sessions."""
    asked = {"ids": json_of(ids), "user_id": user_id}
    named = [id for (id,) in connection.execute(SQL["still_named"], asked)]
    asked = {"ids": json_of(named), "user_id": user_id}
    sessions = set(connection.execute(SQL["own_sessions"], asked | {"most": MOST_UNNAMED}).fetchall())
    within = {"ids": json_of([session for _, session in sessions])}
    unnamed = of_sessions(connection.execute(SQL["unnamed"], within).fetchall(), sessions)
    query_ids = list(dict.fromkeys([*named, *unnamed]))
    of_queries = connection.execute(SQL["conversions_of_queries"], {"ids": json_of(query_ids)}).fetchall()
    around = of_sessions(connection.execute(SQL["conversions_of_sessions"], within).fetchall(), sessions)
    return Theirs(query_ids=query_ids, conversion_ids=list(dict.fromkeys([*(id for (id,) in of_queries), *around])))


def _held(connection: sqlite3.Connection, *, query_ids: Sequence[str], conversion_ids: Sequence[str]) -> Held:
    found = [interaction(connection, query_id=id)[0] for id in query_ids]
    calls = fetch(connection, SQL["judge_calls_of"], {"ids": json_of(query_ids)})
    bought = fetch(connection, SQL["conversions"], {"ids": json_of(conversion_ids)})
    return Held(
        interactions=[one for one in found if one is not None],
        conversions=[conversion_of(row) for row in bought],
        judge_calls=[call_of(row) for row in calls],
    )


def _end(connection: sqlite3.Connection, *, erasure: Erasure, now: int, details: Mapping[str, Any]) -> Erasure:
    """Note the end once, whoever comes to it first."""
    if connection.execute(SQL["end"], {"id": erasure.id, "now": now}).rowcount:
        entry = AuditEntry(
            at=now, actor=erasure.actor, action="person.forgotten", subject=erasure.person, details=dict(details)
        )
        connection.execute(KEYS["note"], entry.cells)
    return erasure_of(connection.execute(SQL["erasure"], {"id": erasure.id}).fetchone())


def _allow(connection: sqlite3.Connection, *, user_id: str) -> bool:
    key = {"hash": hashed(secret(connection), "user", user_id)}
    return connection.execute(SQL["allow"], key).rowcount > 0


def _followed(connection: sqlite3.Connection, *, position: int) -> tuple[int, int]:
    asked = {"position": position}
    (behind,) = connection.execute(SQL["behind"], asked).fetchone()
    (followers,) = connection.execute(SQL["followers"]).fetchone()
    if not behind:
        connection.execute(SQL["trim"], asked)
    return followers - behind, behind


def _bring_home(path: Path) -> bool:
    """Empty the log; it stays where a reader holds on to what it says."""
    with translated(), closing(connect(path)) as connection:
        return any(connection.execute(SQL["bring_home"]).fetchone()[0] == 0 for _ in range(HOME_TRIES))
