"""The work queue of the evaluation: claims, verdicts, and what rests. Each function runs in a write transaction."""

import sqlite3
from collections.abc import Sequence

import msgspec
from ulid import ULID

from aura_analytics.events.records import Verdict
from aura_analytics.store import queries
from aura_analytics.store.port import Claim
from aura_analytics.store.sqlite.append import json_of, publish
from aura_analytics.store.sqlite.connection import fetch
from aura_analytics.store.tolerance import interaction_of
from aura_analytics.store.verdicts import gives_way

SQL = queries.load("evaluation", "sqlite")


def claim_due(connection: sqlite3.Connection, limit: int, *, now: int, lease_ms: int) -> list[Claim]:
    """Claim what is due; see `Store.claim_due`."""
    lease = str(ULID())
    parameters = {"now": now, "limit": limit, "lease": lease, "lease_until": now + lease_ms}
    attempts: dict[str, int] = dict(connection.execute(SQL["claim_due"], parameters).fetchall())
    if not attempts:
        return []
    rows = fetch(connection, SQL["claimed"], {"ids": json_of(list(attempts))})
    if orphans := attempts.keys() - {row[0] for row in rows}:
        connection.execute(SQL["drop_orphans"], {"lease": lease, "ids": json_of(sorted(orphans))})
    return [Claim(interaction=interaction_of(row), lease=lease, attempts=attempts[row[0]]) for row in rows]


def settle(connection: sqlite3.Connection, verdicts: Sequence[tuple[Claim, Verdict]], *, now: int) -> int:
    """Store verdicts and remove their work; see `Store.settle`."""
    held = [verdict for claim, verdict in verdicts if _finish(connection, claim)]
    _keep_history(connection, held)
    kept = [verdict.query_id for verdict in held if _save(connection, verdict)]
    publish(connection, kept, now=now)
    return len(kept)


def _finish(connection: sqlite3.Connection, claim: Claim) -> bool:
    """Remove the work of a claim; tell whether its lease still held."""
    parameters = {"query_id": claim.query_id, "lease": claim.lease}
    return connection.execute(SQL["finish"], parameters).fetchone() is not None


def _keep_history(connection: sqlite3.Connection, verdicts: Sequence[Verdict]) -> None:
    """Keep the labels that these are about to take the place of, unless they say the same."""
    if not verdicts:
        return
    given = {verdict.query_id: verdict for verdict in verdicts}
    standing = fetch(connection, SQL["labelled"], {"ids": json_of(list(given))})
    if giving_way := [row[0] for row in standing if gives_way(row, given[row[0]])]:
        connection.execute(SQL["keep_history"], {"ids": json_of(giving_way)})


def _save(connection: sqlite3.Connection, verdict: Verdict) -> bool:
    """Store a verdict; tell whether it stands now: a person's label stays as it is."""
    return bool(connection.execute(SQL["save_verdict"], msgspec.structs.asdict(verdict)).rowcount)
