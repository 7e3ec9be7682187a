"""Keys, one at a time: from a real terminal, and from lines."""

import asyncio
import io
import os
import pty
import termios
from collections.abc import Iterator
from typing import TextIO

import pytest

from aura_analytics.terminal.keys import END, ENTER, keys, pressed


@pytest.fixture
def terminal() -> Iterator[tuple[int, TextIO]]:
    """A terminal: where a person types, and what a program reads."""
    person, program = pty.openpty()
    with os.fdopen(program, encoding="utf-8") as source:
        yield person, source
    os.close(person)


@pytest.mark.parametrize(
    ("sent", "found"),
    [
        ("g", ["g"]),
        ("G1", ["g", "1"]),
        ("\r", [ENTER]),
        ("\n", [ENTER]),
        ("\x04", [END]),
        ("\x1b[A", []),
        ("\x1b[1;5Ag\x1bOPb\x1b", ["g", "b"]),
        ("\x1b", []),
        ("", []),
    ],
)
def test_what_a_terminal_sends_becomes_keys(sent: str, found: list[str]) -> None:
    assert pressed(sent) == found


async def test_a_key_is_there_without_the_end_of_its_line(terminal: tuple[int, TextIO]) -> None:
    person, source = terminal
    async with keys(source) as found:
        os.write(person, b"gB")
        assert [await found.next(), await found.next()] == ["g", "b"]
        coming = asyncio.create_task(found.next())
        os.write(person, b"\x1b[A")  # an arrow is no key
        os.write(person, "\xe9".encode()[:1])  # nor is half a character
        os.write(person, b"\r")
        assert await asyncio.wait_for(coming, 10) == ENTER


async def test_a_terminal_is_given_back_as_it_was(terminal: tuple[int, TextIO]) -> None:
    _, source = terminal
    before = termios.tcgetattr(source.fileno())

    async def wait() -> None:
        async with keys(source) as found:
            assert termios.tcgetattr(source.fileno()) != before
            await found.next()

    with pytest.raises(TimeoutError):
        await asyncio.wait_for(wait(), 0.05)
    assert termios.tcgetattr(source.fileno()) == before


async def test_each_character_of_a_line_is_a_key() -> None:
    async with keys(io.StringIO("g\nb3\n\n  q  \n")) as found:
        assert [await found.next() for _ in range(6)] == ["g", "b", "3", ENTER, "q", END]
        assert await found.next() == END
