"""Writing the columns' file anew some time after something was erased, so that no byte of it is left; not all the time."""

import time
from collections.abc import Awaitable, Callable
from typing import Any

import structlog

from aura_analytics.projection.columns import ColumnFile

log = structlog.get_logger()

# How long after an erasure the file is written anew, so that each step of it doesn't cost a copy; and how many times as
# long as that took it rests afterwards.
AFTER_S, REST_SHARE = 1.0, 10.0

# Any: each change has its own result.
Run = Callable[..., Awaitable[Any]]


class Renewal:
    """When a file is written anew."""

    def __init__(self, columns: ColumnFile) -> None:
        self._columns = columns
        self._rests_until = 0.0

    def pause_s(self, usual: float) -> float:
        """Give the pause before the store is told how far all is followed: after an erasure somebody waits for that."""
        return usual if self._columns.erased_at is None else min(usual, AFTER_S)

    async def renew(self, write: Run, aside: Run, *, at_once: bool = False) -> None:
        """Write the file anew where that is due.

        Args:
            write: runs a change of the columns where changes run.
            aside: runs one where cubes are settled.
            at_once: it is due by now.
        """
        erased_at, began = self._columns.erased_at, time.monotonic()
        if erased_at is None or not (at_once or began >= max(erased_at + AFTER_S, self._rests_until)):
            return
        await aside(self._columns.drop_stale)
        await write(self._columns.renew)
        took_s = time.monotonic() - began
        self._rests_until = time.monotonic() + REST_SHARE * took_s
        log.info("columns_renewed", seconds=round(took_s, 2))
