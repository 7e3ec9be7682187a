"""Where the files of the archive lie: a folder, or an object store. Every method blocks; none belongs on the event loop."""

import os
import shutil
from collections.abc import Collection, Iterator
from pathlib import Path, PurePosixPath
from typing import Protocol
from urllib.parse import unquote, urlsplit

from aura_analytics.archive.objects import Access, ObjectFiles
from aura_analytics.errors import ArchiveError, SettingsError

# What a file is called until it is whole, before its own name. A name that begins so is never given to anybody.
UNFINISHED = ".unfinished-"
# Lies in the topmost folder of many a disk, and only root may look into it.
DISK_S_OWN = "lost+found"


class Files(Protocol):
    """Where the archive's files lie; names are relative, '/'-separated ('date=2026-01-02/store_id=abc/part-1.parquet')."""

    def put(self, path: Path, name: str) -> None:
        """Store a local file under a name: whole and durable, or not at all; replaces.

        Raises:
            ArchiveError: it can't be stored there.
        """

    def local(self, name: str) -> Path:
        """Give a local file with that content (an object store's is fetched once and kept).

        Raises:
            ArchiveError: there is none of this name, or it can't be reached.
        """

    def names(self, prefix: str = "") -> list[str]:
        """Give the sorted names that begin with a prefix.

        Raises:
            ArchiveError: the place can't be looked at.
        """

    def lacking(self, names: Collection[str], *, for_good: bool = False) -> set[str]:
        """Give those of some names that there is no file of, as `local` would find; none is fetched for it.

        Args:
            names: of files.
            for_good: refuse to say so of what may only be away, as behind a link that leads nowhere.

        Raises:
            ArchiveError: the place can't be looked at, or `for_good` can't be said.
        """

    def remove(self, name: str) -> None:
        """Remove a file; no error where it isn't there.

        Raises:
            ArchiveError: it can't be removed.
        """


class Folder:
    """Files in a folder; implements `Files`. It is made with the first file."""

    def __init__(self, path: Path) -> None:
        self._path = path.absolute()

    def put(self, path: Path, name: str) -> None:
        """Copy a file beside its place, bring it to the disk, and put it there by renaming."""
        target = self._at(name)
        fresh = _unfinished(target)
        try:
            made = [
                folder
                for folder in target.relative_to(self._path.parent).parents
                if not (self._path.parent / folder).exists()
            ]
            target.parent.mkdir(parents=True, exist_ok=True)
            try:
                _copy(path, fresh)
                fresh.replace(target)
            finally:
                fresh.unlink(missing_ok=True)
            _to_disk(target.parent)
            for folder in made:  # its own name stands in the one above
                _to_disk((self._path.parent / folder).parent)
        except OSError as error:
            raise ArchiveError(f"the archive's folder can't be written: {error.strerror}") from error

    def local(self, name: str) -> Path:
        """Give the file itself."""
        if not self._has(name):
            raise ArchiveError(f"the archive lacks a file: {name}")
        return self._at(name)

    def names(self, prefix: str = "") -> list[str]:
        """Look through the folder, also behind links, no deeper than the prefix says."""
        top, _, beginning = prefix.rpartition("/")
        try:
            found = _files_in(self._at(top) if top else self._path, beginning)
            return sorted(path.relative_to(self._path).as_posix() for path in found)
        except OSError as error:
            raise ArchiveError(f"the archive's folder can't be read: {error.strerror}") from error

    def lacking(self, names: Collection[str], *, for_good: bool = False) -> set[str]:
        """Look for each file by its name: the way to it may lead over links."""
        found = {name for name in names if not self._has(name)}
        ways = {way for name in found for way in (self._at(name), *self._at(name).parents)} if for_good else ()
        for way in ways:
            if way.is_symlink() and not way.exists():
                raise ArchiveError(
                    f"a link leads nowhere, as to a disk that isn't mounted: {way}; remove it if that is gone for good"
                )
        return found

    def _has(self, name: str) -> bool:
        try:
            self._at(name).stat()
        except (FileNotFoundError, NotADirectoryError):
            return False
        except OSError as error:
            raise ArchiveError(f"the archive's folder can't be read: {error.strerror}") from error
        return True

    def remove(self, name: str) -> None:
        """Remove the file, and the folders that are empty then."""
        path = self._at(name)
        try:
            path.unlink(missing_ok=True)
            _unfinished(path).unlink(missing_ok=True)  # of who was killed while writing it
        except OSError as error:
            raise ArchiveError(f"a file of the archive can't be removed: {error.strerror}") from error
        for folder in PurePosixPath(name).parents:
            if not _is_gone(self._path / folder):
                break

    def _at(self, name: str) -> Path:
        """Give the path of a name, which never leads out of the folder."""
        parts = PurePosixPath(name).parts
        if name.startswith("/") or ".." in parts:
            raise ArchiveError(f"no name of a file in the archive: {name}")
        return self._path.joinpath(*parts)


def opened_files(url: str, cache: Path, access: Access | None = None) -> Files:
    """Give the files of a folder ('archive/' or 'file:///…'), or of an object store ('s3://bucket/prefix').

    Args:
        url: names it.
        cache: a folder of this machine's own, where an object store's files are kept that were fetched.
        access: how an object store is reached; by default as AWS has it.

    Raises:
        SettingsError: it is neither.
        ExtraMissing: it is an object store, and what speaks to those isn't installed.
    """
    scheme = urlsplit(url).scheme if "://" in url else ""
    if scheme == "s3":
        return ObjectFiles(url, access or Access(), cache)
    if scheme == "file":
        return Folder(Path(unquote(urlsplit(url).path)))
    if scheme:
        raise SettingsError(f"ARCHIVE_URL begins with {scheme}://; it takes a folder, file:///… or s3://…")
    return Folder(Path(url))


def _unfinished(path: Path) -> Path:
    return path.with_name(f"{UNFINISHED}{path.name}")


def _copy(source: Path, target: Path) -> None:
    with source.open("rb") as read, target.open("wb") as written:
        shutil.copyfileobj(read, written, 1 << 20)
        written.flush()
        os.fsync(written.fileno())


def _to_disk(folder: Path) -> None:
    """Let the names in a folder survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _files_in(folder: Path, beginning: str = "", above: tuple[tuple[int, int], ...] = ()) -> Iterator[Path]:
    """Give the whole files of a folder and of those in it; a link back to one that it lies in isn't followed.

    `beginning`: of the names in the folder itself that are looked at.
    """
    try:
        found = folder.stat()
        with os.scandir(folder) as opened:
            entries = [entry for entry in opened if entry.name.startswith(beginning)]
    except FileNotFoundError:  # not made yet, or removed meanwhile
        return
    own = (found.st_dev, found.st_ino)
    if own in above:
        return
    for entry in entries:
        if entry.name == DISK_S_OWN or entry.name.startswith(UNFINISHED):
            continue
        if entry.is_dir():
            yield from _files_in(Path(entry.path), "", (*above, own))
        elif entry.is_file():
            yield Path(entry.path)


def _is_gone(folder: Path) -> bool:
    """Remove a folder if it is empty; tell whether it was."""
    try:
        folder.rmdir()
    except OSError:  # it holds something
        return False
    return True
