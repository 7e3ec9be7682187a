"""Copies of a SQLite file, made while it is in use, and putting one back in its place.

A copy is one moment of the database: a reader's snapshot, which in WAL mode keeps no writer waiting. It tells of itself in
a table of its own (`backup_note`), so that whoever puts it back can count again.
"""

import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import msgspec

from aura_analytics.errors import LoadError, MigrationError, StoreUnavailable
from aura_analytics.store.migrations import available
from aura_analytics.store.queries import load
from aura_analytics.store.sqlite.connection import BUSY_TIMEOUT_S, connect, translated
from aura_analytics.store.sqlite.migrations import DIRECTORY, migrate

SQL = load("backup", "sqlite")

# Pages that are copied between two looks at the bar: 4 MiB.
STEP_PAGES = 1_024
BUSY_PAUSE_S = 0.05
LOGS = ("-wal", "-shm", "-journal")

Advance = Callable[[float], None]
Counts = dict[str, int]


class Copied(msgspec.Struct, frozen=True, kw_only=True):
    """What a copy holds: rows by table, the last migration that it has seen, and when it was made (epoch ms), if it says."""

    tables: Counts
    version: int
    made_at: int | None = None


def back_up(source: Path, target: Path, *, now: int, advance: Advance = lambda _: None) -> Copied:
    """Copy a database that may be in use into a new file, and look at what came of it.

    Args:
        source: the database.
        target: where nothing is yet.
        now: epoch milliseconds.
        advance: is told which share is done.

    Raises:
        LoadError: the copy isn't what was copied.
        StoreUnavailable: one of the two can't be used.
    """
    if not source.is_file():
        raise StoreUnavailable("the database can't be used: there is no such file")
    with closing(connect(source, read_only=True)) as reader, translated():
        reader.execute("BEGIN")  # all that follows is of this moment
        before = Copied(tables=_counts(reader), version=_version(reader), made_at=now)
        _copy(reader, target, advance)
    _note(target, before)
    found = look(target)
    if found != before:
        raise LoadError("the copy doesn't hold what the database held")
    return found


def look(path: Path) -> Copied:
    """Look at a copy: whether it is whole, and what it holds.

    Raises:
        LoadError: it isn't whole, is no database of this product, or doesn't hold what it says of itself.
        MigrationError: it is of a later version.
    """
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, isolation_level=None)) as copy:
            copy.execute("PRAGMA trusted_schema = OFF")
            wrong = [str(words) for (words,) in copy.execute(SQL["integrity"])]
            if wrong != ["ok"]:
                raise LoadError(f"{path.name} is damaged: {wrong[0]}")
            version = _version(copy)
            _refuse_later(path, version)
            found = Copied(tables=_counts(copy), version=version)
            noted = _noted(copy)
    except (sqlite3.Error, msgspec.MsgspecError) as error:
        raise LoadError(f"{path.name} can't be read as a database: {error}") from error
    if noted is None:
        return found
    if (noted.tables, noted.version) != (found.tables, found.version):
        raise LoadError(f"{path.name} doesn't hold what it held when it was made")
    return noted


def prepare(copy: Path) -> Copied:
    """Bring a copy that is to be put back to this version's shape; what it says of itself goes. Give what it held."""
    held = look(copy)
    with translated(), closing(sqlite3.connect(copy, isolation_level=None)) as connection:
        connection.execute(SQL["forget_note"])
    migrate(f"sqlite:///{copy}")
    with closing(connect(copy)) as connection:
        _alone(connection)
    return held


def put_back(copy: Path, place: Path, kept: Path) -> list[Path]:
    """Put a prepared copy in a database's place; what was there stays under another name. Tell under which.

    Logs may lie there without a database, or beside one that can't be opened: SQLite would play them into the copy.

    Raises:
        LoadError: somebody has the database open.
    """
    if not place.exists():
        left = _logs_aside(place, kept)
        _put(copy, place)
        return left
    with _held(place):
        kept.hardlink_to(place)
        left = _logs_aside(place, kept)
        _put(copy, place)
    return [kept, *left]


def _logs_aside(place: Path, kept: Path) -> list[Path]:
    """Take the logs away from a database's place, for good: a power cut doesn't bring them back. Tell what they are now."""
    moved = []
    for log in LOGS:
        left = place.with_name(place.name + log)
        if left.exists():
            moved.append(left.replace(kept.with_name(kept.name + log)))
    _flush(place.parent)
    return moved


