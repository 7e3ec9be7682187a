"""Where an export is written: a file appears once it is whole, and what is no file stays what it is."""

import os
import stat
import threading
from pathlib import Path

import pytest

from aura_analytics.errors import LoadError
from aura_analytics.terminal.export import opened


def test_a_file_appears_under_its_name_only_once_it_is_whole(tmp_path: Path) -> None:
    target = tmp_path / "examples.ndjson"
    target.write_bytes(b"old")
    with opened(target) as file:
        file.write(b"new")
        file.flush()
        assert target.read_bytes() == b"old"
    assert target.read_bytes() == b"new"
    assert [path.name for path in tmp_path.iterdir()] == ["examples.ndjson"]


def test_an_export_that_breaks_off_leaves_what_was_there(tmp_path: Path) -> None:
    target = tmp_path / "examples.ndjson"
    target.write_bytes(b"old")
    with pytest.raises(RuntimeError):
        _break_off(target)
    assert target.read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["examples.ndjson"]


def _break_off(target: Path) -> None:
    with opened(target) as file:
        file.write(b"half")
        raise RuntimeError


def test_a_pipe_is_written_and_stays_a_pipe(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    read: list[bytes] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_bytes()))
    reader.start()
    with opened(pipe) as file:
        file.write(b"example")
    reader.join(10)
    assert read == [b"example"]
    assert stat.S_ISFIFO(pipe.stat().st_mode)


@pytest.mark.parametrize("place", ["", "missing/examples.ndjson"])
def test_where_no_file_can_be_the_error_is_ours(tmp_path: Path, place: str) -> None:
    with pytest.raises(LoadError, match="can't be written"), opened(tmp_path / place):
        pass
