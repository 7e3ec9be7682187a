"""Slots: every process that follows one server's database on this machine has a file of its own."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from aura_analytics.errors import ProjectionOwned, SettingsError
from aura_analytics.projection import column_files, own_slot, slots
from aura_analytics.settings import Settings

ON_A_SERVER = Settings(aura_database_url="postgresql://aura:secret@db/aura")
IN_A_FILE = Settings(aura_database_url="sqlite:///data/aura.db")

HOLDER = """
import sys
from aura_analytics.projection import own_slot
from aura_analytics.settings import Settings
with own_slot(Settings(aura_database_url=sys.argv[1])) as path:
    print(path, flush=True)
    sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@contextmanager
def another_process() -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """A process that has a slot, and the slot's file."""
    arguments = [sys.executable, "-c", HOLDER, ON_A_SERVER.aura_database_url]
    with subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        yield process, Path(process.stdout.readline().strip())
        process.kill()


def test_the_first_that_nobody_has_is_taken() -> None:
    files = column_files(ON_A_SERVER)
    with own_slot(ON_A_SERVER) as first, own_slot(ON_A_SERVER) as second:
        assert [first, second] == files[:2]
    with own_slot(ON_A_SERVER) as again:
        assert again == files[0]


def test_a_slot_that_is_given_back_is_taken_before_a_later_one() -> None:
    with ExitStack() as stack:
        with own_slot(ON_A_SERVER):
            second = stack.enter_context(own_slot(ON_A_SERVER))
        with own_slot(ON_A_SERVER) as first:
            assert [first, second] == column_files(ON_A_SERVER)[:2]


def test_processes_that_start_together_take_one_each() -> None:
    with ExitStack() as stack:
        taken = {stack.enter_context(another_process())[1] for _ in range(4)}
    assert taken == set(column_files(ON_A_SERVER)[:4])


def test_a_process_that_is_killed_leaves_its_slot() -> None:
    with another_process() as (process, path):
        with own_slot(ON_A_SERVER) as ours:
            assert ours != path
        process.kill()
        process.wait()
        with own_slot(ON_A_SERVER) as ours:
            assert ours == path


def test_no_two_databases_share_a_slot() -> None:
    other = Settings(aura_database_url="postgresql://aura:secret@db/other")
    with own_slot(ON_A_SERVER) as ours, own_slot(other) as theirs:
        assert ours != theirs


def test_a_database_that_is_a_file_has_one_file_and_no_slots(tmp_path: Path) -> None:
    with own_slot(IN_A_FILE) as first, own_slot(IN_A_FILE) as second:
        assert first == second == Path("data/aura.db.columns.duckdb")
    assert column_files(IN_A_FILE) == [first]
    assert list(tmp_path.iterdir()) == []


def test_a_path_that_is_set_is_the_only_one() -> None:
    settings = Settings(aura_database_url="postgresql://db/aura", aura_columns_path="c.duckdb")
    with own_slot(settings) as path:
        assert path == Path("c.duckdb")
    assert column_files(settings) == [path]


def test_there_is_an_end_of_slots(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slots, "MOST_SLOTS", 1)
    with (
        own_slot(ON_A_SERVER),
        pytest.raises(ProjectionOwned, match="1 processes on this machine"),
        own_slot(ON_A_SERVER),
    ):
        pass


def test_a_folder_that_can_not_be_made_is_told_without_its_path(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file")
    with pytest.raises(SettingsError, match="the columns' file can't be made: File exists"), own_slot(ON_A_SERVER):
        pass