def _put(copy: Path, place: Path) -> None:
    _flush(copy)
    copy.replace(place)
    _flush(place.parent)


def copy_over(source: Path, target: Path, advance: Advance = lambda _: None) -> None:
    """Copy a file that others may have open, as it is at one moment."""
    try:
        with closing(sqlite3.connect(f"{source.resolve().as_uri()}?mode=ro", uri=True, isolation_level=None)) as reader:
            reader.execute("BEGIN")
            _copy(reader, target, advance)
    except sqlite3.Error as error:
        raise LoadError(f"{source.name} can't be read as a database: {error}") from error


def _copy(reader: sqlite3.Connection, target: Path, advance: Advance) -> None:
    with closing(sqlite3.connect(target, isolation_level=None)) as writer:
        writer.execute("PRAGMA synchronous = OFF")  # the whole file is flushed at its end

        def tell(_: int, remaining: int, total: int) -> None:
            advance(1 - remaining / max(1, total))

        reader.backup(writer, pages=STEP_PAGES, progress=tell)
        _alone(writer)
    _flush(target)


def _alone(connection: sqlite3.Connection) -> None:
    """Let a database be one file, without a log beside it."""
    connection.execute("PRAGMA journal_mode = DELETE")


def _note(target: Path, copied: Copied) -> None:
    with translated(), closing(sqlite3.connect(target, isolation_level=None)) as connection:
        connection.execute(SQL["make_note"])
        connection.execute(SQL["note"], {"note": msgspec.json.encode(copied).decode()})


def _noted(copy: sqlite3.Connection) -> Copied | None:
    if not copy.execute(SQL["has_note"]).fetchone():
        return None
    (text,) = copy.execute(SQL["noted"]).fetchone()
    return msgspec.json.decode(text, type=Copied)


def _counts(connection: sqlite3.Connection) -> Counts:
    """Count the rows of each table, and those that belong to no query: such may be there, and are to be as many."""
    names = [name for (name,) in connection.execute(SQL["tables"])]
    counted = {name: _count(connection, name) for name in names}
    if {"voice_queries", "voice_outcomes"} <= counted.keys():
        [(counted["outcomes without a query"],)] = connection.execute(SQL["strays"]).fetchall()
    return counted


def _count(connection: sqlite3.Connection, table: str) -> int:
    name = table.replace('"', '""')
    [(count,)] = connection.execute(SQL["count"].replace("{table}", f'"{name}"')).fetchall()
    return int(count)


def _version(connection: sqlite3.Connection) -> int:
    """Give the last migration that a database has seen."""
    try:
        (version,) = connection.execute(SQL["version"]).fetchone()
    except sqlite3.OperationalError as error:
        raise LoadError("it is no database of Aura Analytics: it records no migrations") from error
    return version if isinstance(version, int) else 0


def _refuse_later(path: Path, version: int) -> None:
    known = max(migration.version for migration in available(DIRECTORY))
    if version > known:
        raise MigrationError(
            f"{path.name} is of a later version: its last migration is {version:03}, and this version knows {known:03}"
        )


@contextmanager
def _held(place: Path) -> Iterator[None]:
    """Have a database for oneself: nobody has it open, and nobody can begin anything in it meanwhile.

    SQLite leaves WAL mode only for whoever is alone with the file. One that is too broken to be opened is nobody's.
    """
    with closing(sqlite3.connect(place, timeout=0, isolation_level=None)) as connection:
        deadline = time.monotonic() + BUSY_TIMEOUT_S
        while True:
            try:
                connection.execute("PRAGMA journal_mode = DELETE").fetchone()
                connection.execute("BEGIN EXCLUSIVE")
            except sqlite3.DatabaseError as error:
                if (getattr(error, "sqlite_errorcode", 0) & 0xFF) not in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
                    break
                if time.monotonic() >= deadline:
                    raise LoadError(f"{place.name} is in use: stop what has it open first, then try again") from error
                time.sleep(BUSY_PAUSE_S)
            else:
                break
        yield


def _flush(path: Path) -> None:
    """Let what was written survive a power cut."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
