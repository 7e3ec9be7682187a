"""HTTP over a socket for the open internet: what a connection may take is bounded in bytes, in seconds and in number.

uvicorn bounds none of it with httptools: neither the head (it gathers headers as long as they come), nor the time that a
head, a body, or a slow reader takes; it lets fields after a body (trailers) become headers of the request, and answers
a head that it can't read in the middle of another answer. Its `limit_concurrency` counts, but by no address.

Nothing here sets a timer for a request: `look` goes over all connections once a second.
"""

import asyncio
from collections.abc import Iterable
from http import HTTPStatus
from typing import Any, Literal, cast

import httptools
import structlog
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle
from uvicorn.protocols.utils import get_remote_addr

from aura_analytics.api import problems
from aura_analytics.api.bounds import MOST_PIPELINED, Bounds, Places
from aura_analytics.api.protocol import GatheringProtocol, GatheringTransport
from aura_analytics.errors import (
    AuraError,
    HeadersTooLarge,
    MalformedRequest,
    RequestTooSlow,
    TooManyConnections,
    UrlTooLong,
)
from aura_analytics.guard.headers import OWN_ONLY, secure

LOOK_S = 1.0
# After an answer that came before the body's end, the rest of the body may come for so long: who is in the middle of
# sending doesn't see an answer, only that the connection is gone.
LINGER_S = 5.0
# After so long without a look, the time that passed was this process's own, and nobody's fault.
STOOD_STILL_S = 2.5
RETRY_AFTER_S = 5
# How what is asked for begins: a path, or the whole URL as proxies are sent it.
TARGETS = (b"/", b"http://", b"https://")
# What a header's line has beside its name and its value.
BETWEEN = len(": \r\n")

log = structlog.get_logger()

# What a connection waits for: the next request, the rest of a head, the rest of a body; or nothing any more.
Awaited = Literal["request", "head", "body", "nothing"]


