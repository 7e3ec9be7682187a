"""Looking at the log: what is wanted, from where on, and what becomes of who reads too slowly."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.types import Message

from aura_analytics.api.tail import TAIL, Tail, Wanted
from aura_analytics.guard.standing import STANDS
from aura_analytics.recent import Recent

PATIENCE_S = 10


class Listener:
    """A client of the stream. It reads on only while it may."""

    def __init__(self, tail: Tail, query: str = "", last: str = "", *, method: str = "GET", **more: Any) -> None:
        self.status, self.place = 0, ""
        self.events: asyncio.Queue[tuple[str, str, Any]] = asyncio.Queue()
        self.leaves, self.reads, self._answered = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self.reads.set()
        headers = [(b"last-event-id", last.encode())] if last else []
        scope = {
            "type": "http",
            "method": method,
            "path": TAIL,
            "query_string": query.encode(),
            "headers": headers,
            **more,
        }
        self.task = asyncio.create_task(tail(scope, self._receive, self._send))

    async def _receive(self) -> Message:
        await self.leaves.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Message) -> None:
        await self.reads.wait()
        self.status = message.get("status", self.status)
        self._answered.set()
        for block in message.get("body", b"").decode().split("\n\n"):
            fields = dict(row.split(": ", 1) for row in block.split("\n") if ": " in row)
            self.place = fields.get("id", self.place)
            if "event" in fields:
                self.events.put_nowait((fields["event"], fields.get("id", ""), json.loads(fields["data"])))

    async def next(self) -> tuple[str, str, Any]:
        """Wait for the next event."""
        return await asyncio.wait_for(self.events.get(), PATIENCE_S)

    async def began(self) -> None:
        """Wait until it stands."""
        await asyncio.wait_for(self._answered.wait(), PATIENCE_S)

    async def all(self) -> list[tuple[str, Any]]:
        """Wait for the end, and give what came."""
        await asyncio.wait_for(self.task, PATIENCE_S)
        return [(kind, data) for kind, _, data in (self.events.get_nowait() for _ in range(self.events.qsize()))]


@pytest.fixture
def recent() -> Recent:
    return Recent(kept=10)


@pytest.fixture
async def tail(recent: Recent) -> AsyncIterator[Tail]:
    made = Tail(recent, look_s=0.005, most=2)
    yield made
    await made.close()


async def test_only_what_comes_from_now_on_and_each_line_once(tail: Tail, recent: Recent) -> None:
    recent.hear({"event": "early"})
    listener = Listener(tail)
    await listener.began()
    recent.hear({"event": "one\n\nevent: line", "odd": "\x1b[2J\u2028"})
    recent.hear({"event": "two"})

    assert [(await listener.next())[2]["event"] for _ in range(2)] == ["one\n\nevent: line", "two"]
    await tail.close()
    assert await listener.all() == []


async def test_recent_lines_come_first_where_they_are_wanted(tail: Tail, recent: Recent) -> None:
    recent.hear({"event": "early"})

    assert await Listener(tail, "since=0&follow=false").all() == [("line", {"event": "early"})]
    assert await Listener(tail, "follow=false").all() == [("line", {"event": "early"})]
    assert await Listener(tail, "since=2100-01-01T00:00:00Z&follow=false").all() == []


async def test_who_comes_back_goes_on_where_they_were(tail: Tail, recent: Recent) -> None:
    for number in range(3):
        recent.hear({"n": number})
    first = Listener(tail, "since=0&follow=false")
    await first.all()
    second_id = f"{recent.mark}-2"

    assert await Listener(tail, "follow=false", second_id).all() == [("line", {"n": 2})]
    assert await Listener(tail, "follow=false", f"{recent.mark}-999").all() == []
    # Of a server that was there before: all of this one is new.
    assert len(await Listener(tail, "follow=false", "00ff-2").all()) == 3
    assert len(await Listener(tail, "follow=false", "nonsense").all()) == 3


async def test_a_slow_one_is_told_how_many_it_has_missed(tail: Tail, recent: Recent) -> None:
    listener = Listener(tail, "since=0")
    await listener.began()
    listener.reads.clear()
    for number in range(25):
        recent.hear({"n": number})
        await asyncio.sleep(0)
    await asyncio.sleep(0.02)  # it has a piece in its hands by now, or none
    listener.reads.set()
    seen, lost = [], 0
    while len(seen) + lost < 25:
        kind, _, data = await listener.next()
        seen += [data["n"]] if kind == "line" else []
        lost += data["lost"] if kind == "lost" else 0

    assert lost >= 5
    assert seen == sorted(seen)
    assert seen[-1] == 24


LINES = st.fixed_dictionaries(
    {"level": st.sampled_from(["debug", "info", "warning", "error"])},
    optional={
        "correlation_id": st.sampled_from(["a", "b", None]),
        "stores": st.lists(st.sampled_from(["x", "y"])),
        "store": st.sampled_from(["x", "y", None]),
    },
)


@given(
    LINES,
    st.sampled_from([None, "a"]),
    st.sampled_from(["debug", "warning", "error"]),
    st.sampled_from([None, "x"]),
)
def test_a_filter_takes_away_what_does_not_fit_and_nothing_else(
    line: dict[str, Any], id: str | None, level: Any, store: str | None
) -> None:
    ranks = ["debug", "info", "warning", "error"]
    fits = (
        (id is None or line.get("correlation_id") == id)
        and ranks.index(line["level"]) >= ranks.index(level)
        and (store is None or store == line.get("store") or store in line.get("stores", ()))
    )

    assert Wanted(correlation_id=id, level=level, store=store).fits(line) is fits


@pytest.mark.parametrize("query", ["level=loud", "since=yesterday", "follow=maybe", "colour=red"])
async def test_what_cannot_be_read_is_refused(tail: Tail, query: str) -> None:
    listener = Listener(tail, query)
    await listener.all()
    assert listener.status == 400


async def test_no_more_listen_than_may_and_a_place_is_free_again(tail: Tail) -> None:
    both = [Listener(tail) for _ in range(2)]
    for listener in both:
        await listener.began()
    third = Listener(tail)
    await third.all()
    assert third.status == 503
    both[0].leaves.set()
    await both[0].all()
    fourth = Listener(tail)
    await fourth.began()
    assert fourth.status == 200


async def test_a_silent_stream_shows_that_it_lives(recent: Recent) -> None:
    tail = Tail(recent, look_s=0.001, sign_of_life_s=0.002)
    pieces: asyncio.Queue[bytes] = asyncio.Queue()

    async def send(message: Message) -> None:
        pieces.put_nowait(message.get("body", b""))

    async def receive() -> Message:
        await asyncio.Event().wait()
        raise AssertionError

    scope = {"type": "http", "method": "GET", "query_string": b"", "headers": []}
    task = asyncio.create_task(tail(scope, receive, send))
    while await asyncio.wait_for(pieces.get(), PATIENCE_S) != b": here\n\n":
        pass
    await tail.close()
    await task


async def test_who_is_sent_away_after_a_while_comes_back_to_where_they_were(recent: Recent) -> None:
    recent.hear({"n": 0})
    tail = Tail(recent, look_s=0.001, longest_s=0.002)
    first = Listener(tail, "level=error")
    assert await first.all() == []
    recent.hear({"level": "error", "n": 1})
    second = Listener(tail, "level=error", first.place)
    assert await second.all() == [("line", {"level": "error", "n": 1})]
    for _ in range(20):  # more than are kept, of which none is for it
        recent.hear({"level": "info"})
    third = Listener(tail, "level=error&follow=false", second.place)
    assert await third.all() == [("lost", {"lost": 10})]
    for _ in range(20):
        recent.hear({"level": "info"})
        fourth = Listener(tail, "level=error&follow=false", third.place)
        assert await fourth.all() == []
        third = fourth


async def test_a_stream_ends_with_its_key(recent: Recent) -> None:
    tail = Tail(recent, look_s=0.005, key_s=0.0)
    holds = [True, True, False]

    async def stands() -> bool:
        return holds.pop(0)

    listener = Listener(tail, **{STANDS: stands})
    assert await listener.all() == []
    assert holds == []
    await tail.close()
