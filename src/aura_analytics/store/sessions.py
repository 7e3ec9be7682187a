"""What the guard asks of the row database about browsers that have signed in."""

from typing import Protocol

import msgspec


class PageSession(msgspec.Struct, frozen=True, kw_only=True):
    """A browser that signed in with a key. `hash` is that of what it holds; moments in epoch ms."""

    hash: str
    key_id: str
    opened_at: int
    ends_at: int


class SessionStore(Protocol):
    """The sessions of a row database; every method raises `StoreUnavailable` where it can't be used right now."""

    async def open(self, session: PageSession) -> None:
        """Keep a session; some that have ended by then are forgotten."""

    async def find(self, hash: str, *, now: int) -> PageSession | None:
        """Give a session that goes on at a moment."""

    async def end(self, hash: str) -> None:
        """End a session, if there is one."""
