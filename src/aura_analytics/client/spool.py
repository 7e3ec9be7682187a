"""Events on disk, while the service is away: a folder of files, each of which one process has locked.

A line is eight hexadecimal digits, the CRC-32 of an event, a space, and the event. A line whose sum doesn't fit, such as a
torn last one, is passed over. Each append is on the disk (fsync) when it returns.

A file is locked as long as its process lives, from before it can be seen. Who can lock a file has it: its own, or that
of a process that has ended. It is removed once all its lines are with the service; where a process is killed in
between, they are sent again and the service knows them by their ids. So no file is anybody's but one's, nothing is lost,
and nothing counts twice.
"""

import os
import re
import sys
import time
import zlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from threading import Lock

from aura_analytics.client.event import new_id
from aura_analytics.errors import ParameterError

if sys.platform != "win32":
    import fcntl

SUFFIX = ".spool"
UNFINISHED = ".new"
_LINE = re.compile(rb"([0-9a-f]{8}) (.*)\n", re.DOTALL)


class SpoolFull(Exception):
    """There is no room, or the disk doesn't take it; stays inside of this package, where it becomes a `Drop`."""


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
        self._descriptor = descriptor

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
            os.ftruncate(self._descriptor, end)
            raise

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
        """All of it is with the service."""
        self.path.unlink(missing_ok=True)
        self.release()

    def release(self) -> None:
        """Leave it to whoever comes."""
        os.close(self._descriptor)


class Spool:
    """A folder of files, for any number of threads and processes.

    Raises:
        ParameterError: the folder can't be used.
    """

    def __init__(self, folder: Path, *, max_bytes: int) -> None:
        if sys.platform == "win32":
            raise ParameterError("a spool needs the file locks of POSIX")
        self._folder = folder
        self._max_bytes = max_bytes
        self._own: Segment | None = None
        self._lock = Lock()
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.append([])
        except (OSError, SpoolFull) as error:
            raise ParameterError(f"the spool's folder can't be used: {error}") from error
        self.close()

    def append(self, lines: Sequence[bytes]) -> None:
        """Keep events; they are on the disk when this returns.

        Raises:
            SpoolFull: they aren't.
        """
        data = written(lines)
        with self._lock:
            try:
                if self._size() + len(data) > self._max_bytes:
                    raise SpoolFull(f"the spool has {self._max_bytes} bytes at most")
                if self._own is None:
                    self._own = self._create()
                self._own.append(data)
            except OSError as error:
                raise SpoolFull(f"the spool can't be written: {error}") from error

    def claim(self) -> Segment | None:
        """Give the oldest file that is free or one's own; new events go into another one from now on."""
        with self._lock:
            for path in self._files():
                if self._own is not None and path == self._own.path:
                    own, self._own = self._own, None
                    return own
                if (segment := _locked(path)) is not None:
                    return segment
        return None

    def close(self) -> None:
        """Leave everything to whoever comes; a file without events goes."""
        with self._lock:
            own, self._own = self._own, None
            if own is not None:
                (own.remove if next(own.events(), None) is None else own.release)()

    def forget(self) -> None:
        """Leave the open file to the process that has it, after a fork."""
        self._lock = Lock()  # another thread of the parent may have held it
        if self._own is not None:
            self._own.release()  # a lock is the parent's too, and stays until it lets go as well
            self._own = None

    def _files(self) -> list[Path]:
        return sorted(self._folder.glob(f"*{SUFFIX}"))

    def _size(self) -> int:
        size = 0
        for path in self._files():
            try:
                size += path.stat().st_size
            except FileNotFoundError:  # another process has just sent it
                continue
        return size

    def _create(self) -> Segment:
        """Make a file that nobody sees before it is locked."""
        path = self._folder / f"{time.time_ns():020d}-{new_id()}{SUFFIX}"
        hidden = path.with_suffix(UNFINISHED)
        descriptor = os.open(hidden, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            hidden.rename(path)
            _sync(self._folder)
        except OSError:
            os.close(descriptor)
            raise
        return Segment(path, descriptor)


def _locked(path: Path) -> Segment | None:
    """Lock a file of another process; None where that lives, or somebody else was faster."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if path.stat().st_ino == os.fstat(descriptor).st_ino:
            return Segment(path, descriptor)
    except (BlockingIOError, FileNotFoundError):
        pass
    os.close(descriptor)
    return None


def _sync(folder: Path) -> None:
    """Have the file's name on the disk as well."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
