"""The work queue of the evaluation: claims, verdicts, and what rests. Each function runs in a write transaction."""

import sqlite3
from collections.abc import Iterable, Sequence

import msgspec
from ulid import ULID

from aura_analytics.events.records import JudgeCall, Verdict
from aura_analytics.store import queries
from aura_analytics.store.port import Claim
from aura_analytics.store.queries import Row
from aura_analytics.store.sqlite.append import json_of, publish
from aura_analytics.store.sqlite.connection import fetch
from aura_analytics.store.sqlite.judge_calls import note
from aura_analytics.store.tolerance import interaction_of
from aura_analytics.store.verdicts import gives_way, stays

SQL = queries.load("evaluation", "sqlite")


def claim_due(
    connection: sqlite3.Connection, *, limit: int, now: int, lease_ms: int, lease: str | None = None
) -> list[Claim]:
    """Claim what is due; see `Store.claim_due`."""
    lease = lease or str(ULID())
    parameters = {"now": now, "limit": limit, "lease": lease, "lease_until": now + lease_ms}
    attempts: dict[str, int] = dict(connection.execute(SQL["claim_due"], parameters).fetchall())
    claims = _claims(connection, attempts, lease)
    if orphans := attempts.keys() - {claim.query_id for claim in claims}:
        connection.execute(SQL["drop_orphans"], {"lease": lease, "ids": json_of(sorted(orphans))})
    return claims


def claims(connection: sqlite3.Connection, *, lease: str) -> list[Claim]:
    """Give what is held under a lease; see `Store.claims`. Only read, so that any connection will do."""
    attempts: dict[str, int] = dict(connection.execute(SQL["held"], {"lease": lease}).fetchall())
    return _claims(connection, attempts, lease)


def settle(
    connection: sqlite3.Connection,
    *,
    verdicts: Sequence[tuple[Claim, Verdict]],
    calls: Sequence[JudgeCall],
    now: int,
) -> int:
    """Store verdicts and remove their work; see `Store.settle`."""
    note(connection, calls)
    held = [verdict for claim, verdict in verdicts if _finish(connection, claim)]
    kept = replace(connection, held)
    publish(connection, kept, now=now)
    return len(kept)


def replace(connection: sqlite3.Connection, verdicts: Sequence[Verdict]) -> list[str]:
    """Store verdicts, each of another interaction, and keep in the history what doesn't stand; give those that stand."""
    given = {verdict.query_id: verdict for verdict in verdicts}
    standing = fetch(connection, SQL["labelled"], {"ids": json_of(list(given))}) if given else []
    _keep_history(connection, standing, given)
    beside = [row[0] for row in standing if stays(row, given[row[0]])]
    connection.executemany(SQL["keep_beside"], [_cells(given[id]) for id in beside])
    kept = [id for id in given if id not in beside]
    connection.executemany(SQL["save_verdict"], [_cells(given[id]) for id in kept])
    return kept


def postpone(
    connection: sqlite3.Connection,
    *,
    claims: Sequence[Claim],
    error: str,
    due_at: int,
    counts: bool,
    calls: Sequence[JudgeCall] = (),
) -> None:
    """Give claims back, to be due later; see `Store.postpone` and `Store.postpone_all`."""
    note(connection, calls)
    told = {"error": error, "due_at": due_at, "uncounted": int(not counts)}
    connection.executemany(SQL["postpone"], [_key(claim) | told for claim in claims])


def give_up(connection: sqlite3.Connection, *, claim: Claim, error: str, now: int, calls: Sequence[JudgeCall]) -> None:
    """Move a claim to the failed ones; see `Store.give_up`."""
    note(connection, calls)
    connection.execute(SQL["give_up"], _key(claim) | {"error": error, "now": now})


def leave(connection: sqlite3.Connection, *, claims: Iterable[Claim]) -> None:
    """Remove the work of claims; see `Store.leave`."""
    for claim in claims:
        _finish(connection, claim)


def release(connection: sqlite3.Connection, *, claims: Iterable[Claim], now: int) -> None:
    """Give claims back untouched; see `Store.release`."""
    connection.executemany(SQL["release"], [_key(claim) | {"now": now} for claim in claims])


def prolong(connection: sqlite3.Connection, *, claims: Iterable[Claim], until: int) -> None:
    """Keep claims for longer; see `Store.prolong`."""
    connection.executemany(SQL["prolong"], [_key(claim) | {"until": until} for claim in claims])


def _claims(connection: sqlite3.Connection, attempts: dict[str, int], lease: str) -> list[Claim]:
    """Read what a rule or a judge looks at, as far as it is there."""
    rows = fetch(connection, SQL["claimed"], {"ids": json_of(list(attempts))}) if attempts else []
    return [Claim(interaction=interaction_of(row), lease=lease, attempts=attempts[row[0]]) for row in rows]


def _finish(connection: sqlite3.Connection, claim: Claim) -> bool:
    """Remove the work of a claim; tell whether its lease still held."""
    return connection.execute(SQL["finish"], _key(claim)).fetchone() is not None


def _keep_history(connection: sqlite3.Connection, standing: Sequence[Row], given: dict[str, Verdict]) -> None:
    """Keep the labels that these are about to take the place of, unless they say the same."""
    if giving_way := [row[0] for row in standing if gives_way(row, given[row[0]])]:
        connection.execute(SQL["keep_history"], {"ids": json_of(giving_way)})


def _key(claim: Claim) -> dict[str, str | int]:
    return {"query_id": claim.query_id, "lease": claim.lease}


def _cells(verdict: Verdict) -> dict[str, object]:
    return msgspec.structs.asdict(verdict)
