"""`/stats/live`: tells whoever listens that something has changed, as server-sent events.

One reading of the change feed serves all listeners, and nothing is read while there are none. An event has the feed's
position and nothing else: what changed, the other endpoints say. The first
event comes at once, so that nobody misses a change between two connections.
"""

import asyncio
import contextlib
from collections import Counter
from http import HTTPStatus
from typing import Protocol

import structlog
from starlette.types import Message, Receive, Scope, Send

from aura_analytics.api import problems
from aura_analytics.errors import StoreUnavailable
from aura_analytics.guard.door import whose
from aura_analytics.store.port import FeedPoint

LIVE = "/stats/live"
LOOK_S = 0.5
# So often is something said, if nothing happens: proxies take a silent connection for a dead one.
SIGN_OF_LIFE_S = 15.0
# So many may listen: each is a connection that stays.
MOST_LISTENERS = 1_000
MOST_OF_KEY = 50
# So long does a stream last at most: what a key opened isn't open for longer after the key is taken back.
LONGEST_S = 900.0
RETRY_AFTER_S = 10

HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),  # a proxy isn't to gather what is meant for now
]
# After a lost connection, a browser comes back in so many milliseconds.
RETRY = b"retry: 2000\n"
SIGN_OF_LIFE = b": here\n\n"

log = structlog.get_logger()


class Feed(Protocol):
    """What is asked of the store."""

    async def feed_head(self) -> FeedPoint:
        """Give the last committed point of the change feed."""


class Live:
    """Plain ASGI over a change feed.

    Args:
        feed: says where it stands.
        look_s: how long between two looks at it.
        sign_of_life_s: how long it may be silent.
        most: how many may listen.
        most_of_key: how many may with one key.
        longest_s: after so long a stream ends, and its listener comes back: by then its key may be taken back.
    """

    def __init__(
        self,
        feed: Feed,
        *,
        look_s: float = LOOK_S,
        sign_of_life_s: float = SIGN_OF_LIFE_S,
        most: int = MOST_LISTENERS,
        most_of_key: int = MOST_OF_KEY,
        longest_s: float = LONGEST_S,
    ) -> None:
        self._feed = feed
        self._look_s = look_s
        self._sign_of_life_s = sign_of_life_s
        self._most = most
        self._most_of_key = most_of_key
        self._longest_s = longest_s
        self._of_key: Counter[str] = Counter()
        self._point: FeedPoint | None = None
        self._changed = asyncio.Event()
        self._listeners = 0
        self._looking: asyncio.Task[None] | None = None
        self._is_closed = False

    async def close(self) -> None:
        """End every stream, so that a server that stops needn't wait for its listeners."""
        self._is_closed = True
        self._tell()
        if self._looking is not None:
            self._looking.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._looking

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one listener until it, or the server, goes."""
        key_id = whose(scope).key_id
        status = HTTPStatus.SERVICE_UNAVAILABLE if self._is_closed or self._listeners >= self._most else None
        if key_id and self._of_key[key_id] >= self._most_of_key:
            status = HTTPStatus.TOO_MANY_REQUESTS
        if status is not None:
            answer = problems.problem(
                status,
                code="too_many_listeners",
                title="Too many listen already",
                detail=None,
                headers={"retry-after": str(RETRY_AFTER_S)},
            )
            await answer(scope, receive, send)
            return
        self._listeners += 1
        self._of_key[key_id] += 1
        try:
            await self._stream(receive, send)
        finally:
            self._listeners -= 1
            self._of_key[key_id] -= 1
            self._of_key += Counter()  # without those of whom nobody listens
            if self._listeners == 0 and self._looking is not None:
                self._looking.cancel()
                self._looking = None

    async def _stream(self, receive: Receive, send: Send) -> None:
        if self._looking is None:
            await self._look()
            self._looking = asyncio.create_task(self._keep_looking(), name="live")
        gone = asyncio.create_task(_gone(receive), name="live-listener")
        try:
            await send({"type": "http.response.start", "status": HTTPStatus.OK, "headers": HEADERS})
            told = self._point
            ends_at = asyncio.get_running_loop().time() + self._longest_s
            await send(_piece(RETRY + _event(told)))
            while not (gone.done() or self._is_closed or asyncio.get_running_loop().time() > ends_at):
                if self._point == told:
                    await self._wait(gone)
                fresh = SIGN_OF_LIFE if self._point == told else _event(self._point)
                told = self._point
                await send(_piece(fresh))
            await send({"type": "http.response.body", "body": b""})
        finally:
            gone.cancel()

    async def _wait(self, gone: asyncio.Task[None]) -> None:
        """Wait for a change, for the listener to go, or until a sign of life is due."""
        change = asyncio.create_task(self._changed.wait(), name="live-change")
        try:
            await asyncio.wait((change, gone), timeout=self._sign_of_life_s, return_when=asyncio.FIRST_COMPLETED)
        finally:
            change.cancel()

    async def _keep_looking(self) -> None:
        while True:
            await asyncio.sleep(self._look_s)
            await self._look()

    async def _look(self) -> None:
        """Read where the feed stands; a database that is away for a while has nothing new to say."""
        try:
            point = await self._feed.feed_head()
        except StoreUnavailable as error:
            log.debug("live_without_database", error=str(error))
            return
        if point != self._point:
            self._point = point
            self._tell()

    def _tell(self) -> None:
        """Wake those who listen now; those who come later wait for the next change."""
        self._changed.set()
        self._changed = asyncio.Event()


def _event(point: FeedPoint | None) -> bytes:
    if point is None:
        return SIGN_OF_LIFE
    return b'id: %d\nevent: change\ndata: {"position":%d}\n\n' % (point.position, point.position)


async def _gone(receive: Receive) -> None:
    """Wait until the client has gone."""
    while (await receive())["type"] != "http.disconnect":
        pass


def _piece(body: bytes) -> Message:
    return {"type": "http.response.body", "body": body, "more_body": True}
