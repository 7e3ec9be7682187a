"""A database file of the embedded backend, and a way to look into it behind the store's back."""

import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from aura_analytics.store.sqlite import SqliteStore, migrate


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Where the database lies; it isn't made yet."""
    return tmp_path / "aura.db"


@pytest.fixture
def url(file: Path) -> str:
    return f"sqlite:///{file}"


@pytest.fixture
def raw(file: Path) -> Iterator[Callable[[], sqlite3.Connection]]:
    """Opens plain connections to the file."""
    connections: list[sqlite3.Connection] = []

    def connect() -> sqlite3.Connection:
        connection = sqlite3.connect(file, isolation_level=None, check_same_thread=False)
        connections.append(connection)
        return connection

    yield connect
    for connection in connections:
        connection.close()


@pytest.fixture
async def store(url: str) -> AsyncIterator[SqliteStore]:
    """An open store on a fresh database."""
    migrate(url)
    made = SqliteStore(url)
    await made.open()
    yield made
    await made.close()
