"""Asking the columns on behalf of a metric: with all that was acknowledged before the question came."""

from typing import Any, Protocol

from aura_analytics.clock import Clock, now
from aura_analytics.projection import Columns


class Reader(Protocol):
    """What a metric needs of the world."""

    async def ask(self, sql: str, parameters: dict[str, Any]) -> list[Any]:
        """Answer SQL over the table `interactions`. Any: what a cell can be."""

    @property
    def now(self) -> int:
        """The present, epoch milliseconds."""

    @property
    def grace_ms(self) -> int:
        """How long a query waits for its outcome before it counts as unanswered."""


class ColumnReader:
    """Reads the columns of a store."""

    def __init__(self, columns: Columns, *, grace_ms: int, staleness_ms: int = 0, clock: Clock = now) -> None:
        self._columns = columns
        self._grace_ms = grace_ms
        self._staleness_ms = staleness_ms
        self._clock = clock

    async def ask(self, sql: str, parameters: dict[str, Any]) -> list[Any]:
        """Answer once the columns have caught up. Any: what a cell can be.

        Raises:
            ProjectionUnavailable: they are being rebuilt.
        """
        return await self._columns.ask(sql, parameters, staleness_ms=self._staleness_ms)

    @property
    def now(self) -> int:
        """The present."""
        return self._clock()

    @property
    def grace_ms(self) -> int:
        """How long a query waits for its outcome."""
        return self._grace_ms
