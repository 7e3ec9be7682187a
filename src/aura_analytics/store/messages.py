"""Signed messages, noted together: those of one turn of the event loop in one transaction, or each would pay for its own."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping

import msgspec

# Beside twice as many as were noted, so that none stays for long where many come.
LEAST_FORGOTTEN = 100

# Notes messages until their moments, in epoch milliseconds, at a moment; gives those that are new.
Note = Callable[[Mapping[str, int], int], Awaitable[set[str]]]


class Messages:
    """Gathers messages. Lives on the event loop.

    Args:
        note: notes many, in a transaction that is durable when it returns.
    """

    def __init__(self, note: Note) -> None:
        self._note = note
        self._coming: dict[str, int] = {}
        self._now = 0
        self._noted: asyncio.Task[set[str]] | None = None

    async def remember(self, message: str, *, until: int, now: int) -> bool:
        """Note a message; tell whether it is new. Of two in one turn, the first one is."""
        is_first = message not in self._coming
        self._coming.setdefault(message, until)
        self._now = max(self._now, now)
        if self._noted is None:
            self._noted = asyncio.create_task(self._note_all(), name="messages")
        # Who goes away leaves the others what they wait for.
        return message in await asyncio.shield(self._noted) and is_first

    async def _note_all(self) -> set[str]:
        """Note what this turn has brought; the task begins in the next one."""
        messages, now = self._coming, self._now
        self._coming, self._now, self._noted = {}, 0, None
        return await self._note(messages, now)


def told(messages: Mapping[str, int], now: int) -> dict[str, object]:
    """Give what the statement `remember` takes."""
    return {"messages": msgspec.json.encode(messages).decode(), "now": now}


def overdue(messages: Mapping[str, int], now: int) -> dict[str, object]:
    """Give what the statement `forget_seen` takes."""
    return {"now": now, "most": LEAST_FORGOTTEN + 2 * len(messages)}
