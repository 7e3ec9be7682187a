"""One interaction with all that belongs to it, as it was at one moment."""

import sqlite3

from aura_analytics.events.records import InteractionDetails
from aura_analytics.store import queries
from aura_analytics.store.details import details_of
from aura_analytics.store.queries import Row
from aura_analytics.store.sqlite.archived import archived_among
from aura_analytics.store.sqlite.connection import fetch, one_moment

SQL = queries.load("interaction", "sqlite")
CONVERSIONS = queries.load("conversions", "sqlite")


def interaction(
    connection: sqlite3.Connection, query_id: str
) -> tuple[InteractionDetails | None, list[str], list[Row]]:
    """Read an interaction; see `Store.interaction`. Give its id, and its conversions, where it lies in the archive."""
    key = {"query_id": query_id}
    with one_moment(connection):
        conversions = fetch(connection, CONVERSIONS["of_query"], key)
        found = fetch(connection, SQL["whole"], key)
        if not found:
            return None, archived_among(connection, query_ids=[query_id]), conversions
        details = details_of(
            found[0],
            verdicts=fetch(connection, SQL["verdict"], key),
            history=fetch(connection, SQL["history"], key),
            conversions=conversions,
        )
    return details, [], conversions
