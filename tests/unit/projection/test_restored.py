"""A database that is exchanged under a running service: no wrong number, and nothing acknowledged into the void."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from aura_analytics.errors import ProjectionOwned, SettingsError, StoreUnavailable
from contract.making import query
from unit.projection.running import Projections, Stores, assert_equal


def copy(source: Path, target: Path) -> None:
    """Copy a database into another as `.backup` and `.restore` do, whoever has it open."""
    with closing(sqlite3.connect(source)) as read, closing(sqlite3.connect(target)) as written:
        read.backup(written)


async def test_a_database_that_is_restored_under_the_columns_is_read_anew(
    tmp_path: Path, stores: Stores, projections: Projections
) -> None:
    store = await stores.open(tmp_path / "aura.db")
    await store.append([query(f"before-{n}") for n in range(10)])
    projection = await projections.built(store, tmp_path / "columns.duckdb")
    copy(tmp_path / "aura.db", tmp_path / "backup.db")
    await store.append([query(f"lost-{n}") for n in range(30)])
    assert await assert_equal(store, projection) == 40

    copy(tmp_path / "backup.db", tmp_path / "aura.db")

    assert await assert_equal(store, projection) == 10
    await store.append([query(f"after-{n}") for n in range(35)])
    assert await assert_equal(store, projection) == 45


async def test_nothing_is_acknowledged_into_a_file_that_was_removed(tmp_path: Path, stores: Stores) -> None:
    store = await stores.open(tmp_path / "aura.db")
    await store.append([query("a")])
    (tmp_path / "aura.db").unlink()
    with pytest.raises(StoreUnavailable, match="removed or replaced"):
        await store.append([query("b")])
    with pytest.raises(StoreUnavailable):
        await store.ping()


async def test_a_row_database_is_never_taken_for_columns(
    tmp_path: Path, stores: Stores, projections: Projections
) -> None:
    store = await stores.open(tmp_path / "aura.db")
    await store.append([query("a")])
    with pytest.raises(ProjectionOwned, match="row database"):
        await projections.start(store, tmp_path / "aura.db")
    assert await store.count() == 1


async def test_where_no_file_can_be_the_start_says_so(tmp_path: Path, stores: Stores, projections: Projections) -> None:
    store = await stores.open(tmp_path / "aura.db")
    with pytest.raises(SettingsError, match="can't be made"):
        await projections.start(store, tmp_path)
