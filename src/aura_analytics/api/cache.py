"""Answers kept for as long as a new computation would give the same.

An answer depends on what was asked, on the rows, and, where a window reaches back from the present, on the second it is
computed in. The rows are told apart by the head of the change feed, which each transaction moves. An answer is kept if
the head was the same before and after its computation, and given where it is the same after the request has come: so it
holds exactly what was committed by then.
"""

import asyncio
import contextlib
import re
from hashlib import blake2b
from typing import Protocol

import msgspec
from cachetools import LRUCache
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from aura_analytics.api.formats import Form, accepted
from aura_analytics.clock import Clock, now
from aura_analytics.errors import StoreUnavailable
from aura_analytics.guard.door import whose
from aura_analytics.store.port import FeedPoint

# Where answers are kept. The state of the service is wanted as it is now, and downloads are too large.
READINGS = ("/stats/", "/interactions", "/insights/")
# A judge's requests are no events: where none is answered, they move nothing that could tell that an answer is old.
UNKEPT = frozenset({"/stats/judge"})
# An endpoint sets it in the scope where its answer doesn't depend on the present.
LASTING = "aura_lasting"

MOST_BYTES = 32 << 20
MOST_ANSWER_BYTES = 1 << 20
NOTHING = -1
# What an answer takes besides its body and its question, about.
OVERHEAD_BYTES = 2_048
SECOND_MS = 1_000
# How often is looked whether somebody was erased; and for how long afterwards an answer that needn't be exact isn't kept.
LOOK_MS, LAG_MS = 1_000, 30_000

Headers = list[tuple[bytes, bytes]]
# What is asked, in which form, by who sees which stores: an endpoint may keep from one what it gives to another.
Key = tuple[str, bytes, Form, frozenset[str] | None]
Rows = tuple[FeedPoint, str]
Place = tuple[Key, Rows | None, int]

# With `no-cache` a client may keep an answer, but asks each time whether it still holds.
READ_HEADERS: Headers = [(b"cache-control", b"private, no-cache"), (b"vary", b"Accept")]
ERROR_HEADERS: Headers = [(b"cache-control", b"no-store")]

_TAG = re.compile(rb'"[^"]*"')


class Feed(Protocol):
    """What the cache asks of the store."""

    async def feed_head(self) -> FeedPoint:
        """Give the last committed point of the change feed."""

    async def identity(self) -> str:
        """Give the token that tells this database from every other one."""


class Erasures(Protocol):
    """What the cache asks about persons."""

    async def last_erasure(self) -> int | None:
        """Give when an erasure began or ended last."""


class Answer(msgspec.Struct, frozen=True):
    """A whole answer. Its tag is made of what is sent, so that no two answers share one, whatever they depend on."""

    headers: Headers
    tag: bytes
    body: bytes


class Entry(msgspec.Struct, frozen=True):
    """An answer that is kept, the rows and the second that it holds for (None: any), and when its computation began."""

    answer: Answer
    rows: Rows | None
    second: int | None
    begun: int
    size: int


class Question(msgspec.Struct, frozen=True):
    """What is asked, the tags of the answers that the client has, and the rows and the moment that it is asked at."""

    key: Key
    tags: bytes
    rows: Rows | None
    moment: int


