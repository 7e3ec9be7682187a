"""Connections to one SQLite file, and what its errors mean."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from aura_analytics.errors import SettingsError, StoreUnavailable

SCHEME = "sqlite:///"
BUSY_TIMEOUT_S = 5.0
# WAL frames pile up to 16 MiB before a commit also has to write them home; 4 KiB pages.
AUTOCHECKPOINT_PAGES = 2_000


def path_of(url: str) -> Path:
    """Give the file that a `sqlite:///` URL names: relative to the working directory, absolute with a fourth slash."""
    if not url.startswith(SCHEME) or url == SCHEME:
        raise SettingsError(f"AURA_DATABASE_URL is “{url}”; it takes sqlite:///PATH")
    return Path(url.removeprefix(SCHEME)).expanduser()


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
                connection.execute("PRAGMA journal_mode = WAL")
                connection.execute("PRAGMA synchronous = FULL")
                connection.execute(f"PRAGMA wal_autocheckpoint = {AUTOCHECKPOINT_PAGES}")
            else:
                connection.execute("PRAGMA query_only = ON")
            connection.execute("PRAGMA foreign_keys = OFF")  # an outcome may come before its query
            connection.execute("PRAGMA temp_store = MEMORY")
            connection.execute("PRAGMA cache_size = -32768")  # 32 MiB
            connection.execute("PRAGMA mmap_size = 268435456")
        except sqlite3.Error:
            connection.close()
            raise
    return connection


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
        raise StoreUnavailable(f"the database can't be used: {error}") from error
