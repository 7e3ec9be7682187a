"""Telling listeners of changes: at once, each one, and no longer than the server or they are there."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from msgspec.structs import replace
from starlette.types import Message

from aura_analytics.api.live import LIVE, SIGN_OF_LIFE, Live
from aura_analytics.errors import StoreUnavailable
from aura_analytics.guard.door import PRINCIPAL
from aura_analytics.guard.principal import LOCAL
from aura_analytics.store.port import FeedPoint

PATIENCE_S = 10


class Feed:
    """A change feed that a test moves on."""

    def __init__(self) -> None:
        self.position = 1
        self.looks = 0
        self.away = False

    async def feed_head(self) -> FeedPoint:
        """Say where it stands."""
        self.looks += 1
        if self.away:
            raise StoreUnavailable("away for a test")
        return FeedPoint(position=self.position, moment=7)


class Listener:
    """A client of the stream; what it has received, it keeps."""

    def __init__(self, live: Live) -> None:
        self.status = 0
        self.received: asyncio.Queue[bytes] = asyncio.Queue()
        self.leaves = asyncio.Event()
        self._task = asyncio.create_task(self._listen(live))

    async def _listen(self, live: Live) -> None:
        scope: dict[str, Any] = {"type": "http", "method": "GET", "path": LIVE, "headers": []}

        async def receive() -> Message:
            await self.leaves.wait()
            return {"type": "http.disconnect"}

        async def send(message: Message) -> None:
            if message["type"] == "http.response.start":
                self.status = message["status"]
            elif message.get("body"):
                self.received.put_nowait(message["body"])

        await live(scope, receive, send)

    async def next(self) -> bytes:
        """Wait for what comes next."""
        return await asyncio.wait_for(self.received.get(), PATIENCE_S)

    async def ended(self) -> None:
        """Wait for the end of the stream."""
        await asyncio.wait_for(self._task, PATIENCE_S)


@pytest.fixture
def feed() -> Feed:
    return Feed()


@pytest.fixture
async def live(feed: Feed) -> AsyncIterator[Live]:
    made = Live(feed, look_s=0.005, sign_of_life_s=PATIENCE_S * 3, most=2)
    yield made
    await made.close()


async def test_where_it_stands_is_said_first_and_then_each_change(live: Live, feed: Feed) -> None:
    listener = Listener(live)
    assert b'data: {"position":1}' in await listener.next()
    feed.position = 2
    assert await listener.next() == b'id: 2\nevent: change\ndata: {"position":2}\n\n'
    assert listener.status == 200


async def test_all_listeners_share_one_look(live: Live, feed: Feed) -> None:
    first, second = Listener(live), Listener(live)
    await first.next()
    await second.next()
    feed.position = 5
    assert await first.next() == await second.next()


async def test_a_listener_too_many_is_told_to_come_back(live: Live) -> None:
    listeners = [Listener(live), Listener(live)]
    for listener in listeners:
        await listener.next()
    refused = Listener(live)
    await refused.ended()
    assert refused.status == 503
    listeners[0].leaves.set()
    await listeners[0].ended()
    assert b"position" in await Listener(live).next()


async def test_without_listeners_nobody_looks(live: Live, feed: Feed) -> None:
    listener = Listener(live)
    await listener.next()
    listener.leaves.set()
    await listener.ended()
    looks = feed.looks
    await asyncio.sleep(0)
    for _ in range(20):
        await asyncio.sleep(0.001)
    assert feed.looks == looks


async def test_a_database_that_is_away_is_waited_for(live: Live, feed: Feed) -> None:
    feed.away = True
    listener = Listener(live)
    assert await listener.next() == b"retry: 2000\n" + SIGN_OF_LIFE
    feed.away = False
    assert b'"position":1' in await listener.next()


async def test_in_silence_there_are_signs_of_life(feed: Feed) -> None:
    live = Live(feed, look_s=0.005, sign_of_life_s=0.01)
    listener = Listener(live)
    await listener.next()
    assert await listener.next() == SIGN_OF_LIFE
    await live.close()
    await listener.ended()


async def test_a_server_that_stops_ends_the_streams(live: Live) -> None:
    listener = Listener(live)
    await listener.next()
    await live.close()
    await listener.ended()
    late = Listener(live)
    await late.ended()
    assert late.status == 503


async def test_one_key_has_no_more_listeners_than_its_share() -> None:
    live = Live(Feed(), most_of_key=1)
    scope = {"type": "http", "method": "GET", "path": LIVE, "headers": [], PRINCIPAL: replace(LOCAL, key_id="k")}
    statuses: list[int] = []
    begun = asyncio.Event()

    async def receive() -> Message:
        await asyncio.Event().wait()
        raise AssertionError

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            statuses.append(message["status"])
            begun.set()

    first = asyncio.create_task(live(scope, receive, send))
    async with asyncio.timeout(PATIENCE_S):
        await begun.wait()
        await live(scope, receive, send)
        assert statuses == [200, 429]
        await live.close()
        await first


async def test_a_stream_ends_so_that_its_key_is_looked_at_again() -> None:
    live = Live(Feed(), longest_s=0.0, sign_of_life_s=0.01)
    listener = Listener(live)
    async with asyncio.timeout(PATIENCE_S):
        await listener._task
    await live.close()
