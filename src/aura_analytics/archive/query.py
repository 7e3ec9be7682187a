"""Asking the archive in SQL: which files are read, for how long, and what comes of it."""

import errno
import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import msgspec

from aura_analytics.archive.files import Files
from aura_analytics.archive.message import ENGINE, End, Head, Message, Part, Question, received
from aura_analytics.errors import ArchiveError, ParameterError

FOLDER = "query-"
FETCHED_AT_ONCE = 8
# A link can't be made across disks, nor on every kind of them.
UNLINKABLE = frozenset({errno.EXDEV, errno.EPERM, errno.EACCES, errno.ENOTSUP, errno.EMLINK, errno.ENOSYS})
# Between looking for a copy and linking it, another process may have made room.
TRIES = 3


class Counted(msgspec.Struct, frozen=True):
    """A file that counts. `in_force`: the ids in it that do, where not all of them do any more; `format`: its columns."""

    name: str
    in_force: Iterable[str] | None = None
    format: int = 1


class Shelf(msgspec.Struct, frozen=True, kw_only=True):
    """An archive, as questions see it.

    `counted`: tells which files count, and what of them; it is asked once a question. `columns`: what an archive without
    a file has, as DuckDB calls its types.
    """

    files: Files
    counted: Callable[[], Iterable[Counted]]
    columns: Mapping[str, str]


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What a question may take."""

    seconds: float = 60
    memory_mb: int = 512
    spill_mb: int = 10_240
    threads: int = 2


class Answer(msgspec.Struct, frozen=True):
    """What came of a question. The rows come as they are found; Any: what JSON can hold."""

    columns: list[str]
    rows: Iterator[list[Any]]


@contextmanager
def asked(sql: str, shelf: Shelf, scratch: Path, limits: Limits | None = None) -> Iterator[Answer]:
    """Ask one SELECT about the table `interactions`: what all files hold together, without what counts no longer.

    Args:
        sql: the statement.
        shelf: what is asked about.
        scratch: a folder of this machine for what is needed meanwhile; best on the disk of the files, or of their copies.
        limits: what it may take.

    Raises:
        ParameterError: it is no such statement, or it can't be answered as it stands.
        ArchiveError: the files can't be read, or it takes more than it may.
    """
    limits = limits or Limits()
    with _folder(scratch) as folder:
        shelf.files.names()  # what was removed elsewhere, also for a person's sake, goes from this machine now
        at_hand = _laid_ready(shelf, folder)
        question = Question(
            sql=sql,
            files=list(at_hand),
            in_force={place: list(one.in_force) for place, one in at_hand.items() if one.in_force is not None},
            columns=dict(shelf.columns),
            alike=len({one.format for one in at_hand.values()}) == 1,
            spill=str(folder / "spill"),
            memory_mb=limits.memory_mb,
            spill_mb=limits.spill_mb,
            threads=limits.threads,
        )
        with _running(question, limits) as messages:
            head = next(messages)
            assert isinstance(head, Head)  # noqa: S101 (an end is raised)
            yield Answer(head.columns, _rows(messages))


def _rows(messages: Iterator[Head | Part]) -> Iterator[list[Any]]:
    for message in messages:
        if isinstance(message, Part):
            yield from message.rows


@contextmanager
def _running(question: Question, limits: Limits) -> Iterator[Iterator[Head | Part]]:
    """Have a process answer, for as long as the block lasts and no longer than it may."""
    late = threading.Event()
    process = subprocess.Popen(  # noqa: S603 (our own interpreter and module)
        [sys.executable, "-m", ENGINE],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )

    def end() -> None:
        late.set()
        process.kill()

    timer = threading.Timer(limits.seconds, end)
    timer.start()
    try:
        yield _messages(process, question, limits, late)
    finally:
        timer.cancel()
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with suppress(BrokenPipeError):
                    pipe.close()


def _messages(
    process: subprocess.Popen[bytes], question: Question, limits: Limits, late: threading.Event
) -> Iterator[Head | Part]:
    assert process.stdin is not None  # noqa: S101 (they are pipes)
    assert process.stdout is not None  # noqa: S101
    with suppress(BrokenPipeError):
        process.stdin.write(msgspec.json.encode(question) + b"\n")
        process.stdin.flush()
    if (yield from _heard(received(process.stdout))):
        return
    if late.is_set():
        raise ArchiveError(f"the question took longer than {limits.seconds:g} s")
    raise ArchiveError("the question can't be answered: its process has ended")


def _heard(messages: Iterator[Message]) -> Generator[Head | Part, None, bool]:
    """Give what is answered, and tell whether it came to its end; raise where the end says that it is no answer."""
    for message in messages:
        if not isinstance(message, End):
            yield message
        elif message.reason is None:
            return True
        elif message.reason == "refused":
            raise ParameterError(message.message)
        else:
            raise ArchiveError(message.message)
    return False


def _laid_ready(shelf: Shelf, folder: Path) -> dict[str, Counted]:
    """Give the files that count, by where they are at hand. Others may take the place of some meanwhile."""
    counted = list(shelf.counted())
    while True:
        try:
            with ThreadPoolExecutor(FETCHED_AT_ONCE) as threads:
                places = list(threads.map(lambda one: str(_at_hand(shelf.files, one.name, folder)), counted))
        except ArchiveError:
            before, counted = counted, list(shelf.counted())
            if [one.name for one in before] == [one.name for one in counted]:
                raise
        else:
            return dict(zip(places, counted, strict=True))


def _at_hand(files: Files, name: str, folder: Path) -> Path:
    """Give a file under its name. A copy that has another one gets it in a folder of ours, where nobody takes it away."""
    place = folder / name
    if place.exists():
        return place
    for left in reversed(range(TRIES)):
        path = files.local(name)
        if path.as_posix().endswith(f"/{name}"):
            return path
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            place.hardlink_to(path)
        except FileNotFoundError:
            if not left:
                raise ArchiveError("a file of the archive goes again and again while it is looked for") from None
        except OSError as error:
            if error.errno not in UNLINKABLE:
                raise ArchiveError(f"a file of the archive can't be laid ready: {error.strerror}") from error
            return _copied(path, place)
        else:
            return place
    raise AssertionError


def _copied(path: Path, place: Path) -> Path:
    try:
        shutil.copyfile(path, place)
    except OSError as error:
        raise ArchiveError(f"a file of the archive can't be laid ready: {error.strerror}") from error
    return place


@contextmanager
def _folder(scratch: Path) -> Iterator[Path]:
    """Have a folder for the time of the block. It is locked, so that one that was left behind can be told from it."""
    try:
        scratch.mkdir(parents=True, exist_ok=True)
        sweep(scratch)
        folder = Path(tempfile.mkdtemp(prefix=FOLDER, dir=scratch)).resolve()
        lock = os.open(folder, os.O_RDONLY)
    except OSError as error:
        raise ArchiveError(f"there is no room for questions: {error.strerror}") from error
    try:
        fcntl.flock(lock, fcntl.LOCK_SH)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


def sweep(scratch: Path) -> None:
    """Remove what questions left behind whose process was killed."""
    for folder in scratch.glob(f"{FOLDER}*"):
        with suppress(OSError):
            lock = os.open(folder, os.O_RDONLY)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder, ignore_errors=True)
            finally:
                os.close(lock)
