"""The note beside the columns: there while its process serves, and believed only while that one lives."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from aura_analytics.projection import Owner, announced, owner_of

URL = "http://127.0.0.1:1234"


def note_of(columns: Path) -> Path:
    return columns.with_name(columns.name + ".owner")


def test_without_a_note_nobody_owns_the_columns(columns: Path) -> None:
    assert owner_of(columns) is None


def test_the_owner_is_known_while_it_serves_and_not_after(columns: Path) -> None:
    with announced(columns, URL):
        assert owner_of(columns) == Owner(os.getpid(), URL)
    assert owner_of(columns) is None
    assert not note_of(columns).exists()


def test_the_note_goes_when_serving_fails(columns: Path) -> None:
    with pytest.raises(RuntimeError, match="broken"), announced(columns, URL):
        raise RuntimeError("broken")
    assert owner_of(columns) is None


def test_the_note_that_is_gone_already_harms_nobody(columns: Path) -> None:
    with announced(columns, URL):
        note_of(columns).unlink()


def test_a_note_is_of_its_own_file_only(columns: Path, tmp_path: Path) -> None:
    with announced(columns, URL):
        assert owner_of(tmp_path / "other.duckdb") is None


def test_another_process_is_known_by_its_note(columns: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        note_of(columns).write_text(f'{{"pid": {process.pid}, "url": "{URL}"}}')
        assert owner_of(columns) == Owner(process.pid, URL)
        assert process.stdin
        process.stdin.close()
    assert owner_of(columns) is None  # killed or gone, it can't take its note along


@pytest.mark.parametrize(
    "content",
    ["", "{", "[]", '"text"', '{"pid": 1}', '{"pid": "x", "url": "y"}', '{"pid": 99999999999999, "url": "y"}', "\xff"],
)
def test_a_note_that_cannot_be_read_is_none(columns: Path, content: str) -> None:
    note_of(columns).write_bytes(content.encode("latin-1"))
    assert owner_of(columns) is None


def test_a_new_server_writes_over_the_note_of_a_dead_one(columns: Path) -> None:
    note_of(columns).write_text("what a dead one left")
    with announced(columns, URL):
        assert owner_of(columns) == Owner(os.getpid(), URL)
