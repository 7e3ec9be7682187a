"""What a client keeps to, and what it tells of itself."""

from collections.abc import Callable
from typing import Literal

import msgspec

from aura_analytics.client.stderr import say
from aura_analytics.errors import ParameterError

# Why events are given up.
#   invalid      can't be written as JSON, or are larger than `max_event_bytes`
#   memory       came while `max_bytes` waited already
#   rejected     the service says that they are wrong
#   refused      the service takes nothing of ours: a wrong key, a wrong address
#   undelivered  it was away for longer than `retry_for_s`, or until the end
#   spool        the spool is full, or can't be written
Reason = Literal["invalid", "memory", "rejected", "refused", "undelivered", "spool"]


class Drop(msgspec.Struct, frozen=True, kw_only=True):
    """Events that were given up. `detail` is a sentence for people.

    `events` is 0 where none is given up, but somebody should look: a file of the spool can't be read.
    """

    reason: Reason
    events: int
    detail: str


class Totals(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the events of one client.

    `delivered`: the service has them on its disk. `spooled`: went into the spool, and count again when they leave it; so
    do those that a process before left there.
    """

    tracked: int = 0
    delivered: int = 0
    spooled: int = 0
    dropped: int = 0


def tell_on_stderr(drop: Drop) -> None:
    """Say that events were given up, or what else somebody should look at."""
    say(f"{drop.events} events given up, {drop.reason}: {drop.detail}" if drop.events else drop.detail)


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """What a client keeps to; sizes are bytes of JSON.

    A batch is sent when it has `batch_events` events or `batch_bytes`, or when its oldest event is `batch_age_s` old.
    `max_bytes` bounds all events in memory, `max_spool_bytes` all files of the spool's folder together. Where there is no
    spool, a batch is tried for `retry_for_s`. `exit_timeout_s` is how long the end of the program may be held up.
    `debug` has `track_…` raise ParameterError where an event is wrong.

    Raises:
        ParameterError: no batch could hold an event.
    """

    batch_events: int = 500
    batch_bytes: int = 512 << 10
    batch_age_s: float = 1.0
    max_event_bytes: int = 1 << 20
    max_bytes: int = 32 << 20
    max_spool_bytes: int = 256 << 20
    gzip_from_bytes: int = 4 << 10
    attempt_s: float = 10.0
    first_pause_s: float = 0.25
    longest_pause_s: float = 30.0
    retry_for_s: float = 300.0
    exit_timeout_s: float = 5.0
    debug: bool = False
    on_drop: Callable[[Drop], object] = tell_on_stderr

    def __post_init__(self) -> None:
        """See that it can be kept to."""
        if self.batch_events < 1:
            raise ParameterError("batch_events is at least 1")
