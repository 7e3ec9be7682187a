"""What people look at: who has which interaction, and the labels that they give.

What changes anything runs in a write transaction.
"""

import sqlite3
from collections.abc import Sequence

from aura_analytics.errors import InArchive
from aura_analytics.events.records import Verdict
from aura_analytics.store import queries
from aura_analytics.store.sqlite.append import publish
from aura_analytics.store.sqlite.archived import archived_among
from aura_analytics.store.sqlite.connection import fetch
from aura_analytics.store.sqlite.evaluation import replace
from aura_analytics.store.tolerance import verdict_of
from aura_analytics.store.undoing import TakenBack

SQL = queries.load("reviews", "sqlite")


def review(connection: sqlite3.Connection, *, verdict: Verdict, now: int) -> bool:
    """Store a person's label; see `Store.review`. Work that waits goes on: its label then goes into the history.

    Raises:
        InArchive: the interaction lies there.
    """
    if connection.execute(SQL["known"], {"query_id": verdict.query_id}).fetchone() is None:
        if archived_among(connection, [verdict.query_id]):
            raise InArchive([verdict.query_id])
        return False
    connection.execute(SQL["unlease"], {"query_id": verdict.query_id})
    publish(connection, replace(connection, [verdict]), now=now)
    return True


def take_back(connection: sqlite3.Connection, *, query_id: str, given_at: int | None, now: int) -> TakenBack | None:
    """Take a person's label back; see `Store.take_back`.

    Raises:
        InArchive: the interaction lies there.
    """
    asked = {"query_id": query_id, "given_at": given_at, "now": now}
    if connection.execute(SQL["take_away"], asked).fetchone() is None:
        if archived_among(connection, [query_id]):
            raise InArchive([query_id])
        return None
    standing = fetch(connection, SQL["last_kept"], asked)
    if standing:
        connection.execute(SQL["put_back"], asked)
        connection.execute(SQL["drop_last_kept"], asked)
    else:
        connection.execute(SQL["wait_again"], asked)
    publish(connection, [query_id], now=now)
    return TakenBack(verdict_of(standing[0]) if standing else None)


def lease_reviews(
    connection: sqlite3.Connection, *, query_ids: Sequence[str], reviewer: str, limit: int, now: int, until: int
) -> list[str]:
    """Lease interactions to a person; see `Store.lease_reviews`."""
    connection.execute(SQL["forget_leases"], {"now": now})
    leased: list[str] = []
    for query_id in dict.fromkeys(query_ids):
        if len(leased) >= limit:
            break
        asked = {"query_id": query_id, "reviewer": reviewer, "until": until}
        if connection.execute(SQL["lease"], asked).rowcount:
            leased.append(query_id)
    return leased


def leased_reviews(connection: sqlite3.Connection, *, now: int) -> dict[str, str]:
    """Give who has what; see `Store.leased_reviews`."""
    return dict(connection.execute(SQL["leased"], {"now": now}).fetchall())
