"""Asking the columns on behalf of a metric: with all that was acknowledged before the question came."""

from typing import Any, Protocol

from aura_analytics.clock import Clock, now
from aura_analytics.projection import Columns, Question

SECOND_MS = 1_000


class Reader(Protocol):
    """What a metric needs of the world."""

    async def ask(self, question: Question) -> list[Any]:
        """Answer a question. Any: what a cell can be."""

    @property
    def now(self) -> int:
        """The present, epoch milliseconds, whole seconds: within one second a question has one answer."""

    @property
    def answered_until(self) -> int:
        """The moment up to which a query without an outcome won't get one any more."""


class ColumnReader:
    """Reads the columns of a store."""

    def __init__(self, columns: Columns, *, grace_ms: int, staleness_ms: int = 0, clock: Clock = now) -> None:
        self._columns = columns
        self._grace_ms = grace_ms
        self._staleness_ms = staleness_ms
        self._clock = clock

    async def ask(self, question: Question) -> list[Any]:
        """Answer once the columns have caught up. Any: what a cell can be.

        Raises:
            ProjectionUnavailable: they are being rebuilt.
        """
        return await self._columns.ask(question, staleness_ms=self._staleness_ms)

    @property
    def now(self) -> int:
        """The present."""
        return self._clock() // SECOND_MS * SECOND_MS

    @property
    def answered_until(self) -> int:
        """The moment up to which an outcome is awaited no longer."""
        return self.now - self._grace_ms
