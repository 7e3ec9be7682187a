"""The columns: one wide table that follows the store's change feed, and can be thrown away and rebuilt."""

from aura_analytics.projection.follower import Projection
from aura_analytics.projection.owner import Owner, announced, owner_of
from aura_analytics.projection.port import Columns, Difference, ProjectionStatus, Verification
from aura_analytics.projection.remote import RemoteProjection

__all__ = [
    "Columns",
    "Difference",
    "Owner",
    "Projection",
    "ProjectionStatus",
    "RemoteProjection",
    "Verification",
    "announced",
    "owner_of",
]
