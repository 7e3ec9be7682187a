"""The work queue of the evaluation: claims, verdicts, and what rests. Each function runs in a write transaction."""

import sqlite3
from collections.abc import Sequence

from ulid import ULID

from aura_analytics.events.records import Verdict
from aura_analytics.store import queries
from aura_analytics.store.port import Claim
from aura_analytics.store.sqlite.append import Row, json_of, publish
from aura_analytics.store.sqlite.connection import fetch
from aura_analytics.store.sqlite.tolerance import interaction_of

SQL = queries.load("evaluation")


def claim_due(connection: sqlite3.Connection, limit: int, *, now: int, lease_ms: int) -> list[Claim]:
    """Claim what is due; see `Store.claim_due`."""
    lease = str(ULID())
    parameters = {"now": now, "limit": limit, "lease": lease, "lease_until": now + lease_ms}
    attempts: dict[str, int] = dict(connection.execute(SQL["claim_due"], parameters).fetchall())
    if not attempts:
        return []
    keys = json_of(list(attempts))
    rows = fetch(connection, SQL["claimed"], (keys,))
    if len(rows) < len(attempts):
        connection.execute(SQL["drop_orphans"], (lease,))
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
    return connection.execute(SQL["finish"], (claim.query_id, claim.lease)).fetchone() is not None


def _keep_history(connection: sqlite3.Connection, verdicts: Sequence[Verdict]) -> None:
    """Keep the labels that these are about to take the place of, unless they say the same."""
    if not verdicts:
        return
    given = {verdict.query_id: verdict for verdict in verdicts}
    standing = fetch(connection, SQL["labelled"], (json_of(list(given)),))
    if giving_way := [row[0] for row in standing if _gives_way(row, given[row[0]])]:
        connection.execute(SQL["keep_history"], (json_of(giving_way),))


def _gives_way(standing: Row, verdict: Verdict) -> bool:
    """Whether a label is overwritten by another one: not a person's by an automatic one, and not by the same."""
    _, label, reason, evaluated_by, method = standing
    if evaluated_by == "human" and verdict.evaluated_by != "human":
        return False
    new = (verdict.label, verdict.reason, verdict.evaluated_by, verdict.method)
    return (label, reason, evaluated_by, method) != new


def _save(connection: sqlite3.Connection, verdict: Verdict) -> bool:
    """Store a verdict; tell whether it stands now: a person's label stays as it is."""
    cells = (
        verdict.query_id,
        verdict.label,
        verdict.reason,
        verdict.confidence,
        verdict.evaluated_at,
        verdict.evaluated_by,
        verdict.method,
        verdict.explanation,
    )
    return bool(connection.execute(SQL["save_verdict"], cells).rowcount)
