"""Interactions by what their rows say, found page by page, so that no read is long."""

from collections.abc import Sequence
from typing import Any

from msgspec.structs import asdict
from psycopg import AsyncConnection

from aura_analytics.events.records import Interaction, VoiceQuery
from aura_analytics.store.judging import Choice
from aura_analytics.store.postgres.cells import storable
from aura_analytics.store.queries import load
from aura_analytics.store.tolerance import interaction_of
from aura_analytics.store.turns import MOST_TURNS, previous_of, sessions_of

SQL = load("choice", "postgres")
TURNS = load("turns", "postgres")
EVALUATION = load("evaluation", "postgres")

# Interactions that are looked at in one read, and made due by one transaction.
PAGE_ROWS = 4_096

# Any, throughout: a row is a tuple of what a cell can be.
Connection = AsyncConnection[Any]


async def page(connection: Connection, choice: Choice, *, after: int) -> tuple[list[str], int | None]:
    """Give those of the next interactions that are of a choice, and what to go on from; None where that was all."""
    chosen = {name: storable(cell) if isinstance(cell, str) else cell for name, cell in asdict(choice).items()}
    cursor = await connection.execute(SQL["page"], chosen | {"after": after, "limit": PAGE_ROWS}, binary=True)
    rows = await cursor.fetchall()
    [last] = [number for number, id in rows if id is None]
    return [id for _, id in rows if id is not None], last


async def requeue(connection: Connection, query_ids: Sequence[str], *, now: int) -> int:
    """Make interactions due again; tell how many. In a transaction."""
    return (await connection.execute(SQL["requeue"], {"ids": list(query_ids), "now": now})).rowcount


async def interactions(connection: Connection, query_ids: Sequence[str]) -> list[Interaction]:
    """Give interactions, in the order of these ids; one that isn't there is left out."""
    if not query_ids:
        return []
    cursor = await connection.execute(EVALUATION["claimed"], {"ids": list(query_ids)}, binary=True)
    found = {row[0]: interaction_of(row) for row in await cursor.fetchall()}
    return [found[id] for id in query_ids if id in found]


async def previous_turns(
    connection: Connection, asked: Sequence[VoiceQuery], limit: int
) -> dict[str, list[Interaction]]:
    """Give what came before each query in its session; see `Store.previous_turns`."""
    sessions = sessions_of(asked)
    async with connection.pipeline():
        read = [
            await connection.execute(
                TURNS["turns"], {"session_id": storable(one), "limit": MOST_TURNS + 1}, binary=True
            )
            for one in sessions
        ]
    turns = {session: await cursor.fetchall() for session, cursor in zip(sessions, read, strict=True)}
    before = previous_of(asked, turns, limit)
    needed = list(dict.fromkeys(id for ids in before.values() for id in ids))
    found = {one.query.id: one for one in await interactions(connection, needed)}
    return {id: [found[one] for one in ids if one in found] for id, ids in before.items()}
