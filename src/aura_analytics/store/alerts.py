"""What the alerts ask of the row database: how each rule stands, what is to be said, and whose turn it is to look."""

from collections.abc import Sequence
from typing import Any, Literal, Protocol

import msgspec

State = Literal["calm", "pending", "raised"]
Kind = Literal["alert.raised", "alert.cleared", "alert.test"]
# So long is what was said kept.
KEPT_MS = 30 * 86_400_000


class AlertState(msgspec.Struct, frozen=True, kw_only=True):
    """How a rule stands since a moment, and what was measured when somebody looked last; moments in epoch milliseconds."""

    rule: str
    state: State
    since: int
    looked_at: int
    value: float | None = None
    of: int = 0

    @property
    def cells(self) -> dict[str, Any]:
        """The values of its row. Any: a cell of a database."""
        return msgspec.structs.asdict(self)


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be said to a target, a hash of its address. `due_at` None: it is said, or no further try is made."""

    id: str
    target: str
    rule: str
    kind: Kind
    body: str
    made_at: int
    due_at: int | None
    attempts: int = 0
    delivered_at: int | None = None
    error: str | None = None

    @property
    def cells(self) -> dict[str, Any]:
        """The values of its row. Any: a cell of a database."""
        return msgspec.structs.asdict(self)


class AlertStore(Protocol):
    """The alerts of a row database. Every method raises `StoreUnavailable` where it can't be used right now."""

    async def hold(self, holder: str, *, now: int, until: int) -> bool:
        """Have the turn to look until a moment, or keep it; tell whether that is so. `until` in the past gives it back."""

    async def states(self) -> list[AlertState]:
        """Give how each rule stands that was looked at."""

    async def save(
        self, states: Sequence[AlertState], messages: Sequence[Message] = (), *, gone: Sequence[str] = (), now: int
    ) -> None:
        """Note how rules stand and what is to be said about it, all or nothing; forget rules that there are no more."""

    async def due(self, *, now: int, limit: int) -> list[Message]:
        """Give what is to be said now, in the order in which it was made."""

    async def log(self, limit: int) -> list[Message]:
        """Give what was to be said, the latest first."""
