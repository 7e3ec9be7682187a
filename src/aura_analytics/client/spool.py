"""Events on disk, while the service is away: a folder of files, each of which one process has locked.

A file is locked as long as its process lives, from before it can be seen. Who can lock a file has it: its own, or that
of a process that has ended. It is removed once all its lines are with the service; where a process is killed in
between, they are sent again and the service knows them by their ids. So no file is anybody's but one's, nothing is lost,
and nothing counts twice.

A file that can't be opened, read or removed, such as one that root left behind, is passed over for a while and told of
once; it holds up none of the others.
"""

import os
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from threading import Lock

import msgspec

from aura_analytics.client.event import new_id
from aura_analytics.client.segment import Segment, locked, written
from aura_analytics.client.stderr import described, say
from aura_analytics.errors import ParameterError

if sys.platform != "win32":
    import fcntl

SUFFIX = ".spool"
UNFINISHED = ".new"
# For how long a file is passed over that can't be used; it doubles.
PASS_OVER_S = 60.0
LONGEST_PASS_OVER_S = 3_600.0


class SpoolFull(Exception):
    """There is no room, or the disk doesn't take it; stays inside of this package, where it becomes a `Drop`."""


class _Passed(msgspec.Struct, frozen=True):
    """Until when (monotonic) a file is passed over, and for how long that was."""

    until: float
    pause_s: float


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
        self._passed: dict[Path, _Passed] = {}
        self._complaints: list[str] = []
        try:
            self.append([])
        except (OSError, ValueError, SpoolFull) as error:
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
                if data and self._size() + len(data) > self._max_bytes:
                    raise SpoolFull(f"the spool has {self._max_bytes} bytes at most")
                self._writable().append(data)
            except OSError as error:
                if self._own is not None and self._own.torn:
                    self._own.release()
                    self._own = None
                raise SpoolFull(f"the spool can't be written: {error}") from error

    def claim(self) -> Segment | None:
        """Give the oldest file that is free or one's own; new events go into another one from now on."""
        with self._lock:
            own = self._own
            if own is not None and not own.is_in_place():  # its name was taken away, its events are here
                try:
                    own = self._writable()
                except OSError:
                    self._own = None
                    return own
            for path in self._files():
                if own is not None and path == own.path:
                    self._own = None
                    return own
                if (segment := self._lock_unless_passed(path)) is not None:
                    return segment
        return None

    def pass_over(self, path: Path, error: BaseException) -> None:
        """Leave a file alone for a while, for longer each time, since it failed; others have their turn."""
        before = self._passed.get(path)
        pause_s = PASS_OVER_S if before is None else min(2 * before.pause_s, LONGEST_PASS_OVER_S)
        self._passed[path] = _Passed(until=time.monotonic() + pause_s, pause_s=pause_s)
        if before is None:
            told = f"{path} of the spool is passed over, and tried again later: {described(error)}"
            self._complaints.append(told)

    def complaints(self) -> list[str]:
        """Give what somebody should look at; each once."""
        complaints, self._complaints = self._complaints, []
        return complaints

    def close(self) -> None:
        """Leave everything to whoever comes; a file without events goes."""
        with self._lock:
            if self._own is not None:
                try:
                    self._leave(self._own)
                except OSError as error:
                    say(f"{self._own.path} of the spool can't be left in order: {error}")
                self._own = None

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
            with suppress(OSError):  # another process has just sent it; or it can't be used, and is passed over
                size += path.stat().st_size
        return size

    def _leave(self, own: Segment) -> None:
        if next(own.events(), None) is None:
            own.remove()
        else:
            self._writable().release()

    def _lock_unless_passed(self, path: Path) -> Segment | None:
        passed = self._passed.get(path)
        if passed is not None and time.monotonic() < passed.until:
            return None
        try:
            return locked(path)
        except OSError as error:
            self.pass_over(path, error)
            return None

    def _writable(self) -> Segment:
        """Give one's own file; another with the same, where somebody has taken that away."""
        own = self._own
        if own is None or not own.is_in_place():
            made = self._create()
            if own is not None:
                try:
                    own.copy_into(made)
                except OSError:
                    made.remove()
                    raise
                own.release()
            self._own = made
            return made
        return own

    def _create(self) -> Segment:
        """Make a file that nobody sees before it is locked."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
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


def _sync(folder: Path) -> None:
    """Have the file's name on the disk as well."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
