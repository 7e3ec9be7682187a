"""What is said between the process that asks the archive's files and the one that answers, and how it is written.

It stands apart from the engine, which takes long to load: who only asks needs nothing of it.
"""

from collections.abc import Iterator
from typing import IO, Any, Literal

import msgspec

# The module of the process that answers.
ENGINE = "aura_analytics.archive.engine"
LENGTH_BYTES = 4

Reason = Literal["refused", "memory", "files", "broken"]


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked, and of which files.

    `in_force`: of files that hold rows that count no longer, the ids that do. `columns`: what the table has where there
    are no files, by name. `alike`: whether all files have the same columns, so that one has to be opened to know them.
    `spill`: a folder for what doesn't fit into the memory.
    """

    sql: str
    files: list[str]
    in_force: dict[str, list[str]]
    columns: dict[str, str]
    alike: bool
    spill: str
    memory_mb: int
    spill_mb: int
    threads: int


class Head(msgspec.Struct, frozen=True, tag="head"):
    """The columns of the answer."""

    columns: list[str]


class Part(msgspec.Struct, frozen=True, tag="part"):
    """Some rows. Any: what JSON can hold."""

    rows: list[list[Any]]


class End(msgspec.Struct, frozen=True, tag="end"):
    """The end of the answer; with a reason where it is none."""

    reason: Reason | None = None
    message: str = ""


Message = Head | Part | End


def received(stream: IO[bytes]) -> Iterator[Message]:
    """Read messages, until their end or the stream's."""
    decoder = msgspec.msgpack.Decoder(Message)
    while len(length := stream.read(LENGTH_BYTES)) == LENGTH_BYTES:
        body = stream.read(int.from_bytes(length, "big"))
        if len(body) < int.from_bytes(length, "big"):
            return
        yield decoder.decode(body)


def send(stream: IO[bytes], message: Message) -> None:
    """Write a message."""
    body = msgspec.msgpack.encode(message)
    stream.write(len(body).to_bytes(LENGTH_BYTES, "big") + body)
    stream.flush()
