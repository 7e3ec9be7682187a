"""A follower of a database where nothing happens is there all the same."""

from pathlib import Path

import pytest

from aura_analytics.projection import follower
from aura_analytics.store import Store
from aura_analytics.store.port import FeedPoint
from contract.making import query
from unit.projection.running import Projections, position, until


async def test_a_follower_without_news_says_now_and_then_that_it_is_there(
    store: Store, projections: Projections, columns: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follower, "ACKNOWLEDGE_S", 0.0)
    monkeypatch.setattr(follower, "IDLE_ACKNOWLEDGE_S", 0.0)
    acknowledging, seen = store.acknowledge, list[FeedPoint]()

    async def noting(name: str, point: FeedPoint, *, now: int) -> None:
        seen.append(point)
        await acknowledging(name, point, now=now)

    monkeypatch.setattr(store, "acknowledge", noting)
    await store.append([query("q")])
    projection = await projections.built(store, columns)
    head = await store.feed_head()

    async def was_seen_again() -> bool:
        return seen.count(head) > 2

    await until(was_seen_again)
    assert await position(projection) == head.position
