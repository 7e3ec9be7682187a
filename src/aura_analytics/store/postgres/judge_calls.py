"""The requests to models: noted, summed up, and how many more may be made.

Whoever changes several rows of the allowance takes them in one order: requests, tokens, money, each by their names.
"""

from collections.abc import Sequence
from typing import Any

from msgspec.structs import asdict
from psycopg import AsyncConnection

from aura_analytics.events.records import JudgeCall
from aura_analytics.store.allowance import Level, correction_of, granted, names_of
from aura_analytics.store.judging import Demand, Grant
from aura_analytics.store.postgres.append import storable
from aura_analytics.store.queries import load

SQL = load("judge_calls", "postgres")
ALLOWANCE = load("allowance", "postgres")
PRIVACY = load("privacy", "postgres")

# Any, throughout: a row is a tuple of what a cell can be.
Connection = AsyncConnection[Any]


async def note(connection: Connection, calls: Sequence[JudgeCall]) -> None:
    """Note requests, and put right what was reserved for them; see `Store.note_calls`. In a transaction."""
    if not calls:
        return
    correction = correction_of(calls)
    at = max(call.called_at for call in calls)
    cursor = await connection.execute(
        PRIVACY["forgotten_queries"], {"ids": [storable(call.query_id) for call in calls]}
    )
    forgotten = {query_id for (query_id,) in await cursor.fetchall()}
    kept = [call for call in calls if storable(call.query_id) not in forgotten]
    await _each(connection, SQL["note"], [_cells(call) for call in kept])
    tokens = [{"name": name, "amount": amount} for name, amount in correction.tokens.items()]
    await _each(connection, ALLOWANCE["correct"], tokens)
    spent = [{"name": name, "amount": amount, "at": at} for name, amount in correction.usd.items()]
    await _each(connection, ALLOWANCE["spend"], spent)


async def reserve(connection: Connection, demand: Demand, *, now: int) -> Grant:
    """Take as much of a demand as may be had; see `Store.reserve`. In a transaction, which keeps all others away."""
    names = {"names": names_of(demand, now)}
    await connection.execute(ALLOWANCE["hold"], names)
    cursor = await connection.execute(ALLOWANCE["levels"], names)
    grant, levels = granted(demand, {name: Level(level, at) for name, level, at in await cursor.fetchall()}, now)
    if grant.requests:
        rows = [{"name": name, "level": level.level, "at": level.at} for name, level in levels.items()]
        await _each(connection, ALLOWANCE["save"], rows)
    return grant


async def _each(connection: Connection, statement: str, asked: Sequence[dict[str, Any]]) -> None:
    """Run a statement with each of some values, in their order and in one round trip."""
    if asked:
        async with connection.cursor() as cursor:
            await cursor.executemany(statement, asked)


def _cells(call: JudgeCall) -> dict[str, Any]:
    """Give the values that a request's row is made of."""
    return {name: storable(cell) if isinstance(cell, str) else cell for name, cell in asdict(call).items()}
