"""Interactions by what their rows say, found page by page, so that no read is long and ingest gets its turn."""

import sqlite3
from collections.abc import Sequence

import msgspec

from aura_analytics.events.records import Interaction
from aura_analytics.store import queries
from aura_analytics.store.judging import Choice
from aura_analytics.store.sqlite.append import json_of
from aura_analytics.store.sqlite.connection import fetch
from aura_analytics.store.tolerance import interaction_of

SQL = queries.load("choice", "sqlite")
EVALUATION = queries.load("evaluation", "sqlite")

# Interactions that are looked at in one read, and made due by one transaction.
PAGE_ROWS = 4_096


def page(connection: sqlite3.Connection, *, choice: Choice, after: int) -> tuple[list[str], int | None]:
    """Give those of the next interactions that are of a choice, and what to go on from; None where that was all."""
    rows = fetch(connection, SQL["page"], msgspec.structs.asdict(choice) | {"after": after, "limit": PAGE_ROWS})
    # What others have written may have no id either, but no higher number than the one that ends the page.
    last = max([number for number, id in rows if id is None and number is not None], default=None)
    return [id for _, id in rows if isinstance(id, str)], last


def requeue(connection: sqlite3.Connection, *, query_ids: Sequence[str], now: int) -> int:
    """Make interactions due again; tell how many. In a write transaction."""
    return connection.execute(SQL["requeue"], {"ids": json_of(query_ids), "now": now}).rowcount


def interactions(connection: sqlite3.Connection, *, query_ids: Sequence[str]) -> list[Interaction]:
    """Give interactions, in the order of these ids; one that isn't there is left out."""
    rows = fetch(connection, EVALUATION["claimed"], {"ids": json_of(query_ids)}) if query_ids else []
    found = {row[0]: interaction_of(row) for row in rows}
    return [found[id] for id in query_ids if id in found]
