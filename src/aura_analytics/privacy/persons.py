"""All that is kept of one person: given to them, or erased everywhere."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

from ulid import ULID

from aura_analytics.clock import Clock, now
from aura_analytics.errors import ParameterError
from aura_analytics.privacy.copies import Followers, Log
from aura_analytics.privacy.place import FirstPlace, Place, Record
from aura_analytics.privacy.receipt import Receipt, receipt_of
from aura_analytics.privacy.rows import Rows
from aura_analytics.store.audit import record
from aura_analytics.store.port import Store

# Longer ids are none that anybody was known by.
LONGEST_ID = 4_096


class Persons:
    """The persons of a database.

    Args:
        store: the row database.
        places: where else something is kept that the rows don't say.
        first: what has to give to the rows what it has, before they are looked through.
        clock: the present.
    """

    def __init__(
        self,
        store: Store,
        places: Callable[[], Sequence[Place]] = tuple,
        *,
        first: FirstPlace | None = None,
        clock: Clock = now,
    ) -> None:
        self._store = store
        self._others = places
        self._first = first
        self._clock = clock

    async def forget(self, user_id: str, *, actor: str, blocks: bool = False) -> Receipt:
        """Erase all of a person and put it on record; what was broken off goes on where it was.

        Args:
            user_id: who.
            actor: who asks for it.
            blocks: take their events in no more.

        Raises:
            ParameterError: nobody can have this id.
            StoreUnavailable: the database can't be used; what was erased stays so.
        """
        erasure = await self._store.persons.begin(
            _name(user_id), id=str(ULID()), actor=actor, blocks=blocks, now=self._clock()
        )
        rows = Rows(self._store.persons, erasure, clock=self._clock)
        async with self._held() as first:
            places = [*first, *self._places(rows)]
            erased = {place.name: await place.erase(user_id) for place in places}
        remains = [left for place in places if (left := await place.left()) is not None]
        # What was counted before it was broken off is in the record of it.
        erasure = rows.erasure or erasure
        details = {"erasure": erasure.id, "rows": erasure.erased, "places": erased, "blocked": blocks}
        ended = await self._store.persons.end(erasure, now=self._clock(), details=details | {"remains": remains})
        return receipt_of(ended, erased, remains, blocked=blocks)

    async def known(self, user_id: str, *, actor: str) -> AsyncIterator[Record]:
        """Give all that is kept of a person, and put on record that somebody asked.

        Raises:
            ParameterError: nobody can have this id.
        """
        person = await self._store.persons.pseudonym(_name(user_id))
        await record(self._store.keys, actor=actor, action="person.exported", subject=person, at=self._clock())
        async with self._held() as first:
            for place in [*first, *self._places(Rows(self._store.persons, clock=self._clock))]:
                async for one in place.known(user_id):
                    yield one

    async def allow(self, user_id: str, *, actor: str) -> bool:
        """Take the events of a blocked person in again; tell whether they were blocked."""
        person = await self._store.persons.pseudonym(_name(user_id))
        was_blocked = await self._store.persons.allow(user_id)
        if was_blocked:
            await record(self._store.keys, actor=actor, action="person.allowed", subject=person, at=self._clock())
        return was_blocked

    @asynccontextmanager
    async def _held(self) -> AsyncIterator[list[Place]]:
        """Have the first place, where there is one."""
        if self._first is None:
            yield []
            return
        async with self._first.held() as place:
            yield [place]

    def _places(self, rows: Rows) -> list[Place]:
        """Give the places in their order: copies come after what they are copied from."""
        persons = self._store.persons
        return [rows, *self._others(), Followers(persons, clock=self._clock), Log(persons)]


def _name(user_id: str) -> str:
    if not 0 < len(user_id) <= LONGEST_ID:
        raise ParameterError(f"a user's id has 1 to {LONGEST_ID} characters")
    return user_id
