"""The row databases that services run on, as somebody sees them who isn't the service."""

import sqlite3
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path
from typing import Any, Protocol

import psycopg

PATIENCE_S = 30.0
BACKENDS = ("sqlite", "postgres")

# Any, throughout: what a cell of a database can be.
Row = tuple[Any, ...]


class Connection(Protocol):
    """A way into a database. Each statement is its own transaction; a question mark stands for a value."""

    def execute(self, sql: str, values: Sequence[Any] = (), /) -> Any:
        """Run a statement; give its cursor."""


class Database(ABC):
    """A row database."""

    url: str

    @abstractmethod
    def opened(self) -> AbstractContextManager[Connection]:
        """Go in from outside, beside whoever else is in."""

    @abstractmethod
    def _lock(self, connection: Connection) -> None:
        """Begin a transaction that lets everybody read, and nobody write."""

    @contextmanager
    def locked(self) -> Iterator[Callable[[], None]]:
        """Let every change wait until the block ends, or until it calls what it is given."""
        with self.opened() as connection:
            self._lock(connection)
            yield lambda: connection.execute("ROLLBACK")


class SqliteFile(Database):
    """A file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.url = f"sqlite:///{path}"

    @contextmanager
    def opened(self) -> Iterator[Connection]:
        """Open the file once more."""
        with closing(sqlite3.connect(self.path, isolation_level=None, timeout=PATIENCE_S)) as connection:
            yield connection

    def _lock(self, connection: Connection) -> None:
        connection.execute("BEGIN IMMEDIATE")


class PostgresDatabase(Database):
    """A database of a server."""

    def __init__(self, url: str) -> None:
        self.url = url

    @contextmanager
    def opened(self) -> Iterator[Connection]:
        """Connect once more."""
        with closing(psycopg.connect(self.url, autocommit=True)) as connection:
            yield _Questioned(connection)

    def _lock(self, connection: Connection) -> None:
        connection.execute("BEGIN")
        connection.execute("LOCK TABLE voice_queries IN EXCLUSIVE MODE")


class _Questioned:
    """A connection that takes question marks."""

    def __init__(self, connection: psycopg.Connection[Row]) -> None:
        self._connection = connection

    def execute(self, sql: str, values: Sequence[Any] = (), /) -> psycopg.Cursor[Row]:
        return self._connection.execute(sql.replace("%", "%%").replace("?", "%s").encode(), values)
