"""The columns: one wide table that follows the store's change feed, and can be thrown away and rebuilt."""

from aura_analytics.projection.follower import Projection, ProjectionStatus
from aura_analytics.projection.owner import Owner, announced, owner_of
from aura_analytics.projection.verify import Difference, Verification, verify

__all__ = [
    "Difference",
    "Owner",
    "Projection",
    "ProjectionStatus",
    "Verification",
    "announced",
    "owner_of",
    "verify",
]
