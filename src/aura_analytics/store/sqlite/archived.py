"""What a reader of the tables has to know of the archive: which interactions have gone there."""

import sqlite3
from collections.abc import Sequence

from aura_analytics.store.port import WideRow
from aura_analytics.store.queries import load
from aura_analytics.store.sqlite.append import json_of
from aura_analytics.store.sqlite.connection import fetch, one_moment

EVENTS = load("events", "sqlite")
ARCHIVE = load("archive", "sqlite")


def archived_among(connection: sqlite3.Connection, query_ids: Sequence[str]) -> list[str]:
    """Tell which of some interactions lie in the archive."""
    return [id for (id,) in connection.execute(ARCHIVE["among"], {"ids": json_of(list(query_ids))})]


def wide_rows(connection: sqlite3.Connection, query_ids: Sequence[str]) -> tuple[list[WideRow], list[str]]:
    """Read the joined rows of some interactions, and tell which of the others lie in the archive."""
    with one_moment(connection):
        rows = fetch(connection, EVENTS["wide_rows"], {"ids": json_of(list(query_ids))})
        if len(rows) == len(query_ids):
            return rows, []
        there = {row[0] for row in rows}
        return rows, archived_among(connection, [id for id in query_ids if id not in there])
