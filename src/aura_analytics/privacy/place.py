"""Where something may be kept of a person."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol

# One thing that is kept of a person, as JSON has it. Any: what JSON can hold.
Record = dict[str, Any]


class Place(Protocol):
    """A place that is looked through by a person's `user_id`."""

    @property
    def name(self) -> str:
        """What the receipt calls it."""

    async def erase(self, user_id: str) -> int:
        """Erase all of a person; tell how much that was. What was broken off is done by asking again."""

    def known(self, user_id: str) -> AsyncIterator[Record]:
        """Give all that is kept of a person here and nowhere before."""

    async def left(self) -> str | None:
        """Say what of the last erasing couldn't be done yet, and what will; None where nothing is left."""


class FirstPlace(Protocol):
    """A place that gives what it has to the rows, before these are looked through."""

    def held(self) -> AbstractAsyncContextManager[Place]:
        """Have it until the rows are done: nothing of the person comes there meanwhile.

        Raises:
            StoreUnavailable: somebody else has it, for longer than one waits.
        """
