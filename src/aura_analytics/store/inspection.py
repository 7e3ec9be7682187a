"""What can be seen of a row database without changing anything: for whoever looks whether all is well with it."""

import msgspec

from aura_analytics.errors import Trouble
from aura_analytics.store.keys import KeyRecord
from aura_analytics.store.port import QueueDepth
from aura_analytics.store.queries import Row


class Follower(msgspec.Struct, frozen=True):
    """A process that follows the change feed: how far it has said it is, and when, in epoch milliseconds."""

    name: str
    position: int
    seen_at: int


class Inspection(msgspec.Struct, frozen=True, kw_only=True):
    """What was seen.

    `trouble`: why nothing can be written; None where it can. `now`: the database's own clock, in epoch milliseconds;
    None where that is this machine's. `head`, `moment`: the feed's last point. `size_bytes`: on the database's disk.
    """

    version: str
    trouble: Trouble | None
    now: int | None
    size_bytes: int
    head: int
    moment: int
    followers: tuple[Follower, ...]
    queue: QueueDepth
    keys: tuple[KeyRecord, ...]


def depth_of(row: Row) -> QueueDepth:
    """Read a row of the statement `depth`."""
    due, waiting, failed, *since = row
    return QueueDepth(
        due=due, waiting=waiting, failed=failed, since=min((one for one in since if one is not None), default=None)
    )
