"""Frames: what goes into one comes out of it, whole; and where the other side is gone, nothing does."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aura_analytics.projection import Buckets, Question, Slice, frames
from aura_analytics.settings import Settings
from aura_analytics.stats.scope import Scope
from unit.projection.recount import slices, steps


class Written:
    """A writer that keeps what is written."""

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
        frames.write(writer, frame)  # type: ignore[arg-type]
    return writer.data


@given(about=slices(), buckets=steps(), until=st.integers(-(2**62), 2**62))
def test_a_question_arrives_as_it_was_asked(about: Slice, buckets: Buckets | None, until: int) -> None:
    question = Question(
        sql="SELECT '🍎' FROM {cells}",
        parameters={"text": "ä\x00", "none": None, "list": ["a", None], "number": -(2**63), "share": 0.5},
        about=about,
        answered_until=until,
        measures=("queries", "cost"),
        split="store_id",
        buckets=buckets,
    )
    sent = frames.Ask(number=7, question=question, staleness_ms=3)
    assert asyncio.run(read(written(sent))) == [sent]


async def test_a_scope_is_as_good_as_a_slice() -> None:
    scope = Scope(stores=("a",), start=1, period="7d", text="red")
    [asked] = await read(written(frames.Ask(number=1, question=Question(sql="", about=scope), staleness_ms=0)))
    assert isinstance(asked, frames.Ask)
    assert asked.question.about == Slice(stores=("a",), start=1, text="red")


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
