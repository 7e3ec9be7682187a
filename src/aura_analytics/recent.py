"""The last lines of the log, kept in memory for who looks at them; and the way that they come here from other processes.

Nothing is waited for: a line is put into a ring and the oldest one falls out. Who reads too slowly finds that some are
gone, and how many.
"""

import os
import re
import secrets
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

import msgspec

# The ring, in lines; one of a request is about 500 bytes, and as long as it is here it is a dictionary.
KEPT = 2_000
# What a pipe takes whole or not at all, so that no line is ever half there.
ATOMIC_BYTES = 4_096

# What JSON may leave as it is and isn't harmless, in UTF-8: DEL and U+0080 to U+009F act on terminals, and at U+0085, U+2028
# and U+2029 many a reader ends a line.
LEFT_RAW = re.compile(rb"\x7f|\xc2[\x80-\x9f]|\xe2\x80[\xa8\xa9]")

# A line as the log has it, by name. Any: whatever was logged.
Line = Mapping[str, Any]
Hear = Callable[[Line], None]


class Kept(msgspec.Struct, frozen=True):
    """A line of the ring: `number` counts from 1, `at` is when it came, in epoch milliseconds."""

    number: int
    at: int
    line: Line


class Recent:
    """A ring of lines; any thread may put some in.

    Args:
        kept: how many are held.
        process: what is said of who wrote the lines of this process.
    """

    def __init__(self, kept: int = KEPT, process: str = "server") -> None:
        self._lines: deque[Kept] = deque(maxlen=kept)
        self._lock = threading.Lock()
        self._process = process
        # Tells this ring's numbers from those of a server that was there before.
        self.mark = secrets.token_hex(4)
        self.newest = 0

    def hear(self, line: Line) -> None:
        """Keep a line. It isn't written down here: most are never looked at."""
        with self._lock:
            self.newest += 1
            self._lines.append(Kept(self.newest, time.time_ns() // 1_000_000, line))

    def after(self, number: int, limit: int) -> tuple[int, list[Kept]]:
        """Give how many lines after this one are gone, and up to `limit` of those that are here, in their order."""
        with self._lock:
            oldest = self._lines[0].number if self._lines else self.newest + 1
            found = list(self._lines) if number < self.newest else []
        gone = max(0, oldest - 1 - number)
        return gone, [kept for kept in found if kept.number > number][:limit]

    def since(self, moment: int) -> int:
        """Give the number that lines from a moment on come after."""
        with self._lock:
            found = next((kept.number for kept in self._lines if kept.at >= moment), self.newest + 1)
        return found - 1

    def relayed(self, process: str) -> Callable[[bytes], None]:
        """Make what takes lines of another process as they are written by `relay`; what is none is passed over."""

        def take(written: bytes) -> None:
            with suppress(ValueError, RecursionError):
                line = msgspec.json.decode(written)
                if isinstance(line, dict):
                    self.hear({**line, "process": process})

        return take


def relay(descriptor: int) -> Hear:
    """Make what writes lines into a pipe to a server. One that can't be taken at once is lost: nobody waits for it."""
    os.set_blocking(descriptor, False)

    def write(line: Line) -> None:
        written = encode(line)
        if len(written) >= ATOMIC_BYTES:  # only exceptions are that long
            written = encode({name: value for name, value in line.items() if name != "exception"})
        if len(written) < ATOMIC_BYTES:
            with suppress(OSError):
                os.write(descriptor, written + b"\n")

    return write


def encode(line: Line) -> bytes:
    """Write a line as JSON: one line for whoever splits it, and no control character in it that acts on a terminal."""
    written = msgspec.json.encode(line, enc_hook=repr)
    return written if written.isascii() and b"\x7f" not in written else LEFT_RAW.sub(_escaped, written)


def _escaped(found: re.Match[bytes]) -> bytes:
    return b"\\u%04x" % ord(found[0].decode())
