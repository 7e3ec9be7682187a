"""Counts what became of events, and tells of those that are given up."""

from collections.abc import Callable
from threading import RLock

import msgspec

from aura_analytics.client.options import Drop, Totals
from aura_analytics.client.stderr import described, say


class Tally:
    """Counts, for many threads. `on_drop` may fail as it likes."""

    def __init__(self, on_drop: Callable[[Drop], object]) -> None:
        self._on_drop = on_drop
        self._lock = RLock()  # a signal's handler may track while its thread is in here
        self._totals = Totals()

    @property
    def totals(self) -> Totals:
        """What became of them so far."""
        return self._totals

    def add(self, *, tracked: int = 0, delivered: int = 0, spooled: int = 0, dropped: int = 0) -> None:
        """Count."""
        with self._lock:
            had = self._totals
            self._totals = msgspec.structs.replace(
                had,
                tracked=had.tracked + tracked,
                delivered=had.delivered + delivered,
                spooled=had.spooled + spooled,
                dropped=had.dropped + dropped,
            )

    def drop(self, drop: Drop) -> None:
        """Count events that are given up, and tell of them."""
        self.add(dropped=drop.events)
        self.tell(drop)

    def tell(self, drop: Drop) -> None:
        """Tell of events that are counted already."""
        try:
            self._on_drop(drop)
        except Exception as error:  # noqa: BLE001  # the caller's own code; its failure mustn't end the sending
            say(f"on_drop failed: {described(error)}")
