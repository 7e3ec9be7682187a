"""Storing events inside of one transaction: what is new, what belongs together, what has to be labelled.

Other servers store events of the same interactions at the same moment. What is new is what the unique keys let in; rows
are locked in the order of their ids, table by table in one order, so that nobody waits in a circle.
"""

import contextlib
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from psycopg import AsyncConnection, errors

from aura_analytics.errors import InArchive
from aura_analytics.events.records import EarlyOutcome, Event, Storable, VoiceConversion, VoiceOutcome, VoiceQuery
from aura_analytics.store.postgres.blocked import refuse
from aura_analytics.store.postgres.cells import cells_of, json_of, storable
from aura_analytics.store.postgres.early import Early, meet, tell_of_met
from aura_analytics.store.queries import load

SQL = load("events", "postgres")
CONVERSIONS = load("conversions", "postgres")
FEED = load("feed", "postgres")

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

    def __init__(self, events: Sequence[Storable]) -> None:
        self._events = events
        self.queries: dict[str, VoiceQuery] = {}
        self.outcomes: dict[str, VoiceOutcome] = {}
        self.conversions: dict[str, VoiceConversion] = {}
        for event in events:
            if isinstance(event, VoiceQuery):
                self.queries.setdefault(storable(event.id), event)
            elif isinstance(event, VoiceOutcome):
                self.outcomes.setdefault(storable(event.query_id), event)
            elif isinstance(event, VoiceConversion):
                self.conversions.setdefault(storable(event.id), event)

    def alone(self) -> list[str]:
        """Give the ids of which only the query or only the outcome is here."""
        return sorted(self.queries.keys() ^ self.outcomes.keys())

    def early(self) -> list[EarlyOutcome]:
        """Give the outcomes of which it isn't known yet whether their queries are their senders'."""
        return [event for event in self._events if isinstance(event, EarlyOutcome)]

    def left(self, new: New) -> list[VoiceQuery]:
        """Give the queries that name a person and weren't new: those who send them may be blocked."""
        if len(new.queries) == len(self.queries):
            return []
        return [query for id, query in self.queries.items() if id not in new.queries and query.user_id is not None]

    def news(self, new: New, early: Early) -> list[bool]:
        """Tell for each event whether it was stored."""
        stored = {id(self.queries[key]) for key in new.queries}
        stored |= {id(self.outcomes[key]) for key in new.outcomes}
        stored |= {id(self.conversions[key]) for key in new.conversions}
        told: list[bool] = []
        for event in self._events:
            if isinstance(event, EarlyOutcome):
                told.append(early.news(event))
                continue
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


async def append(
    connection: AsyncConnection[Any], events: Sequence[Storable], *, now: int, grace_ms: int
) -> list[bool]:
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
    early = Early(connection, group.early())
    new, there = await _insert_group(connection, group, early)
    if await refuse(connection, group.left(new), now=now):
        return await append(connection, events, now=now, grace_ms=grace_ms)
    due = group.due(new, there, now=now, grace_ms=grace_ms) | dict.fromkeys(early.stored, now)
    lonely = [id for id, due_at in due.items() if due_at == NEVER]
    async with connection.pipeline():
        if early.waiting:
            await early.enqueue(due, now=now)
        elif due:
            await connection.execute(SQL["enqueue"], {"rows": json_of(list(due.items())), "now": now})
        met = await meet(connection, [group.queries[id] for id in new.queries], now=now) if new.queries else None
        # An outcome without its query is told too: whoever brings the query may not see it.
        changed = new.queries | new.outcomes | early.stored | set(early.ids)
        await publish(connection, changed, new.conversions, now=now)
        looked_up = await _look_up(connection, lonely)
        if not lonely and not early.waiting:
            await connection.execute("COMMIT")
    await tell_of_met(met)
    if lonely or early.waiting:
        await _commit_lonely(connection, await _there(looked_up), early, now=now)
    return group.news(new, early)


async def _insert_group(connection: AsyncConnection[Any], group: Group, early: Early) -> tuple[New, There]:
    """Begin, and store what is new; give that, and what there is of the interactions of which only a half is here."""
    async with connection.pipeline():
        await connection.execute("BEGIN")
        await connection.execute(FEED["announce"], {})
        stored = [
            await _insert(connection, SQL["insert_queries"], group.queries.values()),
            await _insert(connection, SQL["insert_outcomes"], group.outcomes.values()),
            await _insert(connection, CONVERSIONS["insert"], group.conversions.values()),
        ]
        await early.send()
        looked_up = await _look_up(connection, group.alone())
        resting = await _unanswered(connection, [*group.outcomes, *early.sent])
    await early.read()
    new = New(*[await _ids(cursor) for cursor in stored])
    if touched := (new.outcomes | set(early.ids)) & await _ids(resting):
        raise InArchive(sorted(touched))
    return new, await _there(looked_up)


async def _commit_lonely(connection: AsyncConnection[Any], there: There, early: Early, *, now: int) -> None:
    """Commit outcomes that came without their queries; those whose queries were committed meanwhile are due."""
    if early.waiting and (met := await early.come_to_an_end()):
        await connection.execute(SQL["enqueue"], {"rows": json_of([(id, now) for id in met]), "now": now})
    async with connection.pipeline():
        if there.queries:
            await connection.execute(SQL["hasten"], {"ids": sorted(there.queries), "now": now})
        await connection.execute("COMMIT")


async def _unanswered(connection: AsyncConnection[Any], ids: Sequence[str]) -> Any:
    """Ask which of the outcomes' queries lie in the archive without one; give the cursor that will tell."""
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
    """Write to the feed and to the disk, and take it back: only so is it noticed that nothing can be written.

    Any: a row is a tuple. A user who may have no temporary tables is told of a full disk only once the feed's pages are.
    """
    await connection.execute("BEGIN")
    await connection.execute(FEED["announce"], {})
    await connection.execute(FEED["touch"], {"now": now})
    with contextlib.suppress(errors.InsufficientPrivilege):
        await connection.execute(FEED["room"], {})
        await connection.execute(FEED["take_room"], {})
    await connection.execute("ROLLBACK")


async def _insert(connection: AsyncConnection[Any], statement: str, events: Iterable[Event]) -> Any:
    """Ask to store some events of a kind; give the cursor that will tell which are new, None where there are none."""
    rows = [cells_of(event) for event in events]
    return await connection.execute(statement, {"rows": json_of(rows)}, binary=True) if rows else None


async def _ids(cursor: Any) -> set[str]:
    return {id for (id,) in await cursor.fetchall()} if cursor is not None else set()
