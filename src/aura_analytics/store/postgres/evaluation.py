"""The work queue of the evaluation: claims, verdicts, and what rests. Any number of evaluators work on it side by side."""

from collections.abc import Sequence
from typing import Any

from msgspec.structs import astuple
from psycopg import AsyncConnection
from ulid import ULID

from aura_analytics.events.records import Verdict
from aura_analytics.store.port import Claim
from aura_analytics.store.postgres.append import FEED, json_of, publish
from aura_analytics.store.queries import load
from aura_analytics.store.tolerance import interaction_of
from aura_analytics.store.verdicts import gives_way

SQL = load("evaluation", "postgres")

# Any, throughout: a row is a tuple of what a cell can be.
Connection = AsyncConnection[Any]


async def claim_due(connection: Connection, limit: int, *, now: int, lease_ms: int) -> list[Claim]:
    """Claim what is due; see `Store.claim_due`. In a transaction."""
    lease = str(ULID())
    asked = {"now": now, "limit": limit, "lease": lease, "lease_until": now + lease_ms}
    cursor = await connection.execute(SQL["claim_due"], asked, binary=True)
    attempts: dict[str, int] = dict(await cursor.fetchall())
    if not attempts:
        return []
    cursor = await connection.execute(SQL["claimed"], {"ids": list(attempts)}, binary=True)
    rows = await cursor.fetchall()
    if orphans := attempts.keys() - {row[0] for row in rows}:
        await connection.execute(SQL["drop_orphans"], {"lease": lease, "ids": sorted(orphans)})
    return [Claim(interaction=interaction_of(row), lease=lease, attempts=attempts[row[0]]) for row in rows]


async def settle(connection: Connection, verdicts: Sequence[tuple[Claim, Verdict]], *, now: int) -> int:
    """Store verdicts and remove their work; see `Store.settle`. In a transaction."""
    await connection.execute(FEED["announce"], {})
    held = await _finish(connection, verdicts)
    if not held:
        return 0
    await _keep_history(connection, held)
    cursor = await connection.execute(
        SQL["save_verdicts"], {"rows": json_of([astuple(verdict) for verdict in held.values()])}
    )
    kept = [query_id for (query_id,) in await cursor.fetchall()]
    await publish(connection, kept, now=now)
    return len(kept)


async def _finish(connection: Connection, verdicts: Sequence[tuple[Claim, Verdict]]) -> dict[str, Verdict]:
    """Remove the work of claims whose leases still hold; give their verdicts. A claim counts once."""
    given: dict[tuple[str, str], Verdict] = {}
    for claim, verdict in verdicts:
        given.setdefault((claim.query_id, claim.lease), verdict)
    asked = {"ids": [query_id for query_id, _ in given], "leases": [lease for _, lease in given]}
    cursor = await connection.execute(SQL["finish_all"], asked)
    finished = {query_id for (query_id,) in await cursor.fetchall()}
    return {query_id: verdict for (query_id, _), verdict in given.items() if query_id in finished}


async def _keep_history(connection: Connection, held: dict[str, Verdict]) -> None:
    """Keep the labels that these are about to take the place of, unless they say the same."""
    cursor = await connection.execute(SQL["labelled"], {"ids": list(held)})
    if giving_way := [row[0] for row in await cursor.fetchall() if gives_way(row, held[row[0]])]:
        await connection.execute(SQL["keep_history"], {"ids": giving_way})
