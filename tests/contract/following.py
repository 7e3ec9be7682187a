"""A follower of the change feed."""

import asyncio
import itertools
from typing import Any, NamedTuple

from aura_analytics.store import Store
from aura_analytics.store.port import FeedPoint, WideRow

MANY = 1_000
EVERYTHING = 1_000_000
PATIENCE_S = 30


class Copy(NamedTuple):
    """What a follower was told, and the rows that it read when it was."""

    told: set[str]
    rows: dict[str, WideRow]


async def settled(store: Store) -> FeedPoint:
    """Give the last point of the feed once all up to it is told at the first look.

    What else a server does may hold the feed back, until a follower has looked from one point for a while. So this looks
    from two points in turn, and waits for the end of what holds it back.
    """
    async with asyncio.timeout(PATIENCE_S):
        for position in itertools.cycle((0, 1)):
            head = await store.feed_head()
            if head.position <= 1:
                return head
            if (await store.changes(FeedPoint(position=position, moment=0), EVERYTHING)).upto == head:
                return head
            await asyncio.sleep(0.001)
    raise AssertionError("the loop has no end")


async def changed(store: Store, after: FeedPoint) -> list[str]:
    """The interactions that changed after a point, each once a look."""
    await settled(store)
    found: list[str] = []
    while (changes := await store.changes(after, MANY)).upto != after:
        assert len(set(changes.query_ids)) == len(changes.query_ids)
        found += changes.query_ids
        after = changes.upto
    return sorted(found)


async def follow(store: Store, after: FeedPoint, writing: asyncio.Future[Any], *, limit: int = 20) -> Copy:
    """Follow while others write, until they are done and all is told; give the rows as a follower then has them. Any: what they give."""
    told: set[str] = set()
    rows: dict[str, WideRow] = {}
    async with asyncio.timeout(PATIENCE_S):
        while True:
            finished = writing.done()
            changes = await store.changes(after, limit)
            told |= set(changes.query_ids)
            rows |= {row[0]: row for row in await store.wide_rows(changes.query_ids)}
            if finished and changes.upto == after == await store.feed_head():
                return Copy(told, rows)
            after = changes.upto
