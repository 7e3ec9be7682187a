"""Kept answers go when somebody was erased, also where old ones would do."""

import pytest
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from aura_analytics.api.cache import LAG_MS, LOOK_MS, Cache
from aura_analytics.store.port import FeedPoint
from unit.api.conftest import Reach


class World:
    """Counts what is computed; what was erased, and the present, are turned by hand."""

    def __init__(self) -> None:
        self.computed = 0
        self.erased: int | None = None
        self.now = 1_000_000

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.computed += 1
        await Response(f"{self.computed}", media_type="application/json")(scope, receive, send)

    async def feed_head(self) -> FeedPoint:
        return FeedPoint(position=1, moment=1)

    async def identity(self) -> str:
        return "a"

    async def last_erasure(self) -> int | None:
        return self.erased


@pytest.mark.parametrize("staleness_ms", [0, 86_400_000])
async def test_what_is_kept_goes_when_somebody_was_erased(reach: Reach, staleness_ms: int) -> None:
    world = World()
    cache = Cache(world, world, world, staleness_ms=staleness_ms, clock=lambda: world.now)

    async def asked() -> str:
        return (await reach(cache).get("/stats/summary")).text

    assert [await asked(), await asked()] == ["1", "1"]
    world.erased = 5
    world.now += LOOK_MS
    assert await asked() == "2"


async def test_while_columns_may_lag_nothing_is_kept_that_needn_t_be_exact(reach: Reach) -> None:
    world = World()
    cache = Cache(world, world, world, staleness_ms=86_400_000, clock=lambda: world.now)
    client = reach(cache)
    world.erased = 5
    assert [(await client.get("/stats/summary")).text for _ in range(2)] == ["1", "2"]
    world.now += LAG_MS
    assert [(await client.get("/stats/summary")).text for _ in range(2)] == ["3", "3"]
