"""What people look at: who has which interaction, and the labels that they give."""

from collections.abc import Sequence
from typing import Any

from msgspec.structs import replace
from psycopg import AsyncConnection

from aura_analytics.errors import InArchive
from aura_analytics.events.records import Verdict
from aura_analytics.store.postgres import evaluation
from aura_analytics.store.postgres.append import FEED, publish, storable
from aura_analytics.store.postgres.archived import archived_among
from aura_analytics.store.queries import load
from aura_analytics.store.tolerance import verdict_of
from aura_analytics.store.undoing import TakenBack

SQL = load("reviews", "postgres")

# Any, throughout: a row is a tuple of what a cell can be.
Connection = AsyncConnection[Any]


async def review(connection: Connection, verdict: Verdict, *, now: int) -> bool:
    """Store a person's label; see `Store.review`. In a transaction.

    Whoever else gives this interaction a label at this moment, a person or an evaluator, waits or is waited for, so that
    the history misses none and has none twice. Work that waits goes on: its label then goes into the history.
    """
    key = {"query_id": storable(verdict.query_id)}
    await connection.execute(FEED["announce"], {})
    await connection.execute(SQL["alone"], {"what": f"label of {key['query_id']}"})
    if await (await connection.execute(SQL["known"], key)).fetchone() is None:
        if archived := await archived_among(connection, [key["query_id"]]):
            raise InArchive(archived)
        return False
    await connection.execute(SQL["hold_work"], key)
    await evaluation.replace(connection, {key["query_id"]: replace(verdict, **key)}, now=now)
    await connection.execute(SQL["unlease"], key)
    return True


async def take_back(connection: Connection, query_id: str, *, given_at: int | None, now: int) -> TakenBack | None:
    """Take a person's label back; see `Store.take_back`. In a transaction, and alone as `review` is."""
    asked: dict[str, Any] = {"query_id": storable(query_id), "given_at": given_at, "now": now}
    await connection.execute(FEED["announce"], {})
    await connection.execute(SQL["alone"], {"what": f"label of {asked['query_id']}"})
    await connection.execute(SQL["hold_work"], asked)
    if await (await connection.execute(SQL["take_away"], asked)).fetchone() is None:
        if archived := await archived_among(connection, [asked["query_id"]]):
            raise InArchive(archived)
        return None
    standing = await (await connection.execute(SQL["last_kept"], asked, binary=True)).fetchone()
    if standing is None:
        await connection.execute(SQL["wait_again"], asked)
    else:
        await connection.execute(SQL["put_back"], asked)
        await connection.execute(SQL["drop_last_kept"], asked)
    await publish(connection, [storable(query_id)], now=now)
    return TakenBack(None if standing is None else verdict_of(standing))


async def lease_reviews(
    connection: Connection, query_ids: Sequence[str], *, reviewer: str, limit: int, now: int, until: int
) -> list[str]:
    """Lease interactions to a person; see `Store.lease_reviews`. In a transaction, one at a time."""
    asked = {
        "ids": [storable(id) for id in query_ids],
        "reviewer": storable(reviewer),
        "limit": limit,
        "until": until,
    }
    await connection.execute(SQL["alone"], {"what": "leases"})
    await connection.execute(SQL["forget_leases"], {"now": now})
    cursor = await connection.execute(SQL["lease_first"], asked)
    leased = {id for (id,) in await cursor.fetchall()}
    return [id for id in dict.fromkeys(query_ids) if storable(id) in leased]
