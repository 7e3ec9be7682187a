"""What lies around interactions that changed: their sessions as a whole, and what was bought in them."""

from collections.abc import Sequence
from typing import Any

from psycopg import AsyncConnection

from aura_analytics.store.port import Surroundings
from aura_analytics.store.queries import load

SQL = load("surroundings", "postgres")


async def surroundings(
    connection: AsyncConnection[Any], *, query_ids: Sequence[str], session_ids: Sequence[str]
) -> Surroundings:
    """Read them; see `Store.surroundings`. Any: a row is a tuple."""
    spans = await connection.execute(SQL["spans"], {"ids": list(session_ids)}, binary=True)
    named = {"query_ids": list(query_ids), "session_ids": list(session_ids)}
    found = await connection.execute(SQL["conversions"], named, binary=True)
    return Surroundings(
        spans={session: (first, last) for session, first, last in await spans.fetchall()},
        conversion_ids=[id for (id,) in await found.fetchall()],
    )
