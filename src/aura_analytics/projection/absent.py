"""The columns of a server that keeps none."""

from typing import Any

from aura_analytics.errors import StatisticsOff
from aura_analytics.projection.port import ProjectionStatus, Verification
from aura_analytics.projection.question import Question

WORDS = "this server was told to keep none; ask another server of this database, or start this one with --stats"


class NoColumns:
    """No process, no file, no follower of the feed; implements `Columns` by saying so."""

    async def ask(self, question: Question, *, staleness_ms: int = 0) -> list[Any]:  # noqa: ARG002 (as `Columns` has it)
        """Answer nothing. Any: what a cell could be."""
        raise StatisticsOff(WORDS)

    async def status(self) -> ProjectionStatus:
        """Have no state."""
        raise StatisticsOff(WORDS)

    async def verify(self, *, rebuild: bool = False) -> Verification:  # noqa: ARG002 (as `Columns` has it)
        """Compare nothing."""
        raise StatisticsOff(WORDS)
