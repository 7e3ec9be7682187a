"""What lies on disk while the service is away: whole or not there, and nobody's but one's."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aura_analytics.client.segment import read_line, written
from aura_analytics.client.spool import Spool, SpoolFull
from aura_analytics.errors import ParameterError

# JSON on one line: any bytes but its end.
LINES = st.lists(st.binary(max_size=40).map(lambda line: line.replace(b"\n", b" ")), max_size=8)
MOST = 1 << 20


def events(data: bytes) -> list[bytes]:
    return [event for line in lines_of(data) if (event := read_line(line)) is not None]


def lines_of(data: bytes) -> list[bytes]:
    """Lines as a file has them: a carriage return ends none."""
    return [line + b"\n" for line in data.split(b"\n")[:-1]] + ([data.split(b"\n")[-1]] if data else [])


@given(LINES)
def test_what_is_written_is_read(lines: list[bytes]) -> None:
    assert events(written(lines)) == lines


@given(LINES, st.integers(min_value=0))
def test_a_file_that_is_cut_anywhere_gives_its_first_lines_whole(lines: list[bytes], cut: int) -> None:
    data = written(lines)
    data = data[: cut % (len(data) + 1)]
    found = events(data)
    assert found == lines[: len(found)]
    assert len(found) == data.count(b"\n")


@given(LINES, st.integers(min_value=0), st.binary(min_size=1, max_size=20))
def test_what_is_overwritten_is_passed_over_and_never_made_up(lines: list[bytes], at: int, noise: bytes) -> None:
    data = written(lines)
    start = at % (len(data) + 1)
    found = events(data[:start] + noise + data[start + len(noise) :])
    assert [line for line in found if line not in lines] == []
    # All lines before the noise are there.
    assert found[: data[:start].count(b"\n")] == lines[: data[:start].count(b"\n")]


def test_a_file_belongs_to_whoever_made_it_until_that_one_ends(tmp_path: Path) -> None:
    mine, other = Spool(tmp_path, max_bytes=MOST), Spool(tmp_path, max_bytes=MOST)
    mine.append([b"1", b"2"])
    assert other.claim() is None
    mine.close()
    segment = other.claim()
    assert segment is not None
    assert list(segment.events()) == [b"1", b"2"]
    assert Spool(tmp_path, max_bytes=MOST).claim() is None  # it is the other one's now
    segment.remove()
    assert list(tmp_path.iterdir()) == []


def test_of_two_that_want_a_file_one_has_it_and_what_comes_later_goes_into_another(tmp_path: Path) -> None:
    mine = Spool(tmp_path, max_bytes=MOST)
    mine.append([b"1"])
    first = mine.claim()
    assert first is not None
    mine.append([b"2"])
    assert list(first.events()) == [b"1"]
    assert len(list(tmp_path.iterdir())) == 2
    first.release()
    again = mine.claim()
    assert again is not None
    assert list(again.events()) == [b"1"]


def test_a_file_that_was_torn_is_read_up_to_there_and_written_to_no_more(tmp_path: Path) -> None:
    """A process writes, and is killed; half of a line stays behind."""
    program = (
        "import os, signal, sys; from pathlib import Path; from aura_analytics.client.spool import Spool\n"
        "spool = Spool(Path(sys.argv[1]), max_bytes=1 << 20); spool.append([b'1', b'2'])\n"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    subprocess.run([sys.executable, "-c", program, tmp_path], check=False)
    [path] = tmp_path.iterdir()
    path.write_bytes(path.read_bytes() + written([b"torn"])[:-3])
    spool = Spool(tmp_path, max_bytes=MOST)
    segment = spool.claim()
    assert segment is not None
    assert list(segment.events()) == [b"1", b"2"]


def test_it_is_bounded_over_all_processes(tmp_path: Path) -> None:
    one, two = Spool(tmp_path, max_bytes=100), Spool(tmp_path, max_bytes=100)
    one.append([b"x" * 60])
    with pytest.raises(SpoolFull, match="100 bytes"):
        two.append([b"x" * 60])
    two.append([b"x" * 10])


def test_a_disk_that_takes_only_a_part_keeps_nothing_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spool = Spool(tmp_path, max_bytes=MOST)
    spool.append([b"1"])
    write = os.write

    def full(descriptor: int, data: bytes) -> int:
        if len(data) < 20:
            raise OSError("no space")
        return write(descriptor, data[: len(data) // 2])

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(SpoolFull, match="no space"):
        spool.append([b"x" * 60])
    monkeypatch.undo()
    spool.append([b"2"])
    segment = spool.claim()
    assert segment is not None
    assert list(segment.events()) == [b"1", b"2"]


def test_a_folder_that_can_t_be_used_is_told_at_once(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(ParameterError, match="can't be used"):
        Spool(file / "folder", max_bytes=MOST)


def test_what_can_t_be_used_holds_up_nothing_and_is_told_once(tmp_path: Path) -> None:
    """A folder, a loop, and a file that gives no byte go before the one that is well."""
    (tmp_path / "0.0.spool").mkdir()
    (tmp_path / "0.1.spool").symlink_to("0.1.spool")
    (tmp_path / "0.2.spool").symlink_to("/proc/self/mem")
    left = Spool(tmp_path, max_bytes=MOST)
    left.append([b"1"])
    left.close()
    spool = Spool(tmp_path, max_bytes=MOST)
    unreadable = spool.claim()
    assert unreadable is not None
    with pytest.raises(OSError, match="Input/output") as told:
        list(unreadable.events())
    spool.pass_over(unreadable.path, told.value)
    unreadable.release()
    assert [path.rpartition("/")[2][:9] for path in (text.split()[0] for text in spool.complaints())] == [
        "0.0.spool",
        "0.1.spool",
        "0.2.spool",
    ]
    segment = spool.claim()
    assert segment is not None
    assert list(segment.events()) == [b"1"]
    segment.remove()
    assert spool.claim() is None
    assert spool.complaints() == []


def test_what_somebody_takes_away_is_written_again(tmp_path: Path) -> None:
    folder = tmp_path / "spool"
    spool = Spool(folder, max_bytes=MOST)
    spool.append([b"1"])
    shutil.rmtree(folder)
    spool.append([b"2"])
    shutil.rmtree(folder)
    spool.close()
    segment = Spool(folder, max_bytes=MOST).claim()
    assert segment is not None
    assert list(segment.events()) == [b"1", b"2"]


def test_what_can_t_be_removed_isn_t_sent_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spool = Spool(tmp_path, max_bytes=MOST)
    spool.append([b"1"])
    segment = spool.claim()
    assert segment is not None

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError("not yours")

    monkeypatch.setattr(Path, "unlink", refuse)
    with pytest.raises(PermissionError):
        segment.remove()
    assert list(segment.events()) == []


def test_a_spool_that_is_too_full_can_be_opened_and_emptied(tmp_path: Path) -> None:
    fuller = Spool(tmp_path, max_bytes=MOST)
    fuller.append([b"x" * 60])
    fuller.close()
    segment = Spool(tmp_path, max_bytes=10).claim()
    assert segment is not None
    assert list(segment.events()) == [b"x" * 60]


def test_others_on_the_machine_can_t_read_it(tmp_path: Path) -> None:
    folder = tmp_path / "spool"
    Spool(folder, max_bytes=MOST).append([b"1"])
    assert folder.stat().st_mode & 0o077 == 0
    assert next(folder.iterdir()).stat().st_mode & 0o077 == 0


def test_damaged_lines_are_counted_and_a_torn_one_isn_t(tmp_path: Path) -> None:
    spool = Spool(tmp_path, max_bytes=MOST)
    spool.append([b"1", b"2", b"3"])
    [path] = tmp_path.iterdir()
    path.write_bytes(path.read_bytes().replace(b" 2\n", b" 7\n") + b"torn")
    segment = spool.claim()
    assert segment is not None
    assert list(segment.events()) == [b"1", b"3"]
    assert segment.damaged == 1
