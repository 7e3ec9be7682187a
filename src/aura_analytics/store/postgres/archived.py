"""What a reader of the tables has to know of the archive: which interactions have gone there."""

from collections.abc import Sequence
from typing import Any

from psycopg import AsyncConnection

from aura_analytics.store.port import WideRow
from aura_analytics.store.queries import load

EVENTS = load("events", "postgres")
ARCHIVE = load("archive", "postgres")

# Any, throughout: a row is a tuple of what a cell can be.
Connection = AsyncConnection[Any]


async def archived_among(connection: Connection, ids: Sequence[str]) -> list[str]:
    """Tell which of some interactions lie in the archive."""
    cursor = await connection.execute(ARCHIVE["among"], {"ids": list(ids)})
    return [id for (id,) in await cursor.fetchall()]


async def wide_rows(connection: Connection, ids: Sequence[str]) -> tuple[list[WideRow], list[str]]:
    """Read the joined rows of some interactions, and tell which of the others lie in the archive; at one moment."""
    rows = await (await connection.execute(EVENTS["wide_rows"], {"ids": list(ids)}, binary=True)).fetchall()
    if len(rows) == len(ids):
        return rows, []
    there = {row[0] for row in rows}
    return rows, await archived_among(connection, [id for id in ids if id not in there])
