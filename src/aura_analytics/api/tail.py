"""`/logs/tail`: what this server and the processes beside it log, as it happens, as server-sent events.

A listener has no queue of its own: it stands somewhere in the ring of recent lines and goes on from there, so that a slow
one costs no memory, and is told how many lines it has missed. All texts go out as JSON: a control character that a caller
has sent is escaped.

    event: line   id: <server>-<number>   data: {"timestamp": …, "level": …, "event": …, …}
    event: lost   data: {"lost": 17}

A stream begins and ends with an `id` alone: where its listener goes on when it comes back, also where no line was for it.
"""

import asyncio
import re
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Literal, get_args
from urllib.parse import parse_qsl

import msgspec
from starlette.types import Message, Receive, Scope, Send

from aura_analytics.api import problems
from aura_analytics.errors import ParameterError
from aura_analytics.guard.standing import stands
from aura_analytics.recent import Kept, Line, Recent, encode

TAIL = "/logs/tail"
Level = Literal["debug", "info", "warning", "error", "critical"]
LEVELS: tuple[Level, ...] = get_args(Level)
PARAMETERS = ("correlation_id", "level", "store", "since", "follow")

# Who looks at logs are few people; each is a connection that stays.
MOST_LISTENERS = 20
# So many lines are written out at once: in between, others have their turn.
PAGE = 100
LOOK_S = 0.2
SIGN_OF_LIFE_S = 15.0
# So often is looked whether the key still holds; and so long does a stream last at most, then its listener comes back.
KEY_S = 5.0
LONGEST_S = 900.0
HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),
]
TOO_MANY = problems.problem(
    HTTPStatus.SERVICE_UNAVAILABLE,
    code="too_many_listeners",
    title="Too many look at the log already",
    detail=None,
    headers={"retry-after": "10"},
)
RETRY = b"retry: 2000\n"
SIGN_OF_LIFE = b": here\n\n"


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """Which lines are wanted; None is no limit. `level` is the least severe one.

    `after`: the last line that the listener has, by the mark of its server and its number; `since`: epoch milliseconds.
    """

    correlation_id: str | None = None
    level: Level = "debug"
    store: str | None = None
    since: int | None = None
    after: tuple[str, int] | None = None
    follow: bool = True

    def fits(self, line: Line) -> bool:
        """Whether a line is one of them."""
        if self.correlation_id is not None and line.get("correlation_id") != self.correlation_id:
            return False
        if self.store is not None and self.store not in _stores(line):
            return False
        level = line.get("level")
        return level not in LEVELS or LEVELS.index(level) >= LEVELS.index(self.level)


