"""Storing events inside of one transaction: what is new, what belongs together, what has to be labelled.

Other servers store events of the same interactions at the same moment. What is new is what the unique keys let in; rows
are locked in the order of their ids, table by table in one order, so that nobody waits in a circle.
"""

import math
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import msgspec
from psycopg import AsyncConnection

from aura_analytics.errors import InArchive
from aura_analytics.events.records import Event, VoiceConversion, VoiceOutcome, VoiceQuery
from aura_analytics.store.queries import load

SQL = load("events", "postgres")
CONVERSIONS = load("conversions", "postgres")
FEED = load("feed", "postgres")

# PostgreSQL's text holds any character but this one.
NUL, INSTEAD = "\0", "\ufffd"

# When an outcome is due whose query isn't known: its place in the queue is held for who brings the query.
NEVER = 2**63 - 1


class New(NamedTuple):
    """The ids that weren't known before, by the kinds of events."""

    queries: set[str]
    outcomes: set[str]
    conversions: set[str]


class There(NamedTuple):
    """Ids that have a query, and ids that have an outcome."""

    queries: set[str]
    outcomes: set[str]


class Group:
    """The events of one transaction, each id once: the first one that came."""

    def __init__(self, events: Sequence[Event]) -> None:
        self._events = events
        self.queries: dict[str, VoiceQuery] = {}
        self.outcomes: dict[str, VoiceOutcome] = {}
        self.conversions: dict[str, VoiceConversion] = {}
        for event in events:
            if isinstance(event, VoiceQuery):
                self.queries.setdefault(storable(event.id), event)
            elif isinstance(event, VoiceOutcome):
                self.outcomes.setdefault(storable(event.query_id), event)
            else:
                self.conversions.setdefault(storable(event.id), event)

    def alone(self) -> list[str]:
        """Give the ids of which only the query or only the outcome is here."""
        return sorted(self.queries.keys() ^ self.outcomes.keys())

    def news(self, new: New) -> list[bool]:
        """Tell for each event whether it was stored."""
        stored = {id(self.queries[key]) for key in new.queries}
        stored |= {id(self.outcomes[key]) for key in new.outcomes}
        stored |= {id(self.conversions[key]) for key in new.conversions}
        told: list[bool] = []
        for event in self._events:
            told.append(id(event) in stored)
            stored.discard(id(event))  # the same object twice is one event and a duplicate
        return told

    def due(self, new: New, there: There, *, now: int, grace_ms: int) -> dict[str, int]:
        """Tell when the interactions that changed are due to be labelled; an outcome alone never is."""
        due = dict.fromkeys(new.outcomes, NEVER)
        due |= {key: _unanswered_at(self.queries[key], grace_ms) for key in new.queries}
        return due | dict.fromkeys(self._met(new, there), now)

    def _met(self, new: New, there: There) -> set[str]:
        """Give the new ones of which both the query and the outcome are here or there."""
        has_query, has_outcome = self.queries.keys() | there.queries, self.outcomes.keys() | there.outcomes
        return new.queries & has_outcome | new.outcomes & has_query


def _unanswered_at(query: VoiceQuery, grace_ms: int) -> int:
    return min(query.created_at, query.received_at) + grace_ms


async def append(connection: AsyncConnection[Any], events: Sequence[Event], *, now: int, grace_ms: int) -> list[bool]:
    """Store events in a transaction of their own and commit it; tell for each whether it was new.

    Two round trips: what is new has to be known before it can be queued and published. A third one where an outcome comes
    without its query: another transaction may be bringing that at this moment, and neither sees the other. Both queue the
    interaction, so that one of them waits for the other there; whichever comes second makes it due. Any: a row is a tuple.

    Args:
        connection: in autocommit mode, and nobody else's meanwhile.
        events: any mix, any order, any number of the same.
        now: epoch milliseconds.
        grace_ms: how long a query waits for its outcome before it is due without one.

    Raises:
        InArchive: an outcome has come whose query lies in the archive; the transaction is still to be ended.
    """
    group = Group(events)
    async with connection.pipeline():
        await connection.execute("BEGIN")
        await connection.execute(FEED["announce"], {})
        stored = [
            await _insert(connection, SQL["insert_queries"], group.queries.values()),
            await _insert(connection, SQL["insert_outcomes"], group.outcomes.values()),
            await _insert(connection, CONVERSIONS["insert"], group.conversions.values()),
        ]
        looked_up = await _look_up(connection, group.alone())
        resting = await _unanswered(connection, group)
    new = New(*[await _ids(cursor) for cursor in stored])
    if touched := new.outcomes & await _ids(resting):
        raise InArchive(sorted(touched))
    there = await _there(looked_up)
    due = group.due(new, there, now=now, grace_ms=grace_ms)
    lonely = [id for id, due_at in due.items() if due_at == NEVER]
    async with connection.pipeline():
        if due:
            await connection.execute(SQL["enqueue"], {"rows": json_of(list(due.items())), "now": now})
        # An outcome without its query is told too: whoever brings the query may not see it.
        await publish(connection, new.queries | new.outcomes, new.conversions, now=now)
        looked_up = await _look_up(connection, lonely)
        if not lonely:
            await connection.execute("COMMIT")
    if lonely:
        await _commit_lonely(connection, await _there(looked_up), now=now)
    return group.news(new)


