"""The columns: one wide table that follows the store's change feed, and can be thrown away and rebuilt."""

from typing import TYPE_CHECKING, Any

from aura_analytics.projection.absent import NoColumns
from aura_analytics.projection.owner import Owner, announced, owner_of
from aura_analytics.projection.port import Columns, Difference, ProjectionStatus, Verification
from aura_analytics.projection.question import Buckets, Question
from aura_analytics.projection.remote import RemoteProjection
from aura_analytics.projection.slices import Slice
from aura_analytics.projection.slots import column_files, own_slot

if TYPE_CHECKING:
    from aura_analytics.projection.follower import Projection

__all__ = [
    "Buckets",
    "Columns",
    "Difference",
    "NoColumns",
    "Owner",
    "Projection",
    "ProjectionStatus",
    "Question",
    "RemoteProjection",
    "Slice",
    "Verification",
    "announced",
    "column_files",
    "own_slot",
    "owner_of",
]


def __getattr__(name: str) -> Any:  # Any: what a module holds
    """Load what keeps columns, and DuckDB with it, where somebody asks for it: neither a server nor a command does."""
    if name != "Projection":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from aura_analytics.projection.follower import Projection  # noqa: PLC0415

    return Projection
