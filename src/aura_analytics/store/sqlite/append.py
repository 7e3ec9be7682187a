"""Storing events inside of one transaction: what is new, what belongs together, what has to be labelled."""

import sqlite3
from collections.abc import Sequence
from itertools import chain
from typing import Any

import msgspec

from aura_analytics.errors import InArchive
from aura_analytics.events.records import (
    EarlyOutcome,
    Extra,
    Storable,
    VoiceConversion,
    VoiceOutcome,
    VoiceQuery,
)
from aura_analytics.store.early import tell_of_dropped
from aura_analytics.store.queries import Row, expand, load
from aura_analytics.store.sqlite import early
from aura_analytics.store.sqlite.forgotten import Forgotten

SQL = load("events", "sqlite")
CONVERSIONS = load("conversions", "sqlite")
FEED = load("feed", "sqlite")

# Rows a statement. The interpreter's lock is let go and taken back a few times a statement, and while the event loop is
# busy each of them is a wait; so a group is written in as few statements as it has ones in binary.
CHUNKS = tuple(2**power for power in range(9, -1, -1))

_id_lists = msgspec.json.Decoder(list[str])


def append(connection: sqlite3.Connection, events: Sequence[Storable], *, now: int, grace_ms: int) -> list[bool]:
    """Store events and tell for each whether it was new; the caller holds the write transaction.

    Args:
        connection: in a transaction that no other writer can interrupt, so that looking up and inserting is exact.
        events: any mix, any order, any number of the same.
        now: epoch milliseconds.
        grace_ms: how long a query waits for its outcome before it is due without one.
    """
    refused = Forgotten(connection)
    fresh = Fresh(connection, events)
    news = fresh.take(events, refused.events(events, fresh.known_queries) if refused.any else None)
    gone = refused.refuse(now=now)
    if refused.any_waits and fresh.queries:
        fresh.add(early.met(connection, fresh.queries))
    if EarlyOutcome in map(type, events):
        _take_early(connection, events, fresh, news)
    insert(connection, SQL["insert_queries"], [_query_row(query) for query in fresh.queries])
    insert(connection, SQL["insert_outcomes"], [_outcome_row(outcome) for outcome in fresh.outcomes])
    insert(connection, CONVERSIONS["insert"], [_conversion_row(conversion) for conversion in fresh.conversions])
    due = fresh.due(now=now, grace_ms=grace_ms)
    if due:
        connection.execute(SQL["enqueue"], {"due": json_of(list(due.items()))})
    brought = [conversion.id for conversion in fresh.conversions]
    publish(connection, [*due, *gone.query_ids], [*brought, *gone.conversion_ids], now=now)
    return news


def _take_early(connection: sqlite3.Connection, events: Sequence[Storable], fresh: "Fresh", news: list[bool]) -> None:
    """Store early outcomes whose queries are there and their senders', and have those wait whose queries aren't."""
    sent = [(number, event) for number, event in enumerate(events) if isinstance(event, EarlyOutcome) and news[number]]
    stores = early.stores_of(connection, [event for _, event in sent], fresh.queries)
    dropped: list[str] = []
    for number, event in sent:
        store_id = stores.get(event.query_id)
        if store_id is None:
            news[number] = early.wait(connection, event)
        elif store_id in event.stores:
            news[number] = bool(fresh.add([event.outcome]))
        else:
            news[number] = False
            dropped.append(event.query_id)
    tell_of_dropped(dropped)


def publish(
    connection: sqlite3.Connection, query_ids: Sequence[str], conversion_ids: Sequence[str] = (), *, now: int
) -> None:
    """Write to the change feed which interactions this transaction changed, and which conversions it brought."""
    if query_ids or conversion_ids:
        brought = json_of(conversion_ids) if conversion_ids else None
        parameters = {"now": now, "query_ids": json_of(query_ids), "conversion_ids": brought}
        connection.execute(FEED["publish"], parameters)


def insert(connection: sqlite3.Connection, statement: str, rows: Sequence[Row]) -> None:
    """Run an INSERT over many rows, as few statements as its chunks allow."""
    if not rows:
        return
    start = 0
    for size in CHUNKS:
        while len(rows) - start >= size:
            chunk = rows[start : start + size]
            connection.execute(expand(statement, len(chunk[0]), size), list(chain.from_iterable(chunk)))
            start += size


def json_of(value: Any) -> str:  # Any: ids, or the caller's own JSON
    """Write JSON as a cell holds it."""
    return msgspec.json.encode(value).decode()


