"""Files of the archive in a folder: whole or not at all, and never outside of it."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from aura_analytics.archive.files import Folder, opened_files
from aura_analytics.errors import ArchiveError, SettingsError

NAME = "date=2026-01-02/store_id=abc/part-1.parquet"


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path / "archive")


@pytest.fixture
def made(tmp_path: Path) -> Callable[[str], Path]:
    def make(text: str) -> Path:
        path = tmp_path / "made"
        path.write_text(text)
        return path

    return make


def test_a_file_comes_back_under_its_name(folder: Folder, made: Callable[[str], Path]) -> None:
    folder.put(made("one"), NAME)
    assert folder.local(NAME).read_text() == "one"
    folder.put(made("two"), NAME)
    assert folder.local(NAME).read_text() == "two"
    assert folder.names() == [NAME]


def test_names_are_those_of_a_prefix_in_their_order(folder: Folder, made: Callable[[str], Path]) -> None:
    assert folder.names() == folder.names("date=") == folder.names("date=2026-01-02/") == []
    for name in ("date=2026-01-03/b", "date=2026-01-02/store_id=b/1", "date=2026-01-02/store_id=a/1"):
        folder.put(made("x"), name)
    assert folder.names("date=2026-01-02/") == ["date=2026-01-02/store_id=a/1", "date=2026-01-02/store_id=b/1"]
    assert folder.names("date=2026-01-0") == sorted(folder.names())
    assert folder.names("date=2027") == []


def test_what_is_removed_leaves_no_folder_behind(folder: Folder, made: Callable[[str], Path], tmp_path: Path) -> None:
    folder.put(made("x"), NAME)
    folder.put(made("x"), "date=2026-01-02/other")
    folder.remove(NAME)
    assert folder.names() == ["date=2026-01-02/other"]
    assert not (tmp_path / "archive/date=2026-01-02/store_id=abc").exists()
    folder.remove(NAME)  # not there: no error
    with pytest.raises(ArchiveError, match="lacks a file"):
        folder.local(NAME)


@pytest.mark.parametrize("name", ["../outside", "date=1/../../outside", "/etc/passwd"])
def test_no_name_leads_out_of_the_folder(folder: Folder, made: Callable[[str], Path], name: str) -> None:
    for use in (lambda: folder.put(made("x"), name), lambda: folder.local(name), lambda: folder.remove(name)):
        with pytest.raises(ArchiveError, match="no name"):
            use()


def test_what_cannot_be_stored_leaves_nothing(
    folder: Folder, made: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.put(made("before"), NAME)

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ArchiveError, match="No space left"):
        folder.put(made("after"), NAME)
    assert folder.local(NAME).read_text() == "before"
    assert [path.name for path in folder.local(NAME).parent.iterdir()] == ["part-1.parquet"]


@pytest.mark.parametrize("form", ["{}", "file://{}"])
def test_a_folder_is_named_by_a_path_or_a_url(tmp_path: Path, made: Callable[[str], Path], form: str) -> None:
    place = tmp_path / "a folder"
    opened_files(form.format(str(place).replace(" ", "%20") if "://" in form else place), tmp_path).put(made("x"), "a")
    assert (place / "a").read_text() == "x"


def test_a_path_may_begin_at_the_working_directory(
    tmp_path: Path, made: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    opened_files("archive", tmp_path).put(made("x"), NAME)
    assert (tmp_path / "archive" / NAME).read_text() == "x"


def test_no_other_url_names_an_archive(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="ARCHIVE_URL begins with ftp"):
        opened_files("ftp://host/archive", tmp_path)


def test_links_are_followed_but_for_those_that_lead_back(
    folder: Folder, made: Callable[[str], Path], tmp_path: Path
) -> None:
    folder.put(made("x"), "date=2026-01-02/store_id=a/1")
    folder.put(made("x"), "date=2026-01-03/1")
    top, away = tmp_path / "archive", tmp_path / "away"
    (top / "date=2026-01-02").rename(away)
    (top / "date=2026-01-02").symlink_to(away)
    (away / "up").symlink_to(top)
    (top / "above").symlink_to(tmp_path)
    (top / "itself").symlink_to(top / "itself")
    (top / "nowhere").symlink_to(tmp_path / "nowhere")
    (top / "date=2026-01-04").symlink_to(away)
    names = folder.names("date=")
    assert names == ["date=2026-01-02/store_id=a/1", "date=2026-01-03/1", "date=2026-01-04/store_id=a/1"]
    assert folder.lacking([*names, "date=2026-01-02/2", "nowhere/1", "date=2026-01-03/1/below"]) == {
        "date=2026-01-02/2",
        "nowhere/1",
        "date=2026-01-03/1/below",
    }
    assert folder.lacking([*names, "date=2026-01-02/2"], for_good=True) == {"date=2026-01-02/2"}
    with pytest.raises(ArchiveError, match="a link leads nowhere"):
        folder.lacking(["nowhere/1"], for_good=True)
    for look in (lambda: folder.lacking(["itself/1"]), lambda: folder.names("itself")):
        with pytest.raises(ArchiveError, match="can't be read"):
            look()


def test_what_only_root_may_look_into_in_a_disk_s_topmost_folder_is_none_of_the_archive(
    folder: Folder, made: Callable[[str], Path], tmp_path: Path
) -> None:
    folder.put(made("x"), NAME)
    own = tmp_path / "archive" / "lost+found"
    own.mkdir()
    (own / "found").touch()
    own.chmod(0)
    assert folder.names() == folder.names("date=") == [NAME]