class Cache:
    """Plain ASGI in front of the reading application.

    Args:
        app: answers what isn't kept.
        feed: tells the state of the rows.
        erasures: of persons: what is kept goes when there was another one; without them there are none.
        most_bytes: what all that is kept may take.
        staleness_ms: above 0, an answer whose computation began this recently will do, whatever has changed. Nothing
            else counts then: the columns behind may lag as well, so that an answer belongs to no state of the rows.
        clock: the present.
    """

    def __init__(
        self,
        app: ASGIApp,
        feed: Feed,
        erasures: Erasures | None = None,
        *,
        most_bytes: int = MOST_BYTES,
        staleness_ms: int = 0,
        clock: Clock = now,
    ) -> None:
        self._app = app
        self._head = Head(feed)
        self._entries: LRUCache[Key, Entry] = LRUCache(most_bytes, getsizeof=lambda entry: entry.size)
        self._computing: dict[Place, asyncio.Future[Answer | None]] = {}
        self._staleness_ms = staleness_ms
        self._clock = clock
        self._erasures = erasures
        self._last_erasure: int | None = None
        self._looked_at = self._unkept_until = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http" or not scope["path"].startswith(READINGS) or scope["method"] not in ("GET", "HEAD"):
            await self._app(scope, receive, send)
            return
        if scope["method"] == "HEAD":
            scope, send = {**scope, "method": "GET"}, _without_body(send)
        if scope["path"] in UNKEPT:
            await self._app(scope, receive, Capture(send, most_bytes=NOTHING))
            return
        try:
            question = await self._asked(scope)
        except StoreUnavailable:  # the application says it in its own way
            await self._app(scope, receive, Capture(send, most_bytes=NOTHING))
            return
        entry = self._entries.get(question.key)
        if entry is not None and self._holds(entry, question):
            scope.get("aura_facts", {})["cached"] = True
            await _reply(entry.answer, question, send)
        elif (shared := self._computing.get(self._place(question))) is None:
            await self._compute(question, scope, receive, send)
        elif (answer := await asyncio.shield(shared)) is not None:
            await _reply(answer, question, send)
        else:
            await self._app(scope, receive, Capture(send, most_bytes=NOTHING))

    async def _asked(self, scope: Scope) -> Question:
        key, tags = _asked(scope)
        await self._let_go()
        rows = None if self._staleness_ms else await self._head.read()
        return Question(key, tags, rows, self._clock())

    async def _let_go(self) -> None:
        """Let go of all that is kept where somebody was erased since the last look; keep nothing while columns may lag."""
        moment = self._clock()
        if self._erasures is None or 0 <= moment - self._looked_at < LOOK_MS:
            return
        self._looked_at = moment
        last = await self._erasures.last_erasure()
        if last != self._last_erasure:
            self._last_erasure = last
            self._unkept_until = moment + LAG_MS
            self._entries.clear()

    def _holds(self, entry: Entry, question: Question) -> bool:
        if self._staleness_ms:
            return 0 <= question.moment - entry.begun <= self._staleness_ms
        return entry.rows == question.rows and entry.second in (None, question.moment // SECOND_MS)

    def _place(self, question: Question) -> Place:
        """Say where a computation stands that would do for this question, if it was begun for one of the same place."""
        return question.key, question.rows, question.moment // (self._staleness_ms or SECOND_MS)

    async def _compute(self, question: Question, scope: Scope, receive: Receive, send: Send) -> None:
        capture = Capture(send)
        place = self._place(question)
        shared = self._computing[place] = asyncio.get_running_loop().create_future()
        try:
            await self._app(scope, receive, capture)
            shared.set_result(capture.answer)
            if capture.answer is not None:
                await _reply(capture.answer, question, send)
                await self._keep(capture.answer, question, is_lasting=scope.get(LASTING) is True)
        finally:
            del self._computing[place]
            if not shared.done():
                shared.set_result(None)

    async def _keep(self, answer: Answer, question: Question, *, is_lasting: bool) -> None:
        second = None if is_lasting else question.moment // SECOND_MS
        if self._staleness_ms and question.moment < self._unkept_until:
            return
        if not self._staleness_ms and not await self._still(question.rows, second):
            return
        size = OVERHEAD_BYTES + len(question.key[0]) + len(question.key[1]) + len(answer.body)
        with contextlib.suppress(ValueError):  # larger than all that may be kept
            self._entries[question.key] = Entry(answer, question.rows, second, question.moment, size)

    async def _still(self, rows: Rows | None, second: int | None) -> bool:
        """Whether neither the rows nor the second moved on: an answer may hold more than what was there before it."""
        try:
            return await self._head.read() == rows and second in (None, self._clock() // SECOND_MS)
        except StoreUnavailable:
            return False


class Head:
    """The state of the rows at some moment after one asked for it. Those who wait for the same reading share it."""

    def __init__(self, feed: Feed) -> None:
        self._feed = feed
        self._coming: asyncio.Task[Rows] | None = None
        self._running: asyncio.Task[Rows] | None = None

    async def read(self) -> Rows:
        """Give the state as a reading finds it that begins after this call.

        Raises:
            StoreUnavailable: it can't be read.
        """
        if self._coming is None:
            self._coming = asyncio.create_task(self._read_after(self._running), name="feed-head")
        return await asyncio.shield(self._coming)

    async def _read_after(self, previous: asyncio.Task[Rows] | None) -> Rows:
        """Read, one at a time; those who come during the reading are too late for it, and share the next."""
        if previous is not None:
            await asyncio.wait([previous])
        self._running, self._coming = self._coming, None
        point = await self._feed.feed_head()
        # Before the first change, the point is the same in every database: one may have taken the place of another.
        return point, await self._feed.identity() if point.position == 0 else ""


class Capture:
    """Takes in an answer that may be kept; any other goes on to the client as it comes."""

    def __init__(self, send: Send, *, most_bytes: int = MOST_ANSWER_BYTES) -> None:
        self._send = send
        self._most_bytes = most_bytes
        self._start: Message | None = None
        self.answer: Answer | None = None

    async def __call__(self, message: Message) -> None:
        """Take a message of the application."""
        if message["type"] == "http.response.start":
            is_read = message["status"] == 200
            message["headers"] = [*message.get("headers", ()), *(READ_HEADERS if is_read else ERROR_HEADERS)]
            self._start = message if is_read else None
            if is_read:
                return
        elif self._start is not None:
            if not message.get("more_body") and len(message.get("body", b"")) <= self._most_bytes:
                self.answer = _tagged(self._start["headers"], message.get("body", b""))
                return
            await self._send(self._start)
            self._start = None
        await self._send(message)


def _asked(scope: Scope) -> tuple[Key, bytes]:
    """Read what is asked for, and the tags of the answers that the client has."""
    accept, tags = [], []
    for name, value in scope["headers"]:
        if name == b"accept":
            accept.append(value)
        elif name == b"if-none-match":
            tags.append(value)
    form = accepted(b", ".join(accept).decode("latin-1"))
    return (scope["path"], scope["query_string"], form, whose(scope).stores), b", ".join(tags)


def _tagged(headers: Headers, body: bytes) -> Answer:
    kind = next((value for name, value in headers if name == b"content-type"), b"")
    tag = b'"%s"' % blake2b(kind + b"\0" + body, digest_size=16).hexdigest().encode()
    return Answer([*headers, (b"etag", tag)], tag, body)


async def _reply(answer: Answer, question: Question, send: Send) -> None:
    """Send an answer, or that the client has it already. A weak tag says the same as a strong one here."""
    tags = question.tags
    if tags and (tags.strip() == b"*" or answer.tag in _TAG.findall(tags)):
        await send({"type": "http.response.start", "status": 304, "headers": [*READ_HEADERS, (b"etag", answer.tag)]})
        await send({"type": "http.response.body", "body": b""})
    else:
        await send({"type": "http.response.start", "status": 200, "headers": answer.headers})
        await send({"type": "http.response.body", "body": answer.body})


def _without_body(send: Send) -> Send:
    async def send_head(message: Message) -> None:
        await send({**message, "body": b""} if message["type"] == "http.response.body" else message)

    return send_head