async def _commit_lonely(connection: AsyncConnection[Any], there: There, *, now: int) -> None:
    """Commit outcomes that came without their queries; those whose queries were committed meanwhile are due."""
    async with connection.pipeline():
        if there.queries:
            await connection.execute(SQL["hasten"], {"ids": sorted(there.queries), "now": now})
        await connection.execute("COMMIT")


async def _unanswered(connection: AsyncConnection[Any], group: Group) -> Any:
    """Ask which of the outcomes' queries lie in the archive without one; give the cursor that will tell."""
    ids = list(group.outcomes)
    return await connection.execute(SQL["unanswered"], {"ids": ids}, binary=True) if ids else None


async def _look_up(connection: AsyncConnection[Any], ids: Sequence[str]) -> Any:
    """Ask which of some ids have a query, and which an outcome; give the cursor that will tell, None where there are none."""
    return await connection.execute(SQL["counterparts"], {"ids": ids}, binary=True) if ids else None


async def _there(cursor: Any) -> There:
    """Read what was looked up."""
    found = await cursor.fetchall() if cursor is not None else []
    return There({id for id, is_query in found if is_query}, {id for id, is_query in found if not is_query})


async def publish(
    connection: AsyncConnection[Any], query_ids: Iterable[str], conversion_ids: Iterable[str] = (), *, now: int
) -> None:
    """Write to the change feed which interactions this transaction changed, and which conversions it brought."""
    queries, conversions = list(query_ids), list(conversion_ids)
    if queries or conversions:
        told = {"now": now, "query_ids": queries, "conversion_ids": conversions or None}
        await connection.execute(FEED["publish"], told)


async def touch(connection: AsyncConnection[Any], *, now: int) -> None:
    """Write pages to the feed and take them back: only so is it noticed that nothing can be written. Any: a row is a tuple."""
    await connection.execute("BEGIN")
    await connection.execute(FEED["announce"], {})
    await connection.execute(FEED["touch"], {"now": now})
    await connection.execute("ROLLBACK")


async def _insert(connection: AsyncConnection[Any], statement: str, events: Iterable[Event]) -> Any:
    """Ask to store some events of a kind; give the cursor that will tell which are new, None where there are none."""
    rows = [_cells(event) for event in events]
    return await connection.execute(statement, {"rows": json_of(rows)}, binary=True) if rows else None


async def _ids(cursor: Any) -> set[str]:
    return {id for (id,) in await cursor.fetchall()} if cursor is not None else set()


def _cells(event: Event) -> tuple[Any, ...]:
    """Give the cells in the order of the record's fields, which is the statement's; lists and `extra` as JSON."""
    cells = msgspec.structs.astuple(event)
    if isinstance(event, VoiceOutcome):
        *cells_before, tool_calls, correlation_id, extra = cells
        return (*cells_before, _nested(tool_calls), correlation_id, _nested(extra))
    return cells if event.extra is None else (*cells[:-1], _nested(event.extra))


def _nested(value: Any) -> str | None:
    """Write the caller's own JSON as a cell holds it."""
    return None if value is None else msgspec.json.encode(value).decode()


def storable(text: str) -> str:
    """Give a text as PostgreSQL can hold it."""
    return text.replace(NUL, INSTEAD) if NUL in text else text


def json_of(rows: Sequence[Sequence[Any]]) -> str:
    """Write rows as one parameter, with what `jsonb` can hold."""
    text = msgspec.json.encode(rows).decode()
    if "\\u0000" not in text and "-0.0" not in text:
        return text
    return msgspec.json.encode([[_cell(cell) for cell in row] for row in rows]).decode()


def _cell(value: Any) -> Any:
    """Give a cell that `jsonb` keeps as it is: its numbers have no negative zero, but its texts may say so."""
    if isinstance(value, str):
        return storable(value)
    return "-0.0" if isinstance(value, float) and value == 0 and math.copysign(1, value) < 0 else value
