"""What two processes say to each other about the columns."""

from typing import Any, cast

import msgspec

from aura_analytics.projection import Projection, Question, Slice, frames, host


class Written:
    """Keeps what is written to it."""

    def __init__(self) -> None:
        self.frames: list[Any] = []

    def write(self, data: bytes) -> None:
        self.frames.append(msgspec.msgpack.decode(data[frames.LENGTH_BYTES :], type=frames.Frame))


def test_a_question_comes_over_whole() -> None:
    question = Question(sql="SELECT 1", parameters={"a": [1, None, "ü"]}, about=Slice(stores=("s",), start=-1))
    assert frames.ask(7, question, 0).question == question


async def test_a_question_that_cannot_be_read_costs_nobody_else_an_answer() -> None:
    wrong = msgspec.msgpack.encode({"sql": "SELECT 1", "about": {"stores": [b"\xff"]}})
    written = Written()
    await host._answer(cast("Projection", None), frames.Ask(7, msgspec.Raw(wrong), 0), cast("Any", written))
    assert written.frames == [frames.Failure(7, "the statistics failed", unavailable=False)]
