"""One file of the spool.

A line is eight hexadecimal digits, the CRC-32 of an event, a space, and the event. A line whose sum doesn't fit, such as a
torn last one, is passed over. Each append is on the disk (fsync) when it returns.
"""

import os
import re
import sys
import zlib
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

if sys.platform != "win32":
    import fcntl

_LINE = re.compile(rb"([0-9a-f]{8}) (.*)\n", re.DOTALL)


def written(lines: Iterable[bytes]) -> bytes:
    """Write events as the file has them."""
    return b"".join(b"%08x %b\n" % (zlib.crc32(line), line) for line in lines)


def read_line(line: bytes) -> bytes | None:
    """Give the event of a file's line; None where it isn't whole."""
    found = _LINE.fullmatch(line)
    return found[2] if found and zlib.crc32(found[2]) == int(found[1], 16) else None


class Segment:
    """One file that this process has locked. Written without a buffer, so that a fork can't write anything twice.

    `damaged` counts lines whose sum doesn't fit, as far as it was read; a torn last one, which nobody was told was kept,
    isn't one of them.
    """

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path = path
        self.damaged = 0
        self.torn = False  # half of an append stayed behind: nothing may come after it
        self._descriptor = descriptor

    def is_in_place(self) -> bool:
        """Whether it is still what its name leads to; true, too, where nobody can say."""
        try:
            return self.path.stat().st_ino == os.fstat(self._descriptor).st_ino
        except (FileNotFoundError, NotADirectoryError):
            return False
        except OSError:
            return True

    def append(self, data: bytes) -> None:
        """Write to the end, and to the disk.

        Raises:
            OSError: it can't be; nothing of it is left behind, as far as the disk lets us.
        """
        end = os.lseek(self._descriptor, 0, os.SEEK_END)
        try:
            rest = memoryview(data)
            while rest:
                rest = rest[os.write(self._descriptor, rest) :]
            os.fsync(self._descriptor)
        except OSError:
            self.torn = True
            os.ftruncate(self._descriptor, end)
            self.torn = False
            raise

    def copy_into(self, other: "Segment") -> None:
        """Have another hold the same.

        Raises:
            OSError: it can't be.
        """
        at = 0
        while part := os.pread(self._descriptor, 1 << 20, at):
            other.append(part)
            at += len(part)

    def events(self) -> Iterator[bytes]:
        """Give what is in it, from the beginning."""
        with os.fdopen(os.dup(self._descriptor), "rb") as file:
            file.seek(0)
            self.damaged = 0
            for line in file:
                event = read_line(line)
                if event is not None:
                    yield event
                elif line.endswith(b"\n"):
                    self.damaged += 1

    def remove(self) -> None:
        """All of it is with the service.

        Raises:
            OSError: it can't be; it is empty then, as far as the disk lets us. It is still open.
        """
        try:
            self.path.unlink(missing_ok=True)
        except OSError:
            os.ftruncate(self._descriptor, 0)
            raise
        self.release()

    def release(self) -> None:
        """Leave it to whoever comes."""
        with suppress(OSError):  # it is closed all the same
            os.close(self._descriptor)


def locked(path: Path) -> Segment | None:
    """Lock a file of another process; None where that lives, or somebody else was faster.

    Raises:
        OSError: it can't be opened, or not be locked.
    """
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    segment = Segment(path, descriptor)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        segment.release()
        return None
    except OSError:
        segment.release()
        raise
    if segment.is_in_place():
        return segment
    segment.release()
    return None
