"""The status of migrations: what was applied and when, what waits, and nothing changed by looking."""

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from aura_analytics.errors import StoreUnavailable
from aura_analytics.settings import Settings
from aura_analytics.store import MigrationState, migrate, migration_status

Raw = Callable[[], sqlite3.Connection]


def status(url: str) -> list[MigrationState]:
    return migration_status(Settings(aura_database_url=url))


@pytest.fixture
def migrated(url: str) -> str:
    migrate(Settings(aura_database_url=url))
    return url


def test_without_a_file_all_wait_and_none_is_made(tmp_path: Path) -> None:
    found = status(f"sqlite:///{tmp_path}/no/such/folder/aura.db")
    assert [one.version for one in found] == sorted({one.version for one in found})
    assert {one.applied_at for one in found} == {None}
    assert found[0].name == "voice_queries"
    assert list(tmp_path.iterdir()) == []


def test_what_was_applied_has_its_moment(migrated: str) -> None:
    found = status(migrated)
    assert all(one.applied_at is not None and one.applied_at > 1e12 for one in found)


def test_what_waits_is_told_and_not_applied(migrated: str, raw: Raw) -> None:
    raw().execute("DELETE FROM migration_metadata WHERE version = 8")
    assert [one.version for one in status(migrated) if one.applied_at is None] == [8]
    assert [one.version for one in status(migrated) if one.applied_at is None] == [8]


def test_what_a_later_version_has_applied_is_told(migrated: str, raw: Raw) -> None:
    raw().execute("INSERT INTO migration_metadata (version, applied_at) VALUES (99, 5)")
    assert status(migrated)[-1] == MigrationState(version=99, name="not of this version", applied_at=5)


def test_a_moment_that_is_none_is_the_beginning_of_time(migrated: str, raw: Raw) -> None:
    raw().execute("UPDATE migration_metadata SET applied_at = 'yesterday' WHERE version = 1")
    assert status(migrated)[0].applied_at == 0


def test_a_database_without_any_has_seen_none(file: Path, url: str, raw: Raw) -> None:
    raw().execute("CREATE TABLE mine (id)")
    before = file.read_bytes()
    assert {one.applied_at for one in status(url)} == {None}
    assert file.read_bytes() == before


def test_a_file_that_is_no_database_can_not_be_used(file: Path, url: str) -> None:
    file.write_bytes(b"this is no database\n" * 500)
    with pytest.raises(StoreUnavailable):
        status(url)
