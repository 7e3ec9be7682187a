"""The row database as a place: what was asked, what became of it, its labels, its work, what was bought."""

from collections.abc import AsyncIterator

import msgspec

from aura_analytics.clock import Clock, now
from aura_analytics.privacy.place import Record
from aura_analytics.store.privacy import Erasure, PersonStore

NAME = "rows"


class Rows:
    """The rows of a person.

    Args:
        persons: the row database.
        erasure: the one that has begun; it is handed through, since a second call may have ended it meanwhile.
        clock: the present.
    """

    name = NAME

    def __init__(self, persons: PersonStore, erasure: Erasure | None = None, *, clock: Clock = now) -> None:
        self._persons = persons
        self.erasure = erasure
        self._clock = clock

    async def erase(self, user_id: str) -> int:
        """Erase rows, and tell how many."""
        if (begun := self.erasure) is None:
            raise ValueError("nothing has begun")
        self.erasure = done = await self._persons.erase(user_id, begun, now=self._clock())
        return sum(done.erased.values()) - sum(begun.erased.values())

    async def known(self, user_id: str) -> AsyncIterator[Record]:
        """Give each interaction whole, then what else is known about some of them."""
        async for held in self._persons.held(user_id):
            for kind, found in (
                ("interaction", held.interactions),
                ("conversion", held.conversions),
                ("judge_call", held.judge_calls),
            ):
                for one in found:
                    record: Record = {"place": NAME, "kind": kind, **msgspec.to_builtins(one)}
                    yield record

    async def left(self) -> str | None:
        """Nothing: rows are gone when their erasing has returned."""
        return None
