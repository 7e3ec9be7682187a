"""One interaction with all that belongs to it, as it was at one moment."""

from typing import Any

from psycopg import AsyncConnection

from aura_analytics.events.records import InteractionDetails
from aura_analytics.store.details import details_of
from aura_analytics.store.postgres.append import storable
from aura_analytics.store.postgres.archived import archived_among
from aura_analytics.store.queries import Row, load

SQL = load("interaction", "postgres")
CONVERSIONS = load("conversions", "postgres")


async def interaction(
    connection: AsyncConnection[Any], query_id: str
) -> tuple[InteractionDetails | None, list[str], list[Row]]:
    """Read an interaction; see `Store.interaction`. In a transaction whose reads are all of one moment.

    Its id, and its conversions, are given where it lies in the archive.
    """
    key = {"query_id": storable(query_id)}

    async def rows(statement: str) -> list[tuple[Any, ...]]:  # Any: what a cell can be
        return await (await connection.execute(statement, key, binary=True)).fetchall()

    found = await rows(SQL["whole"])
    conversions = await rows(CONVERSIONS["of_query"])
    if not found:
        return None, await archived_among(connection, [key["query_id"]]), conversions
    details = details_of(
        found[0],
        verdicts=await rows(SQL["verdict"]),
        history=await rows(SQL["history"]),
        conversions=conversions,
    )
    return details, [], conversions
