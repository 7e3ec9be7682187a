"""Keys that a person presses, one at a time: as they are pressed on a terminal, from lines in a pipe."""

import asyncio
import os
import re
import sys
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Protocol, TextIO

ENTER = "\n"
# The end: of the input, or Ctrl-D.
END = ""

_CHUNK = 1_024
_CTRL_D = "\x04"
_ESCAPE = re.compile(r"\x1b(\[[0-?]*[ -/]*[@-~]|O.|.)?", re.DOTALL)


class Keys(Protocol):
    """Where keys come from."""

    async def next(self) -> str:
        """Give the next key, in lower case; `ENTER`, or `END` after the last one."""


@asynccontextmanager
async def keys(source: TextIO | None = None) -> AsyncIterator[Keys]:
    """Have the keys of standard input, or of another source; a terminal is given back as it was."""
    given = sys.stdin if source is None else source
    if not given.isatty():
        yield Lines(given)
        return
    # Imported here, since Windows has neither.
    import termios  # noqa: PLC0415
    import tty  # noqa: PLC0415

    descriptor = given.fileno()
    before = termios.tcgetattr(descriptor)
    tty.setcbreak(descriptor)
    try:
        yield Presses(descriptor)
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)


def pressed(text: str) -> list[str]:
    """Give the keys of what a terminal sent; arrows and the like, which come as an escape, are none."""
    return [END if one == _CTRL_D else ENTER if one in "\r\n" else one.lower() for one in _ESCAPE.sub("", text)]


class Presses:
    """Keys of a terminal, which doesn't wait for the end of a line."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._waiting: deque[str] = deque()

    async def next(self) -> str:
        """Give the next key."""
        while not self._waiting:
            await _readable(self._descriptor)
            chunk = os.read(self._descriptor, _CHUNK)
            if not chunk:
                return END
            self._waiting.extend(pressed(chunk.decode(errors="ignore")))
        return self._waiting.popleft()


class Lines:
    """Keys of a pipe or a file: each character of a line is one, an empty line is Enter."""

    def __init__(self, source: TextIO) -> None:
        self._source = source
        self._waiting: deque[str] = deque()

    async def next(self) -> str:
        """Give the next key."""
        while not self._waiting:
            line = await asyncio.to_thread(self._source.readline)
            if not line:
                return END
            self._waiting.extend(pressed(line.strip()) or [ENTER])
        return self._waiting.popleft()


async def _readable(descriptor: int) -> None:
    """Wait until there is something to read."""
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    loop.add_reader(descriptor, ready.set)
    try:
        await ready.wait()
    finally:
        loop.remove_reader(descriptor)
