"""The columns: one wide table that follows the store's change feed, and can be thrown away and rebuilt."""

from aura_analytics.projection.absent import NoColumns
from aura_analytics.projection.attribution import attribution_ms
from aura_analytics.projection.follower import Projection
from aura_analytics.projection.owner import Owner, announced, owner_of
from aura_analytics.projection.port import Columns, Difference, ProjectionStatus, Verification
from aura_analytics.projection.question import Buckets, Question
from aura_analytics.projection.remote import RemoteProjection
from aura_analytics.projection.slices import Slice
from aura_analytics.projection.slots import column_files, own_slot

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
    "attribution_ms",
    "column_files",
    "own_slot",
    "owner_of",
]
