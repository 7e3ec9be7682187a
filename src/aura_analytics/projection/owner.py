"""Whose the columns are: their file belongs to one process, and this note beside it says where that one answers."""

import contextlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from aura_analytics.errors import SettingsError


class Owner(msgspec.Struct, frozen=True):
    """The server that follows into a file: its process, and its address."""

    pid: int
    url: str


def _note(columns: Path) -> Path:
    return columns.with_name(columns.name + ".owner")


@contextmanager
def announced(columns: Path, url: str) -> Iterator[None]:
    """Leave a note of this process beside the columns while the block runs."""
    note = _note(columns)
    try:
        note.write_bytes(msgspec.json.encode(Owner(os.getpid(), url)))
    except OSError as error:
        raise SettingsError(f"{note.name} can't be written: {error.strerror}") from error
    try:
        yield
    finally:
        note.unlink(missing_ok=True)


def owner_of(columns: Path) -> Owner | None:
    """Read who owns the columns; None where nobody does, or the note was left by a process that is gone."""
    try:
        owner = msgspec.json.decode(_note(columns).read_bytes(), type=Owner)
        os.kill(owner.pid, 0)
    except (FileNotFoundError, NotADirectoryError, ProcessLookupError, OverflowError, msgspec.MsgspecError):
        return None
    except PermissionError:  # somebody else's process, but a living one
        with contextlib.suppress(OSError):
            return msgspec.json.decode(_note(columns).read_bytes(), type=Owner)
        return None
    return owner
