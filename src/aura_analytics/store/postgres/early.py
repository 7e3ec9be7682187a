"""Early outcomes in PostgreSQL, where another server may bring a query at the very moment at which its outcome waits for it.

Neither sees what the other hasn't committed. Both take the query's place in the queue, so that one waits for the other
there; whichever comes second looks again, and brings the two together.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from psycopg import AsyncConnection

from aura_analytics.events.records import EarlyOutcome, VoiceQuery
from aura_analytics.store.early import Waiting, read, sender_of, tell_of_dropped, written
from aura_analytics.store.postgres.cells import cells_of, json_of, storable
from aura_analytics.store.queries import load

SQL = load("early", "postgres")

# Any, throughout: a row is a tuple of what a cell can be.
Connection = AsyncConnection[Any]

# When something is due that isn't there: a place in the queue, given back before the transaction ends.
PLACE = 2**63 - 2


class Early:
    """The early outcomes of one transaction; each method is one of its round trips, in this order."""

    def __init__(self, connection: Connection, events: Sequence[EarlyOutcome]) -> None:
        self._connection = connection
        self._events = {(storable(event.query_id), sender_of(event)): event for event in reversed(events)}
        self._asked: list[Any] = []
        self._due: Mapping[str, int] = {}
        self.stored: set[str] = set()
        self.waiting: set[tuple[str, str]] = set()

    @property
    def ids(self) -> list[str]:
        """The queries that are waited for."""
        return sorted({id for id, _ in self.waiting})

    @property
    def sent(self) -> list[str]:
        """The queries of all of them."""
        return sorted({id for id, _ in self._events})

    async def send(self) -> None:
        """Ask to store what is known to belong to its sender, and to have the rest wait, in the first pipeline.

        Waiting is asked for first: a query that is committed between the two is seen by the second, and what both took is
        brought to its end with what waits. The other way round neither would take it.
        """
        if not self._events:
            return
        rows = {"rows": json_of([_row(id, sender, event) for (id, sender), event in self._events.items()])}
        self._asked = [await self._connection.execute(SQL[name], rows, binary=True) for name in ("wait", "store")]

    async def read(self) -> None:
        """See what has become of it, after that pipeline."""
        if self._asked:
            waiting, stored = self._asked
            self.stored = {id for (id,) in await stored.fetchall()}
            self.waiting = set(await waiting.fetchall())

    async def enqueue(self, due: Mapping[str, int], *, now: int) -> None:
        """Queue what is due, and wait for who brings the other queries now, in the second pipeline; look which are there.

        All places are taken in one order, or two transactions might wait for each other.
        """
        rows = json_of(list((dict.fromkeys(self.ids, PLACE) | dict(due)).items()))
        self._due = due
        self._asked = [
            await self._connection.execute(SQL["enqueue"], {"rows": rows, "now": now, "place": PLACE}),
            await self._connection.execute(SQL["stores_of"], {"ids": self.ids}),
        ]

    async def come_to_an_end(self) -> list[str]:
        """Bring together what can be, after that pipeline, and leave the places; give the queries that are due now."""
        taken, there = [await cursor.fetchall() for cursor in self._asked]
        stores = dict(there)
        ours = [id for id, is_new in taken if is_new and id not in stores and id not in self._due]
        if ours:
            await self._connection.execute(SQL["leave_place"], {"ids": ours})
        if not stores:
            return []
        await self._connection.execute(SQL["meet"], {"rows": json_of(list(stores.items()))})
        gone = await (await self._connection.execute(SQL["forget"], {"ids": list(stores)})).fetchall()
        return _told(gone, stores)

    def news(self, event: EarlyOutcome) -> bool:
        """Whether an event was stored, or waits."""
        id, sender = storable(event.query_id), sender_of(event)
        is_first = self._events[id, sender] is event
        return is_first and (id in self.stored or (id, sender) in self.waiting)


async def meet(connection: Connection, queries: Sequence[VoiceQuery], *, now: int) -> Any:
    """Ask to store what has waited for queries that are new, once they are queued; give what `told` reads."""
    stores = {storable(query.id): storable(query.store_id) for query in queries}
    rows = {"rows": json_of(list(stores.items()))}
    await connection.execute(SQL["meet"], rows)
    await connection.execute(SQL["hasten"], {**rows, "now": now})
    return await connection.execute(SQL["forget"], {"ids": list(stores)}), stores


async def tell_of_met(asked: Any) -> None:
    """Say what had waited in vain for queries."""
    if asked is not None:
        cursor, stores = asked
        _told(await cursor.fetchall(), stores)


def _told(gone: Sequence[tuple[str, str]], stores: dict[str, str]) -> list[str]:
    """Say what had waited in vain; give the queries of what had not."""
    found = [Waiting(id, read(names), stores[id]) for id, names in gone]
    tell_of_dropped(one.query_id for one in found if not one.fits)
    return sorted({one.query_id for one in found if one.fits})


def _row(id: str, sender: str, event: EarlyOutcome) -> tuple[str, ...]:
    return id, sender, written([storable(store) for store in event.stores]), json_of([cells_of(event.outcome)])[1:-1]