class Tail:
    """Plain ASGI over the recent lines.

    Args:
        recent: the ring.
        look_s: how long between two looks at it.
        sign_of_life_s: how long it may be silent.
        most: how many may listen.
        key_s: how often is looked whether who listens still may.
        longest_s: how long a stream lasts.
    """

    def __init__(
        self,
        recent: Recent,
        *,
        look_s: float = LOOK_S,
        sign_of_life_s: float = SIGN_OF_LIFE_S,
        most: int = MOST_LISTENERS,
        key_s: float = KEY_S,
        longest_s: float = LONGEST_S,
    ) -> None:
        self._recent = recent
        self._look_s = look_s
        self._sign_of_life_s = sign_of_life_s
        self._most = most
        self._key_s = key_s
        self._longest_s = longest_s
        self._listeners = 0
        self._closed = asyncio.Event()

    async def close(self) -> None:
        """End every stream."""
        self._closed.set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one listener until it, or the server, goes."""
        try:
            wanted = read(scope)
        except ParameterError as error:
            answer = await problems.answer(scope, error)
            await answer(scope, receive, send)
            return
        if self._closed.is_set() or self._listeners >= self._most:
            await TOO_MANY(scope, receive, send)
            return
        self._listeners += 1
        gone = asyncio.create_task(_gone(receive), name="tail-listener")
        closed = asyncio.create_task(self._closed.wait(), name="tail-closed")
        try:
            await self._stream(scope, wanted, send, gone, closed)
        finally:
            self._listeners -= 1
            gone.cancel()
            closed.cancel()

    async def _stream(self, scope: Scope, wanted: Wanted, send: Send, *ends: asyncio.Task[object]) -> None:
        await send({"type": "http.response.start", "status": HTTPStatus.OK, "headers": HEADERS})
        place, silent_s = self._begin(wanted), 0.0
        await send(_piece(RETRY + self._id(place)))
        clock = asyncio.get_running_loop().time
        ends_at, looked_at = clock() + self._longest_s, clock()
        while not any(end.done() for end in ends) and clock() < ends_at:
            if clock() - looked_at >= self._key_s:
                looked_at = clock()
                if not await stands(scope):
                    break
            lost, lines = self._recent.after(place, PAGE)
            if lines:
                place = lines[-1].number
            body = _lost(lost) + b"".join(self._event(kept) for kept in lines if wanted.fits(kept.line))
            if silent_s >= self._sign_of_life_s:
                body = body or SIGN_OF_LIFE
            if body:
                await send(_piece(body))
                silent_s = 0.0
            if place < self._recent.newest:
                continue
            if not wanted.follow:
                break
            await asyncio.wait(ends, timeout=self._look_s, return_when=asyncio.FIRST_COMPLETED)
            silent_s += self._look_s
        await send({"type": "http.response.body", "body": self._id(place)})

    def _begin(self, wanted: Wanted) -> int:
        """Give the number of the line that the listener's first one comes after.

        What is before the ring when somebody comes isn't lost to them, unless they have seen some of it.
        """
        mark, number = wanted.after or ("", 0)
        if mark == self._recent.mark:
            return min(number, self._recent.newest)
        if wanted.since is not None or wanted.after is not None:  # of another server: all of this one is new
            return self._recent.since(wanted.since or 0)
        return self._recent.newest if wanted.follow else self._recent.since(0)

    def _id(self, number: int) -> bytes:
        """Tell a listener where it stands; to an EventSource, that is no event."""
        return b"id: %s-%d\n\n" % (self._recent.mark.encode(), number)

    def _event(self, kept: Kept) -> bytes:
        return b"id: %s-%d\nevent: line\ndata: %s\n\n" % (self._recent.mark.encode(), kept.number, encode(kept.line))


def read(scope: Scope) -> Wanted:
    """Read what is wanted from a request.

    Raises:
        ParameterError: something can't be read.
    """
    try:
        given = dict(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True))
    except ValueError as error:
        raise ParameterError("the query string can't be read") from error
    for name in given.keys() - set(PARAMETERS):
        raise ParameterError(f"{name} isn't known here; {', '.join(PARAMETERS)} are")
    level = given.get("level", "debug").lower()
    known = next((one for one in LEVELS if one == level), None)
    if scope["method"] != "GET":
        raise ParameterError("this is read with GET")
    if known is None:
        raise ParameterError(f"level is one of {', '.join(LEVELS)}")
    if (follow := given.get("follow", "true")) not in ("true", "false"):
        raise ParameterError("follow is true or false")
    return Wanted(
        correlation_id=given.get("correlation_id") or None,
        level=known,
        store=given.get("store") or None,
        since=_moment(given["since"]) if given.get("since") else None,
        after=_last_event(scope),
        follow=follow == "true",
    )


def _moment(text: str) -> int:
    """Read a moment, as epoch milliseconds or ISO 8601."""
    if re.fullmatch(r"\d{1,15}", text):
        return int(text)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise ParameterError("since is a moment: ISO 8601, or epoch milliseconds") from error
    return round((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)


def _last_event(scope: Scope) -> tuple[str, int] | None:
    """Read which line the listener saw last; what isn't one of ours counts as none."""
    shown = next((value for name, value in scope["headers"] if name == b"last-event-id"), b"").decode("latin-1")
    found = re.fullmatch(r"([0-9a-f]{1,64})-(\d{1,18})", shown)
    return (found[1], int(found[2])) if found else None


def _stores(line: Line) -> tuple[object, ...]:
    stores = line.get("stores")
    return (line.get("store"), line.get("store_id"), *(stores if isinstance(stores, list | tuple) else ()))


def _lost(count: int) -> bytes:
    return b'event: lost\ndata: {"lost":%d}\n\n' % count if count else b""


async def _gone(receive: Receive) -> None:
    """Wait until the client has gone."""
    while (await receive())["type"] != "http.disconnect":
        pass


def _piece(body: bytes) -> Message:
    return {"type": "http.response.body", "body": body, "more_body": True}
