"""What two processes say to each other about the columns: it comes out as it went in, or not at all."""

import asyncio
from typing import Any, cast

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aura_analytics.projection import Buckets, Projection, Question, Slice, frames, host
from aura_analytics.settings import Settings
from aura_analytics.stats.scope import Scope
from unit.projection.recount import slices, steps


class Written:
    """Keeps what is written to it."""

    def __init__(self) -> None:
        self.data = b""

    def write(self, data: bytes) -> None:
        self.data += data


async def read(data: bytes) -> list[frames.Frame]:
    reader = asyncio.StreamReader()
    reader.feed_data(data)
    reader.feed_eof()
    found = []
    while (frame := await frames.read(reader)) is not None:
        found.append(frame)
    return found


def written(*sent: frames.Frame) -> bytes:
    writer = Written()
    for frame in sent:
        frames.write(cast("Any", writer), frame)
    return writer.data


def test_a_question_comes_over_whole() -> None:
    question = Question(sql="SELECT 1", parameters={"a": [1, None, "ü"]}, about=Slice(stores=("s",), start=-1))
    assert frames.ask(7, question, 0).question == question


@given(about=slices(), buckets=steps(), until=st.integers(-(2**62), 2**62))
def test_any_question_arrives_as_it_was_asked(about: Slice, buckets: Buckets | None, until: int) -> None:
    question = Question(
        sql="SELECT '🍎' FROM {cells}",
        parameters={"text": "ä\x00", "none": None, "list": ["a", None], "number": -(2**63), "share": 0.5},
        about=about,
        answered_until=until,
        measures=("queries", "cost"),
        split="store_id",
        buckets=buckets,
    )
    [asked] = asyncio.run(read(written(frames.ask(7, question, 3))))
    assert isinstance(asked, frames.Ask)
    assert (asked.number, asked.question, asked.staleness_ms) == (7, question, 3)


async def test_a_scope_is_as_good_as_a_slice() -> None:
    scope = Scope(stores=("a",), start=1, period="7d", text="red")
    [asked] = await read(written(frames.ask(1, Question(sql="", about=scope), 0)))
    assert isinstance(asked, frames.Ask)
    assert asked.question.about == Slice(stores=("a",), start=1, text="red")


@pytest.mark.parametrize(
    "wrong",
    [
        msgspec.msgpack.encode({"sql": "SELECT 1", "about": {"stores": [b"\xff"]}}),
        b"\xc0",
        b"\x81\xa3sql\x07",
        b"\x81\xa3sql\xa1\xff",
    ],
)
async def test_a_question_that_cannot_be_read_costs_nobody_else_an_answer(wrong: bytes) -> None:
    sent = written(frames.Ask(7, msgspec.Raw(wrong), 0), frames.ask(8, Question(sql="SELECT 1"), 0))
    unreadable, other = await read(sent)
    assert isinstance(unreadable, frames.Ask)
    assert isinstance(other, frames.Ask)
    assert other.question == Question(sql="SELECT 1")
    answered = Written()
    await host._answer(cast("Projection", None), unreadable, cast("Any", answered))
    assert await read(answered.data) == [frames.Failure(7, "the statistics failed", unavailable=False)]


async def test_frames_follow_on_each_other() -> None:
    sent: list[frames.Frame] = [
        frames.Start(Settings(aura_database_url="sqlite:///x")),
        frames.Started(),
        frames.Started(owned_elsewhere="why"),
        frames.Call(number=1, method="verify", arguments={"rebuild": True}),
        frames.Answer(number=1, result=[[1, "x" * 100_000, None, 0.5, True]]),
        frames.Failure(number=2, message="not now", retry_after_s=9, unavailable=False),
    ]
    assert await read(written(*sent)) == sent


@pytest.mark.parametrize("left", [0, 1, 3, 4, 5, -1])
async def test_the_end_of_the_other_side_is_the_end_wherever_it_comes(left: int) -> None:
    assert await read(written(frames.Started(owned_elsewhere="why"))[:left]) == []
