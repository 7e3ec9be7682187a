"""The columns: one wide table that follows the store's change feed, and can be thrown away and rebuilt."""

from aura_analytics.projection.attribution import attribution_ms
from aura_analytics.projection.follower import Projection
from aura_analytics.projection.owner import Owner, announced, owner_of
from aura_analytics.projection.port import Columns, Difference, ProjectionStatus, Verification
from aura_analytics.projection.question import Buckets, Question
from aura_analytics.projection.remote import RemoteProjection
from aura_analytics.projection.slices import Slice

__all__ = [
    "Buckets",
    "Columns",
    "Difference",
    "Owner",
    "Projection",
    "ProjectionStatus",
    "Question",
    "RemoteProjection",
    "Slice",
    "Verification",
    "announced",
    "attribution_ms",
    "owner_of",
]
