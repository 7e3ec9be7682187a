"""What lies around interactions that changed: their sessions as a whole, and what was bought in them."""

import sqlite3
from collections.abc import Sequence

from aura_analytics.store import queries
from aura_analytics.store.port import Surroundings
from aura_analytics.store.sqlite.append import json_of
from aura_analytics.store.sqlite.connection import fetch

SQL = queries.load("surroundings", "sqlite")


def surroundings(
    connection: sqlite3.Connection, *, query_ids: Sequence[str], session_ids: Sequence[str]
) -> Surroundings:
    """Read them; see `Store.surroundings`."""
    sessions = json_of(list(session_ids))
    spans = fetch(connection, SQL["spans"], {"ids": sessions})
    named = {"query_ids": json_of(list(query_ids)), "session_ids": sessions}
    return Surroundings(
        spans={
            session: (first, last)
            for session, first, last in spans
            if isinstance(session, str) and isinstance(first, int) and isinstance(last, int)
        },
        conversion_ids=[id for (id,) in connection.execute(SQL["conversions"], named)],
    )
