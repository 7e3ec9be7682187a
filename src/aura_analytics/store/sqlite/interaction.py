"""One interaction with all that belongs to it, as it was at one moment."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from msgspec.structs import replace

from aura_analytics.events.records import Interaction
from aura_analytics.store import queries
from aura_analytics.store.port import InteractionDetails
from aura_analytics.store.sqlite.append import Row
from aura_analytics.store.sqlite.connection import fetch
from aura_analytics.store.sqlite.tolerance import (
    conversion_of,
    extra_of,
    interaction_of,
    number_of,
    text_of,
    verdict_of,
)

SQL = queries.load("interaction")
CONVERSIONS = queries.load("conversions")

# What a claim carries of an interaction; the rest of a row of `whole` is only for readers.
CLAIMED = 24


def interaction(connection: sqlite3.Connection, query_id: str) -> InteractionDetails | None:
    """Read an interaction; see `Store.interaction`."""
    key = (query_id,)
    with _one_moment(connection):
        rows = fetch(connection, SQL["whole"], key)
        if not rows:
            return None
        verdicts = [verdict_of(row) for row in fetch(connection, SQL["verdict"], key)]
        history = [verdict_of(row) for row in fetch(connection, SQL["history"], key)]
        conversions = [conversion_of(row) for row in fetch(connection, CONVERSIONS["of_query"], key)]
    found = _whole(rows[0])
    return InteractionDetails(
        query=found.query,
        outcome=found.outcome,
        verdict=verdicts[0] if verdicts else None,
        history=history,
        conversions=conversions,
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


def _whole(row: Row) -> Interaction:
    """Read a row of `whole`; a moment that wasn't noted is that of the query."""
    found = interaction_of(row[:CLAIMED])
    received_at, correlation_id, extra, *of_outcome = row[CLAIMED:]
    query = replace(
        found.query,
        received_at=number_of(received_at) or found.query.received_at,
        correlation_id=text_of(correlation_id),
        extra=extra_of(extra),
    )
    if found.outcome is None:
        return Interaction(query=query)
    occurred_at, received_at, correlation_id, extra = of_outcome
    outcome = replace(
        found.outcome,
        occurred_at=number_of(occurred_at) or found.outcome.occurred_at,
        received_at=number_of(received_at) or found.outcome.received_at,
        correlation_id=text_of(correlation_id),
        extra=extra_of(extra),
    )
    return Interaction(query=query, outcome=outcome)
