"""What the rest of the house may ask of the columns, wherever they are kept."""

from typing import Any, Literal, Protocol

import msgspec

from aura_analytics.projection.question import Question

Phase = Literal["starting", "rebuilding", "following", "stopped"]


class ProjectionStatus(msgspec.Struct, frozen=True, kw_only=True):
    """Where the columns are. `progress` counts 0…1 while they are rebuilt; `position` is that of the feed."""

    phase: Phase
    progress: float
    position: int


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """One cell, or a whole row (`column` None), that isn't the same. Any: what a cell can be."""

    query_id: str
    column: str | None
    in_rows: Any
    in_columns: Any


class Verification(msgspec.Struct, frozen=True, kw_only=True):
    """What a comparison found. `differences` names at most a thousand of `differing` interactions."""

    interactions: int
    differing: int
    differences: list[Difference]


class Columns(Protocol):
    """The columns of one store. Every method raises `ProjectionUnavailable` where they can't be read right now."""

    async def ask(self, question: Question, *, staleness_ms: int = 0) -> list[Any]:
        """Answer a question with all that was committed when it came. Any: what a cell can be.

        Args:
            question: what is asked.
            staleness_ms: columns that were whole this recently will do.
        """

    async def status(self) -> ProjectionStatus:
        """Tell where the columns are."""

    async def verify(self, *, rebuild: bool = False) -> Verification:
        """Compare rows and columns cell by cell, after building the columns anew where asked."""