class BoundedProtocol(GatheringProtocol):
    """uvicorn's protocol within bounds.

    Args:
        bounds: what is kept to.
        places: counts the connections of all.
        given: uvicorn's own. Any: its configuration, its state.
    """

    def __init__(self, bounds: Bounds, places: Places, **given: Any) -> None:
        super().__init__(**given)
        self._bounds = bounds
        self._places = places
        self._has_place = False
        self._peer: str | None = None
        self._awaited: Awaited = "head"  # a new connection has something to say
        self._since = self.loop.time()
        self._lingers = False
        self._came = 0  # bytes of this body
        self._aside = 0  # bytes that came and are part of no body: of a head, of fields after a body, of chunks' names
        self._error: AuraError | None = None
        self._slow_since: float | None = None
        self._read_before = 0

    # The connection

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """Begin to serve a connection, if there is a place for it."""
        super().connection_made(transport)
        peer = get_remote_addr(transport)
        self._peer = peer[0] if peer else None
        self._has_place = self._places.enter(self._peer)

    def connection_lost(self, exc: Exception | None) -> None:
        """Give the place back."""
        if self._has_place:
            self._has_place = False
            self._places.leave(self._peer)
        self._awaited = "nothing"
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take what came."""
        self._unset_keepalive_if_required()
        if self._awaited == "nothing":
            return
        if not self._has_place:
            self._refuse(TooManyConnections("try again, or over a connection that is open already", RETRY_AFTER_S))
            return
        before = self._awaited
        if before == "request":
            self._await("head")
        self._aside += len(data)
        self._came += len(data)
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade:  # nothing else than HTTP is spoken here; what follows is something else
            self._awaited = "nothing"
            if (cycle := self._last_cycle) is not None:
                cycle.keep_alive = False
        except httptools.HttpParserError:
            self._refuse(self._error or MalformedRequest("the bytes that came are no HTTP/1.1"))
        else:
            self._see_that_it_is_not_endless(before)

    def _see_that_it_is_not_endless(self, before: Awaited) -> None:
        """Look at what isn't complete yet, and so at what the parser holds."""
        if self._awaited == "head" and before == "head" and self._aside > self._bounds.header_bytes + len(self.url):
            self._refuse(self._too_large())
        elif self._awaited == "head" and len(self.url) > self._bounds.url_bytes:
            self._refuse(self._too_long())
        elif self._awaited == "body" and before == "body" and self._aside > self._bounds.header_bytes:
            self._refuse(self._too_large())

    # What the parser tells

    def on_message_begin(self) -> None:
        """Begin a request."""
        super().on_message_begin()
        self._await("head")

    def on_headers_complete(self) -> None:
        """Look at the head before anything is made of it."""
        self._error = self._wrong_with_head()
        if self._error is not None:
            raise self._error  # it stops the parser, which tells no more than that something was raised
        super().on_headers_complete()
        # What comes after the body isn't what the request was looked at by: it is nobody's header.
        self.headers = []
        self._await("body")

    def on_body(self, body: bytes) -> None:
        """Take a piece of the body."""
        self._aside = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """End a request."""
        self._await("request")
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """End an answer; where the body isn't here yet, its rest is only waited for so that the answer is seen."""
        if self._awaited == "body" and not self.pipeline:
            self._lingers = True
            self._since = self.loop.time()
        super().on_response_complete()

    def _wrong_with_head(self) -> AuraError | None:
        if len(self.url) > self._bounds.url_bytes:
            return self._too_long()
        size = hosts = 0
        for name, value in self.headers:
            size += len(name) + len(value) + BETWEEN
            hosts += name == b"host"
        if size > self._bounds.header_bytes or len(self.headers) > self._bounds.header_fields:
            return self._too_large()
        if not self.url.startswith(TARGETS):
            return MalformedRequest("a request's target is a path")
        if hosts > 1:
            return MalformedRequest("a request names one host")
        if len(self.pipeline) >= MOST_PIPELINED:
            return MalformedRequest(f"{MOST_PIPELINED} requests wait on this connection already")
        return None

    def _too_long(self) -> AuraError:
        return UrlTooLong(f"a path with its query string takes at most {self._bounds.url_bytes} bytes")

    def _too_large(self) -> AuraError:
        most = self._bounds
        return HeadersTooLarge(f"at most {most.header_fields} headers, of {most.header_bytes} bytes together")

    # Patience

    def _await(self, awaited: Awaited) -> None:
        self._awaited = awaited
        self._lingers = False
        self._since = self.loop.time()
        self._aside = self._came = 0

    def look(self, now: float, stood_still_s: float) -> None:
        """End the connection if it takes too long; `stood_still_s` is time that nothing could be read in."""
        self._since += stood_still_s
        if self._slow_since is not None:
            self._slow_since += stood_still_s
        if self._reads_too_slowly(now):
            self._places.refused("slow_reader")
            self._let_go()
            self.transport.abort()
        elif not self._has_place and self._awaited != "nothing":
            self._let_go()
            self.transport.close()
        elif self._awaited == "body":
            self._look_at_body(now)
        elif self._awaited == "head" and not self._holds_back() and now - self._since > self._bounds.head_s:
            self._refuse(RequestTooSlow(f"a head comes within {self._bounds.head_s:g} s"))

    def _look_at_body(self, now: float) -> None:
        waited = now - self._since
        if self._lingers:
            if waited > LINGER_S:
                self._let_go()
                self.transport.close()
        elif self._holds_back() or self.cycle.waiting_for_100_continue:
            self._since = now - min(waited, self._bounds.body_s / 2)  # it is we who don't read
        elif waited > self._bounds.body_s + self._came / self._bounds.bytes_per_s:
            self._refuse(
                RequestTooSlow(
                    f"a body comes within {self._bounds.body_s:g} s, and one more for {self._bounds.bytes_per_s} bytes"
                )
            )

    @property
    def _last_cycle(self) -> RequestResponseCycle | None:
        """The last request that came, and its answer; None before the first (uvicorn's types don't say so)."""
        return self.cycle

    def _holds_back(self) -> bool:
        """Whether it is this side that doesn't read."""
        return self.flow.read_paused

    def _reads_too_slowly(self, now: float) -> bool:
        """Whether what was written isn't read: by what has gone out since there was something that didn't at once."""
        waiting = self.transport.get_write_buffer_size()
        read = cast("GatheringTransport", self.transport).written - waiting
        if not waiting:
            self._slow_since = None
            return False
        if self._slow_since is None:
            self._slow_since, self._read_before = now, read
        earned_s = (read - self._read_before) / self._bounds.bytes_per_s
        return now - self._slow_since > self._bounds.answer_s + earned_s

    # Ends

    def _refuse(self, error: AuraError) -> None:
        """Answer and close; not in the middle of another answer, and not instead of one."""
        self._places.refused(error.code)
        cycle = self._last_cycle
        if self._awaited == "head" and cycle is not None and not cycle.response_complete:
            # What is wrong came behind requests that aren't answered yet: those are, and then nothing more.
            self._awaited = "nothing"
            cycle.keep_alive = False
            return
        begun = cycle is not None and cycle.response_started and not cycle.response_complete
        self._let_go()
        if not begun and not self.transport.is_closing():
            self.transport.write(_answer(error, self.server_state.default_headers, https=self.scheme == "https"))
        self.transport.close()

    def _let_go(self) -> None:
        """Take nothing more; whoever waits for a body is told that there is none."""
        self._awaited = "nothing"
        for cycle, _ in [*self.pipeline, (self._last_cycle, None)]:
            if cycle is not None and not cycle.response_complete:
                cycle.disconnected = True
                cycle.message_event.set()
        self.pipeline.clear()


class Rounds:
    """Looks after all connections, every `LOOK_S` seconds."""

    def __init__(self, places: Places) -> None:
        self._places = places
        self._last: float | None = None

    def look(self, connections: Iterable[object], now: float) -> None:
        """Look at each; tell the log what was refused since the last time, in a line, as each its own would be a flood."""
        passed = now - (now if self._last is None else self._last)
        self._last = now
        stood_still_s = passed if passed > STOOD_STILL_S else 0.0
        for connection in list(connections):
            if isinstance(connection, BoundedProtocol):
                connection.look(now, stood_still_s)
        if refused := self._places.refusals():
            log.warning("connections_refused", **refused)


def _answer(error: AuraError, usual: Iterable[tuple[bytes, bytes]], *, https: bool) -> bytes:
    """Write an answer for whom no application is asked."""
    answer = problems.problem(
        error.status, code=error.code, title=error.title, detail=str(error), headers=dict(error.headers)
    )
    said = {**secure("", problems.MEDIA_TYPE, https=https), **OWN_ONLY, "connection": "close"}
    headers = [*usual, *answer.raw_headers, *((name.encode(), value.encode()) for name, value in said.items())]
    lines = b"".join(b"%s: %s\r\n" % header for header in headers)
    return b"HTTP/1.1 %d %s\r\n%s\r\n%s" % (
        error.status,
        HTTPStatus(error.status).phrase.encode(),
        lines,
        bytes(answer.body),
    )
