"""What is copied from the rows: the columns of each server, which follow the feed, and what is written ahead of the file."""

import asyncio
import time
from collections.abc import AsyncIterator

from aura_analytics.clock import Clock, now
from aura_analytics.privacy.place import Record
from aura_analytics.store.privacy import PersonStore

# How long the columns are waited for: they follow within two seconds, unless their server is down or just filling them.
PATIENCE_S = 15.0
BETWEEN_LOOKS_S = 0.1


class Followers:
    """Whoever follows the feed: the columns of all servers. They hold nothing that isn't in the rows."""

    name = "columns"

    def __init__(self, persons: PersonStore, *, patience_s: float = PATIENCE_S, clock: Clock = now) -> None:
        self._persons = persons
        self._patience_s = patience_s
        self._clock = clock
        self._behind = 0

    async def erase(self, user_id: str) -> int:
        """Wait until all have followed, and let the feed forget which interactions it was; give how many have."""
        del user_id  # it is the feed that says what has gone
        position = await self._persons.move_on(now=self._clock())
        until = time.monotonic() + self._patience_s
        while True:
            there, self._behind = await self._persons.followed(position)
            if not self._behind or time.monotonic() > until:
                return there
            await asyncio.sleep(BETWEEN_LOOKS_S)

    async def known(self, user_id: str) -> AsyncIterator[Record]:
        """Nothing of their own."""
        del user_id
        nothing: tuple[Record, ...] = ()
        for record in nothing:
            yield record

    async def left(self) -> str | None:
        """Say how many have yet to follow."""
        if not self._behind:
            return None
        return (
            f"{self._behind} that follow the feed have yet to; their columns answer without what was erased once they do,"
            " and the feed names the interactions until then, for a week at most"
        )


class Log:
    """What a database that is a file writes ahead of it: it still holds what was written before."""

    name = "log"

    def __init__(self, persons: PersonStore) -> None:
        self._persons = persons
        self._is_home = True

    async def erase(self, user_id: str) -> int:
        """Empty the log; there is nothing to count in it."""
        del user_id
        self._is_home = await self._persons.bring_home()
        return 0

    async def known(self, user_id: str) -> AsyncIterator[Record]:
        """Nothing of its own."""
        del user_id
        nothing: tuple[Record, ...] = ()
        for record in nothing:
            yield record

    async def left(self) -> str | None:
        """Say that a reader kept it from being emptied."""
        return (
            None if self._is_home else "the log beside the database couldn't be emptied while others read; run it again"
        )
