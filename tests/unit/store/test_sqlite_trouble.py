"""What is wrong with a SQLite file that can't be used, in a word."""

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from aura_analytics.errors import StoreUnavailable, Trouble
from aura_analytics.store.sqlite import SqliteStore, connection
from aura_analytics.store.sqlite.connection import connect, translated
from contract.making import query

Raw = Callable[[], sqlite3.Connection]


def trouble_of(work: Callable[[], object]) -> Trouble:
    with pytest.raises(StoreUnavailable) as error, translated():
        work()
    return error.value.trouble


def test_a_disk_without_room_is_full(file: Path) -> None:
    opened = connect(file)
    opened.execute("CREATE TABLE t (x)")
    opened.execute("PRAGMA max_page_count = 2")
    assert trouble_of(lambda: opened.execute("INSERT INTO t VALUES (zeroblob(100000))")) == "full"
    opened.close()


def test_a_database_that_takes_nothing_is_read_only(file: Path) -> None:
    connect(file).close()
    opened = connect(file, read_only=True)
    assert trouble_of(lambda: opened.execute("CREATE TABLE t (x)")) == "read-only"
    opened.close()


def test_one_that_somebody_else_has_locked_is_busy(file: Path, raw: Raw, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "BUSY_TIMEOUT_S", 0.01)
    opened = connect(file)
    raw().execute("BEGIN IMMEDIATE")
    assert trouble_of(lambda: opened.execute("BEGIN IMMEDIATE")) == "busy"
    opened.close()


def test_no_file_and_no_database_are_away(tmp_path: Path) -> None:
    (tmp_path / "rubbish.db").write_bytes(b"this is no database\n" * 500)
    assert trouble_of(lambda: connect(tmp_path)) == "away"
    assert trouble_of(lambda: connect(tmp_path / "rubbish.db")) == "away"


async def test_one_that_is_closed_is_stopping(store: SqliteStore) -> None:
    await store.close()
    for work in (store.feed_head(), store.append([query("a")])):
        with pytest.raises(StoreUnavailable) as error:
            await work
        assert error.value.trouble == "stopping"