class Fresh:
    """The events of a transaction that are new, by their kinds: of an id, the first one that ever came."""

    def __init__(self, connection: sqlite3.Connection, events: Sequence[Storable]) -> None:
        """Look up what is known of the events' ids."""
        # A conversion's query is looked up along with the others, in vain: telling it apart would cost every batch.
        keys = {event.id if isinstance(event, VoiceQuery) else event.query_id for event in events}
        found = connection.execute(SQL["known"], {"ids": json_of(keys)}).fetchone()
        self.known_queries, self._known_outcomes, self._unanswered = map(_ids, found)
        self._known_conversions = _known_conversions(connection, events)
        self.queries: list[VoiceQuery] = []
        self.outcomes: list[VoiceOutcome] = []
        self.conversions: list[VoiceConversion] = []

    def take(self, events: Sequence[Storable], refused: Sequence[bool] | None = None) -> list[bool]:
        """Put events with the new ones of their kinds; tell for each whether it is new. One that is refused isn't.

        Early outcomes are put nowhere: of those that are told as new, some may turn out not to be.

        Raises:
            InArchive: an outcome has come whose query lies in the archive.
        """
        # Any: a list takes only its own kind. A call for each event would be a tenth of a large batch's Python.
        kinds: dict[type[Storable], tuple[set[str], list[Any]]] = {
            VoiceQuery: (self.known_queries, self.queries),
            VoiceOutcome: (self._known_outcomes, self.outcomes),
            VoiceConversion: (self._known_conversions, self.conversions),
        }
        news: list[bool] = []
        for number, event in enumerate(events):
            if isinstance(event, EarlyOutcome):
                is_new = not (refused and refused[number])
                news.append(is_new)
                if is_new and event.query_id in self._unanswered:
                    raise InArchive([event.query_id])
                continue
            id = event.query_id if isinstance(event, VoiceOutcome) else event.id
            known, new = kinds[type(event)]
            is_new = id not in known and not (refused and refused[number])
            news.append(is_new)
            if is_new:
                known.add(id)
                new.append(event)
        if touched := self._unanswered & {outcome.query_id for outcome in self.outcomes}:
            raise InArchive(sorted(touched))
        return news

    def add(self, outcomes: Sequence[VoiceOutcome]) -> list[VoiceOutcome]:
        """Put outcomes with the new ones whose queries have none yet; give these."""
        added: list[VoiceOutcome] = []
        for outcome in outcomes:
            if outcome.query_id not in self._known_outcomes:
                self._known_outcomes.add(outcome.query_id)
                added.append(outcome)
        self.outcomes += added
        return added

    def due(self, *, now: int, grace_ms: int) -> dict[str, int]:
        """Tell when the interactions that changed are due to be labelled."""
        due = {query.id: min(query.created_at, query.received_at) + grace_ms for query in self.queries}
        due |= {query.id: now for query in self.queries if query.id in self._known_outcomes}
        due |= {outcome.query_id: now for outcome in self.outcomes if outcome.query_id in self.known_queries}
        return due


def _known_conversions(connection: sqlite3.Connection, events: Sequence[Storable]) -> set[str]:
    """Tell which conversions are there already; a batch that brings none asks nothing."""
    if VoiceConversion not in map(type, events):
        return set()
    ids = {event.id for event in events if isinstance(event, VoiceConversion)}
    (found,) = connection.execute(CONVERSIONS["known"], {"ids": json_of(ids)}).fetchone()
    return _ids(found)


def _ids(text: str) -> set[str]:
    return set(_id_lists.decode(text))


def _json(value: Extra | list[Any] | None) -> str | None:  # Any: the caller's own JSON
    return None if value is None else json_of(value)


def _query_row(query: VoiceQuery) -> Row:
    """Give the cells in the order of the record's fields, which is the statement's; `extra`, the last, as JSON."""
    cells = msgspec.structs.astuple(query)
    return cells if query.extra is None else (*cells[:-1], _json(query.extra))


def _outcome_row(outcome: VoiceOutcome) -> Row:
    """Give the cells in the order of the record's fields, the lists as JSON."""
    *cells, tool_calls, correlation_id, extra = msgspec.structs.astuple(outcome)
    return (*cells, _json(tool_calls), correlation_id, _json(extra))


def _conversion_row(conversion: VoiceConversion) -> Row:
    """Give the cells in the order of the record's fields, which is the statement's; `extra`, the last, as JSON."""
    *cells, extra = msgspec.structs.astuple(conversion)
    return (*cells, _json(extra))
