"""How far columns have come in the feed that they follow."""

import msgspec

from aura_analytics.store import Store
from aura_analytics.store.port import FeedPoint


class Reach(msgspec.Struct, frozen=True):
    """All changes up to `point` are in the columns, and of those up to `ahead`, some."""

    point: FeedPoint = FeedPoint(position=0, moment=0)
    ahead: FeedPoint | None = None

    def begun(self, upto: FeedPoint) -> "Reach":
        """Give what it is while changes are taken that end at a point."""
        return Reach(self.point, self._beyond(upto) or upto)

    def done(self, upto: FeedPoint) -> "Reach":
        """Give what it is once they all are."""
        return Reach(upto, self._beyond(upto))

    async def is_known(self, store: Store) -> bool:
        """Whether a store's feed has all of it: a copy that was put back lacks what came after it was made."""
        return await store.knows(self.point) and (self.ahead is None or await store.knows(self.ahead))

    def _beyond(self, point: FeedPoint) -> FeedPoint | None:
        return self.ahead if self.ahead is not None and self.ahead.position > point.position else None
