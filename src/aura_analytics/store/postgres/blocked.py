"""Keeping away what belongs to the queries of who is blocked: it names nobody by itself, and nobody could erase it later."""

from collections.abc import Sequence
from typing import Any

from psycopg import AsyncConnection

from aura_analytics.events.records import VoiceQuery
from aura_analytics.store.postgres.cells import storable
from aura_analytics.store.privacy import SENT_AGAIN_MS, hashed
from aura_analytics.store.queries import load

SQL = load("privacy", "postgres")
EARLY = load("early", "postgres")
FEED = load("feed", "postgres")

# Any, throughout: a row is a tuple of what a cell can be.
Connection = AsyncConnection[Any]

# A query that is sent again is kept away anew once this much of its time is over: others have to wait for that.
RENEWED_MS = 86_400_000


async def refuse(connection: Connection, queries: Sequence[VoiceQuery], *, now: int) -> bool:
    """Keep away what belongs to those queries that are of who is blocked, and remove what of it came before.

    Args:
        connection: in a transaction, which is given up where there is anything to keep away: what it stored may belong to that.
        queries: those that weren't taken in and name a person.
        now: epoch milliseconds.

    Returns:
        Whether the transaction was given up, and has to be made again.
    """
    if not queries or not await _of_blocked(connection, queries, now=now):
        return False
    await connection.execute("ROLLBACK")
    # Nobody else writes meanwhile: what is just coming is seen here, or comes after and is refused.
    async with connection.transaction():
        await connection.execute(SQL["alone"], {})
        if ids := await _of_blocked(connection, queries, now=now):
            await _keep_away(connection, ids, now=now)
    return True


async def _of_blocked(connection: Connection, queries: Sequence[VoiceQuery], *, now: int) -> list[str]:
    asked = {
        "ids": [storable(query.id) for query in queries],
        "users": [storable(query.user_id or "") for query in queries],
        "until": now + SENT_AGAIN_MS - RENEWED_MS,
    }
    return [id for (id,) in await (await connection.execute(SQL["of_blocked"], asked)).fetchall()]


async def _keep_away(connection: Connection, ids: list[str], *, now: int) -> None:
    [(own,)] = await (await connection.execute(SQL["secret"], {})).fetchall()
    asked = {"ids": ids}
    async with connection.cursor() as cursor:
        marks = [{"hash": hashed(own, "blocked", id), "until": now + SENT_AGAIN_MS} for id in ids]
        await cursor.executemany(SQL["remember"], marks)
    await connection.execute(SQL["hold_queue"], asked)
    bought = [id for (id,) in await (await connection.execute(SQL["conversions_of_queries"], asked)).fetchall()]
    removed = [
        (await connection.execute(statement, asked)).rowcount
        for statement in (SQL["erase_outcomes"], EARLY["forget"], SQL["erase_queue"])
    ]
    if any(removed) or bought:
        await connection.execute(SQL["erase_conversions"], {"ids": bought})
        await connection.execute(FEED["publish"], {"now": now, "query_ids": ids, "conversion_ids": bought or None})
