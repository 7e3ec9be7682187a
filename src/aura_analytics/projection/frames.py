"""How two processes speak about the columns: frames of MessagePack, each led by its length."""

import asyncio
from typing import Any, Literal

import msgspec

from aura_analytics.projection.question import Question
from aura_analytics.settings import Settings

LENGTH_BYTES = 4


class Start(msgspec.Struct, frozen=True, tag=True):
    """The first frame: which database to follow."""

    settings: Settings


class Started(msgspec.Struct, frozen=True, tag=True):
    """The first answer: the file is ours, or why it isn't, or why the row database can't be used right now."""

    owned_elsewhere: str | None = None
    unavailable: str | None = None


class Call(msgspec.Struct, frozen=True, tag=True):
    """A method of the columns, with its arguments."""

    number: int
    method: Literal["status", "verify"]
    arguments: dict[str, bool]


class Ask(msgspec.Struct, frozen=True, tag=True):
    """A question to the columns, packed by itself: one that can't be read must not cost the others their answers."""

    number: int
    packed: msgspec.Raw
    staleness_ms: int

    @property
    def question(self) -> Question:
        """Unpack the question."""
        return _questions.decode(self.packed)


def ask(number: int, question: Question, staleness_ms: int) -> Ask:
    """Pack a question."""
    return Ask(number, msgspec.Raw(_encoder.encode(question)), staleness_ms)


class Answer(msgspec.Struct, frozen=True, tag=True):
    """What came of a call. Any: rows of cells, or a struct as a plain object."""

    number: int
    result: Any = None


class Failure(msgspec.Struct, frozen=True, tag=True):
    """A call that can't be answered now, or (`unavailable` false) that failed in a way that it must not."""

    number: int
    message: str
    retry_after_s: int = 1
    unavailable: bool = True


Frame = Start | Started | Call | Ask | Answer | Failure

_encoder = msgspec.msgpack.Encoder()
_questions = msgspec.msgpack.Decoder(Question)
_decoder: msgspec.msgpack.Decoder[Frame] = msgspec.msgpack.Decoder(Frame)


async def read(reader: asyncio.StreamReader) -> Frame | None:
    """Read the next frame; None when the other side is gone."""
    try:
        length = int.from_bytes(await reader.readexactly(LENGTH_BYTES), "big")
        return _decoder.decode(await reader.readexactly(length))
    except (asyncio.IncompleteReadError, ConnectionError):
        return None


def write(writer: asyncio.StreamWriter, frame: Frame) -> None:
    """Write a frame."""
    body = _encoder.encode(frame)
    writer.write(len(body).to_bytes(LENGTH_BYTES, "big") + body)
