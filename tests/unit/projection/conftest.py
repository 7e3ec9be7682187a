"""A store, the file of its columns, and what starts and counts."""

import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest

from aura_analytics.store import Store
from unit.projection.running import Projections, RawSql, Rebuilds, Stores


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """The row database's file."""
    return tmp_path / "aura.db"


@pytest.fixture
def columns(tmp_path: Path) -> Path:
    """The columns' file; it isn't made yet."""
    return tmp_path / "aura.columns.duckdb"


@pytest.fixture
async def stores() -> AsyncIterator[Stores]:
    made = Stores()
    yield made
    await made.close_all()


@pytest.fixture
async def store(stores: Stores, file: Path) -> Store:
    return await stores.open(file)


@pytest.fixture
async def projections(stores: Stores) -> AsyncIterator[Projections]:  # noqa: ARG001 (the stores are closed after them)
    made = Projections()
    yield made
    await made.stop_all()


@pytest.fixture
def rebuilds(monkeypatch: pytest.MonkeyPatch, store: Store) -> Rebuilds:
    """The rebuilds from `store` from now on."""
    return Rebuilds(store, monkeypatch)


@pytest.fixture
def raw(file: Path) -> RawSql:
    """Changes the row database behind the feed's back."""

    def execute(sql: str) -> None:
        with closing(sqlite3.connect(file, isolation_level=None)) as connection:
            connection.execute(sql)

    return execute
