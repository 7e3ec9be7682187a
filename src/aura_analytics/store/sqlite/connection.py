"""Connections to one SQLite file, and what its errors mean."""

import sqlite3
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from aura_analytics.errors import SettingsError, StoreUnavailable, Trouble

SCHEME = "sqlite:///"
BUSY_TIMEOUT_S = 5.0
FETCH_ROWS = 64
# What is wrong, by SQLite's primary codes; whatever else there is, such as a broken file, is as good as no database.
TROUBLES: dict[int, Trouble] = {
    sqlite3.SQLITE_FULL: "full",
    sqlite3.SQLITE_READONLY: "read-only",
    sqlite3.SQLITE_PERM: "read-only",
    sqlite3.SQLITE_BUSY: "busy",
    sqlite3.SQLITE_LOCKED: "busy",
}
# WAL frames pile up to 16 MiB before a commit also has to write them home; 4 KiB pages.
AUTOCHECKPOINT_PAGES = 4_000


def path_of(url: str) -> Path:
    """Give the file that a `sqlite:///` URL names: relative to the working directory, absolute with a fourth slash."""
    if not url.startswith(SCHEME) or url == SCHEME:
        raise SettingsError(f"AURA_DATABASE_URL is “{url}”; it takes sqlite:///PATH")
    try:
        return Path(url.removeprefix(SCHEME)).expanduser()
    except RuntimeError as error:
        raise SettingsError(f"AURA_DATABASE_URL is “{url}”; its path names an unknown person's home") from error


def connect(path: Path, *, read_only: bool = False) -> sqlite3.Connection:
    """Open a connection that manages its own transactions; WAL, each commit flushed to the disk.

    Raises:
        StoreUnavailable: the file can't be opened, or is no database.
    """
    with translated():
        connection = sqlite3.connect(
            path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False, cached_statements=256
        )
        try:
            if not read_only:
                _write_ahead(connection)
                connection.execute("PRAGMA synchronous = FULL")
                connection.execute(f"PRAGMA wal_autocheckpoint = {AUTOCHECKPOINT_PAGES}")
            else:
                connection.execute("PRAGMA query_only = ON")
            connection.execute("PRAGMA foreign_keys = OFF")  # an outcome may come before its query
            connection.execute("PRAGMA temp_store = MEMORY")
            connection.execute("PRAGMA cache_size = -65536")  # 64 MiB
            # No memory-mapping: it measured no faster, and a file that is cut by somebody else would end the process.
            connection.execute("PRAGMA mmap_size = 0")
        except sqlite3.Error:
            connection.close()
            raise
    return connection


def _write_ahead(connection: sqlite3.Connection) -> None:
    """Switch to WAL. SQLite doesn't wait for another process that is just doing the same, so this does."""
    deadline = time.monotonic() + BUSY_TIMEOUT_S
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() >= deadline:
                raise
            time.sleep(0.01)
        else:
            return


@contextmanager
def one_moment(connection: sqlite3.Connection) -> Iterator[None]:
    """Let all that is read be of the same moment: what is moved meanwhile is in one of its two places."""
    connection.execute("BEGIN")
    try:
        yield
    finally:
        if connection.in_transaction:
            connection.execute("COMMIT")


def fetch(
    connection: sqlite3.Connection, sql: str, parameters: Mapping[str, object], *, most_text: int | None = None
) -> list[tuple[Any, ...]]:
    """Read rows; a text that is no UTF-8, which others may have written, costs its broken characters and not the row.

    Args:
        connection: one that reads.
        sql: a statement.
        parameters: its values by their names.
        most_text: stop once the rows hold this many characters; at least some rows are read.
    """
    try:
        return _rows(connection.execute(sql, parameters), most_text)
    except sqlite3.OperationalError as error:
        if "decode to UTF-8" not in str(error):
            raise
    connection.text_factory = lambda text: text.decode("utf-8", "replace")
    try:
        return _rows(connection.execute(sql, parameters), most_text)
    finally:
        connection.text_factory = str


def _rows(cursor: sqlite3.Cursor, most_text: int | None) -> list[tuple[Any, ...]]:
    if most_text is None:
        return cursor.fetchall()
    rows: list[tuple[Any, ...]] = []
    size = 0
    while size < most_text and (some := cursor.fetchmany(FETCH_ROWS)):
        rows += some
        size += sum(len(cell) for row in some for cell in row if isinstance(cell, str))
    cursor.close()
    return rows


@contextmanager
def translated() -> Iterator[None]:
    """Turn what SQLite raises into `StoreUnavailable`; its words name no path and no value.

    What only a mistake of ours could cause (a broken constraint, a misuse of the driver) stays as it is.
    """
    try:
        yield
    except (sqlite3.IntegrityError, sqlite3.DataError, sqlite3.ProgrammingError, sqlite3.InterfaceError):
        raise
    except sqlite3.Error as error:
        raise StoreUnavailable(f"the database can't be used: {error}", trouble=_trouble(error)) from error


def _trouble(error: sqlite3.Error) -> Trouble:
    """Say what is wrong by SQLite's own code; errors that only the driver raises have none."""
    code: int = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)
    return TROUBLES.get(code & 0xFF, "away")
