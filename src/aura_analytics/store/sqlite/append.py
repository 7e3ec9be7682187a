"""Storing events inside of one transaction: what is new, what belongs together, what has to be labelled."""

import sqlite3
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from aura_analytics.events.records import Event, Extra, VoiceOutcome, VoiceQuery
from aura_analytics.store import queries

SQL = queries.load("events")
FEED = queries.load("feed")

# Rows a statement: the interpreter's lock is let go once a statement, not once a row, so the event loop of this process
# waits less; the second size takes what the first leaves over.
CHUNKS = (64, 8, 1)

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
    keys = msgspec.json.encode([_key(event) for event in events]).decode()
    known_queries = _known(connection, "known_queries", keys)
    known_outcomes = _known(connection, "known_outcomes", keys)
    new_queries: dict[str, VoiceQuery] = {}
    new_outcomes: dict[str, VoiceOutcome] = {}
    news = [_sort_in(event, known_queries, known_outcomes, new_queries, new_outcomes) for event in events]
    insert(connection, SQL["insert_queries"], 14, [_query_row(query) for query in new_queries.values()])
    insert(connection, SQL["insert_outcomes"], 17, [_outcome_row(outcome) for outcome in new_outcomes.values()])
    complete = {id for id in new_outcomes if id in known_queries or id in new_queries}
    complete |= {id for id in new_queries if id in known_outcomes}
    due = [(id, now) for id in complete]
    due += [
        (id, min(query.created_at, query.received_at) + grace_ms)
        for id, query in new_queries.items()
        if id not in complete
    ]
    insert(connection, SQL["enqueue"], 2, due)
    publish(connection, [id for id, _ in due], now=now)
    return news


def publish(connection: sqlite3.Connection, query_ids: Sequence[str], *, now: int) -> None:
    """Write to the change feed which interactions this transaction changed."""
    if query_ids:
        connection.execute(FEED["publish"], (now, msgspec.json.encode(query_ids).decode()))


def insert(connection: sqlite3.Connection, statement: str, columns: int, rows: Sequence[Row]) -> None:
    """Run an INSERT over many rows, as few statements as its chunks allow."""
    start = 0
    for size in CHUNKS:
        sql = queries.rows(statement, columns, size)
        while len(rows) - start >= size:
            connection.execute(sql, [cell for row in rows[start : start + size] for cell in row])
            start += size


def _key(event: Event) -> str:
    return event.id if isinstance(event, VoiceQuery) else event.query_id


def _known(connection: sqlite3.Connection, statement: str, keys: str) -> set[str]:
    (found,) = connection.execute(SQL[statement], (keys,)).fetchone()
    return set(msgspec.json.decode(found, type=list[str]))


def _sort_in(
    event: Event,
    known_queries: Iterable[str],
    known_outcomes: Iterable[str],
    new_queries: dict[str, VoiceQuery],
    new_outcomes: dict[str, VoiceOutcome],
) -> bool:
    """Put an event with the new ones of its kind, unless one of its id came before; tell whether it is new."""
    if isinstance(event, VoiceQuery):
        if event.id in known_queries or event.id in new_queries:
            return False
        new_queries[event.id] = event
        return True
    if event.query_id in known_outcomes or event.query_id in new_outcomes:
        return False
    new_outcomes[event.query_id] = event
    return True


def _json(value: Extra | list[Any] | None) -> str | None:  # Any: the caller's own JSON
    return None if value is None else msgspec.json.encode(value).decode()


def _query_row(query: VoiceQuery) -> Row:
    return (
        query.id,
        query.store_id,
        query.session_id,
        query.user_id,
        query.created_at,
        query.query_text,
        query.transcription_conf,
        query.intent,
        query.fast_path,
        query.query_source,
        query.audio_duration_ms,
        query.correlation_id,
        query.received_at,
        _json(query.extra),
    )


def _outcome_row(outcome: VoiceOutcome) -> Row:
    return (
        outcome.query_id,
        outcome.answer_text,
        outcome.model_name,
        outcome.latency_ms,
        outcome.tokens_prompt,
        outcome.tokens_completion,
        outcome.cost_usd,
        outcome.action_taken,
        outcome.action_success,
        outcome.error_flag,
        _json(outcome.tool_calls),
        outcome.error_message,
        outcome.tokens_total,
        outcome.occurred_at,
        outcome.received_at,
        outcome.correlation_id,
        _json(outcome.extra),
    )
