"""The work queue of the evaluation: claims, verdicts, and what rests. Any number of evaluators work on it side by side."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from msgspec.structs import astuple
from psycopg import AsyncConnection
from ulid import ULID

from aura_analytics.events.records import JudgeCall, Verdict
from aura_analytics.store.port import Claim
from aura_analytics.store.postgres.append import FEED, publish
from aura_analytics.store.postgres.cells import json_of, storable
from aura_analytics.store.postgres.judge_calls import note
from aura_analytics.store.queries import load
from aura_analytics.store.tolerance import interaction_of
from aura_analytics.store.verdicts import gives_way

SQL = load("evaluation", "postgres")

# Any, throughout: a row is a tuple of what a cell can be.
Connection = AsyncConnection[Any]


async def claim_due(connection: Connection, limit: int, *, now: int, lease_ms: int, lease: str | None) -> list[Claim]:
    """Claim what is due; see `Store.claim_due`. In a transaction."""
    lease = lease or str(ULID())
    asked = {"now": now, "limit": limit, "lease": storable(lease), "lease_until": now + lease_ms}
    cursor = await connection.execute(SQL["claim_due"], asked, binary=True)
    attempts: dict[str, int] = dict(await cursor.fetchall())
    claims = await _claims(connection, lease, attempts)
    if orphans := attempts.keys() - {claim.query_id for claim in claims}:
        await connection.execute(SQL["drop_orphans"], {"lease": storable(lease), "ids": sorted(orphans)})
    return claims


async def claims(connection: Connection, lease: str) -> list[Claim]:
    """Give what is held under a lease; see `Store.claims`."""
    cursor = await connection.execute(SQL["held"], {"lease": storable(lease)}, binary=True)
    return await _claims(connection, lease, dict(await cursor.fetchall()))


async def _claims(connection: Connection, lease: str, attempts: Mapping[str, int]) -> list[Claim]:
    """Read claimed interactions, as far as their queries are there."""
    if not attempts:
        return []
    cursor = await connection.execute(SQL["claimed"], {"ids": list(attempts)}, binary=True)
    rows = await cursor.fetchall()
    return [Claim(interaction=interaction_of(row), lease=lease, attempts=attempts[row[0]]) for row in rows]


async def settle(
    connection: Connection, verdicts: Sequence[tuple[Claim, Verdict]], calls: Sequence[JudgeCall], *, now: int
) -> int:
    """Store verdicts, remove their work, note the requests; see `Store.settle`. In a transaction."""
    await connection.execute(FEED["announce"], {})
    held = await _finish(connection, verdicts)
    kept = await replace(connection, held, now=now) if held else set()
    if beside := [verdict for query_id, verdict in held.items() if query_id not in kept]:
        await connection.execute(SQL["keep_beside"], {"rows": _rows(beside)})
    await note(connection, calls)  # last: what is left of an allowance is everybody's
    return len(kept)


async def replace(connection: Connection, verdicts: Mapping[str, Verdict], *, now: int) -> set[str]:
    """Store verdicts by their ids, keep the labels that give way, tell followers; give the ids of those that stand now."""
    await _keep_history(connection, verdicts)
    cursor = await connection.execute(SQL["save_verdicts"], {"rows": _rows(verdicts.values())})
    kept = {query_id for (query_id,) in await cursor.fetchall()}
    await publish(connection, sorted(kept), now=now)
    return kept


async def postpone_all(connection: Connection, claims: Sequence[Claim], *, error: str, due_at: int) -> None:
    """Give claims back that nobody was asked about; see `Store.postpone_all`. In a transaction."""
    await connection.execute(SQL["postpone_all"], _named(claims) | {"error": storable(error), "due_at": due_at})


async def leave(connection: Connection, claims: Sequence[Claim]) -> None:
    """Remove the work of claims; see `Store.leave`. In a transaction."""
    await connection.execute(SQL["finish_all"], _named(claims))


async def release(connection: Connection, claims: Sequence[Claim], *, now: int) -> None:
    """Give claims back untouched; see `Store.release`. In a transaction."""
    await _each(connection, "release", claims, now=now)


async def prolong(connection: Connection, claims: Sequence[Claim], *, until: int) -> None:
    """Keep claims for longer; see `Store.prolong`. In a transaction."""
    await _each(connection, "prolong", claims, until=until)


async def _each(connection: Connection, name: str, claims: Sequence[Claim], **values: int) -> None:
    """Have a statement done for each claim, in the order in which rows are held."""
    asked = [
        {"query_id": claim.query_id, "lease": storable(claim.lease), **values}
        for claim in sorted(claims, key=lambda claim: claim.query_id)
    ]
    async with connection.cursor() as cursor:
        await cursor.executemany(SQL[name], asked)


async def _finish(connection: Connection, verdicts: Sequence[tuple[Claim, Verdict]]) -> dict[str, Verdict]:
    """Remove the work of claims whose leases still hold; give their verdicts. A claim counts once."""
    given: dict[tuple[str, str], Verdict] = {}
    for claim, verdict in verdicts:
        given.setdefault((claim.query_id, claim.lease), verdict)
    cursor = await connection.execute(SQL["finish_all"], _named([claim for claim, _ in verdicts]))
    finished = {query_id for (query_id,) in await cursor.fetchall()}
    return {query_id: verdict for (query_id, _), verdict in given.items() if query_id in finished}


async def _keep_history(connection: Connection, verdicts: Mapping[str, Verdict]) -> None:
    """Keep the labels that these are about to take the place of, unless they say the same."""
    cursor = await connection.execute(SQL["labelled"], {"ids": list(verdicts)})
    if giving_way := [row[0] for row in await cursor.fetchall() if gives_way(row, verdicts[row[0]])]:
        await connection.execute(SQL["keep_history"], {"ids": giving_way})


def _named(claims: Iterable[Claim]) -> dict[str, Any]:
    """Name claims by their ids and leases, each once."""
    named = list(dict.fromkeys((claim.query_id, storable(claim.lease)) for claim in claims))
    return {"ids": [query_id for query_id, _ in named], "leases": [lease for _, lease in named]}


def _rows(verdicts: Iterable[Verdict]) -> str:
    return json_of([astuple(verdict) for verdict in verdicts])
