"""One interaction with all that belongs to it, as it was at one moment."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from aura_analytics.events.records import InteractionDetails
from aura_analytics.store import queries
from aura_analytics.store.details import details_of
from aura_analytics.store.sqlite.connection import fetch

SQL = queries.load("interaction", "sqlite")
CONVERSIONS = queries.load("conversions", "sqlite")


def interaction(connection: sqlite3.Connection, query_id: str) -> InteractionDetails | None:
    """Read an interaction; see `Store.interaction`."""
    key = {"query_id": query_id}
    with _one_moment(connection):
        found = fetch(connection, SQL["whole"], key)
        if not found:
            return None
        return details_of(
            found[0],
            verdicts=fetch(connection, SQL["verdict"], key),
            history=fetch(connection, SQL["history"], key),
            conversions=fetch(connection, CONVERSIONS["of_query"], key),
        )


@contextmanager
def _one_moment(connection: sqlite3.Connection) -> Iterator[None]:
    """Let all that is read be of the same moment: a label that is moved to the history is in one of the two places."""
    connection.execute("BEGIN")
    try:
        yield
    finally:
        if connection.in_transaction:
            connection.execute("COMMIT")
