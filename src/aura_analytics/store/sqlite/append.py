"""Storing events inside of one transaction: what is new, what belongs together, what has to be labelled."""

import sqlite3
from collections.abc import Sequence
from itertools import chain
from typing import Any

import msgspec

from aura_analytics.events.records import Event, Extra, VoiceOutcome, VoiceQuery
from aura_analytics.store.queries import expand, load

SQL = load("events")
FEED = load("feed")

# Rows a statement. The interpreter's lock is let go and taken back a few times a statement, and while the event loop is
# busy each of them is a wait; so a group is written in as few statements as it has ones in binary.
CHUNKS = tuple(2**power for power in range(9, -1, -1))

# Any: a cell to bind.
Row = tuple[Any, ...]


def append(connection: sqlite3.Connection, events: Sequence[Event], *, now: int, grace_ms: int) -> list[bool]:
    """Store events and tell for each whether it was new; the caller holds the write transaction.

    Args:
        connection: in a transaction that no other writer can interrupt, so that looking up and inserting is exact.
        events: any mix, any order, any number of the same.
        now: epoch milliseconds.
        grace_ms: how long a query waits for its outcome before it is due without one.
    """
    keys = {event.id if isinstance(event, VoiceQuery) else event.query_id for event in events}
    found = connection.execute(SQL["known"], {"ids": msgspec.json.encode(keys).decode()}).fetchone()
    queries, outcomes = (set(msgspec.json.decode(ids, type=list[str])) for ids in found)
    new_queries: list[VoiceQuery] = []
    new_outcomes: list[VoiceOutcome] = []
    news = [_sort_in(event, queries, outcomes, new_queries, new_outcomes) for event in events]
    insert(connection, SQL["insert_queries"], [_query_row(query) for query in new_queries])
    insert(connection, SQL["insert_outcomes"], [_outcome_row(outcome) for outcome in new_outcomes])
    due = {query.id: min(query.created_at, query.received_at) + grace_ms for query in new_queries}
    due |= {query.id: now for query in new_queries if query.id in outcomes}
    due |= {outcome.query_id: now for outcome in new_outcomes if outcome.query_id in queries}
    if due:
        connection.execute(SQL["enqueue"], (msgspec.json.encode(list(due.items())).decode(),))
        publish(connection, list(due), now=now)
    return news


def publish(connection: sqlite3.Connection, query_ids: Sequence[str], *, now: int) -> None:
    """Write to the change feed which interactions this transaction changed."""
    if query_ids:
        connection.execute(FEED["publish"], (now, msgspec.json.encode(query_ids).decode()))


def insert(connection: sqlite3.Connection, statement: str, rows: Sequence[Row]) -> None:
    """Run an INSERT over many rows, as few statements as its chunks allow."""
    start = 0
    for size in CHUNKS:
        while len(rows) - start >= size:
            chunk = rows[start : start + size]
            connection.execute(expand(statement, len(chunk[0]), size), list(chain.from_iterable(chunk)))
            start += size


def _sort_in(
    event: Event,
    queries: set[str],
    outcomes: set[str],
    new_queries: list[VoiceQuery],
    new_outcomes: list[VoiceOutcome],
) -> bool:
    """Put an event with the new ones of its kind, unless one of its id came before; tell whether it is new."""
    if isinstance(event, VoiceQuery):
        if event.id in queries:
            return False
        queries.add(event.id)
        new_queries.append(event)
        return True
    if event.query_id in outcomes:
        return False
    outcomes.add(event.query_id)
    new_outcomes.append(event)
    return True


def _json(value: Extra | list[Any] | None) -> str | None:  # Any: the caller's own JSON
    return None if value is None else msgspec.json.encode(value).decode()


def _query_row(query: VoiceQuery) -> Row:
    """Give the cells in the order of the record's fields, which is the statement's; `extra`, the last, as JSON."""
    cells = msgspec.structs.astuple(query)
    return cells if query.extra is None else (*cells[:-1], _json(query.extra))


def _outcome_row(outcome: VoiceOutcome) -> Row:
    """Give the cells in the order of the record's fields, the lists as JSON."""
    *cells, tool_calls, correlation_id, extra = msgspec.structs.astuple(outcome)
    return (*cells, _json(tool_calls), correlation_id, _json(extra))
