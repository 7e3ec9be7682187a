"""Which file of columns a process gets.

Where the row database is a file, there is one file of columns, and DuckDB's lock on it says whose it is. Where it is a
server's, every process on this machine takes the first file that nobody has: a lock beside the file is held for as long
as the process lives, and goes with it, however it ends.
"""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from aura_analytics.errors import ProjectionOwned, SettingsError
from aura_analytics.settings import Settings
from aura_analytics.store import columns_path, has_slots

MOST_SLOTS = 64


def column_files(settings: Settings) -> list[Path]:
    """List the files that columns of this database may lie in on this machine."""
    return [columns_path(settings, slot) for slot in range(MOST_SLOTS if has_slots(settings) else 1)]


@contextmanager
def own_slot(settings: Settings) -> Iterator[Path]:
    """Have a file of columns until the end of the block.

    Raises:
        ProjectionOwned: all of them are taken.
        SettingsError: there can be no file at its path.
    """
    if not has_slots(settings):
        yield columns_path(settings)
        return
    for path in column_files(settings):
        lock = _locked(path)
        if lock is not None:
            with lock:
                yield path
            return
    raise ProjectionOwned(f"{MOST_SLOTS} processes on this machine keep columns of this database already")


def _locked(columns: Path) -> BinaryIO | None:
    """Take the lock beside a file; None where somebody has it. It is never removed: two could have one each then."""
    try:
        columns.parent.mkdir(parents=True, exist_ok=True)
        lock = columns.with_name(columns.name + ".slot").open("ab")
    except OSError as error:
        raise SettingsError(f"the columns' file can't be made: {error.strerror}") from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        return None
    return lock
