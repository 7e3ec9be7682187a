"""What a caller gets for its events."""

import msgspec

from aura_analytics.errors import Rejection


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """The answer: what was stored, what was there already, what can't be taken. `query_ids` in the events' order.

    A conversion that names no query has None in its place, so that the others keep theirs.
    """

    status: str = "ok"
    accepted: int
    duplicates: int
    rejected: list[Rejection]
    query_ids: list[str | None]
    correlation_id: str | None = None
