"""Local copies of objects: kept by name and by what they are (ETag), and no more of them than there is room for."""

import hashlib
import os
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote, unquote

import msgspec

BESIDE = ".part-"
# What was just used may just be about to be opened: it stays for so long, also where there is no room for it.
IN_USE_S = 60
# What is being fetched is taken for left behind after this.
LEFT_BEHIND_S = 3_600
ABSENT = (FileNotFoundError, NotADirectoryError)


class Copy(msgspec.Struct, frozen=True):
    """One copy. `tag`: which content it is, as the object store calls that."""

    path: Path
    tag: str


class Copies:
    """The copies of one object store's objects. Any number of threads and processes share a folder.

    Args:
        folder: where they lie; nothing else may.
        most_bytes: how much they may take, but for those that were used within the last minute.
    """

    def __init__(self, folder: Path, most_bytes: int) -> None:
        self._folder = folder
        self._most_bytes = most_bytes

    def find(self, name: str) -> Copy | None:
        """Give the newest copy of an object, if there is one."""
        found = sorted(_seen(self._of(name)), key=lambda seen: seen.used_at, reverse=True)
        return Copy(found[0].path, unquote(found[0].path.name)) if found else None

    def use(self, copy: Copy) -> bool:
        """Note that a copy is used; False where it has just gone."""
        with suppress(FileNotFoundError):
            os.utime(copy.path)
            return True
        return False

    def keep(self, name: str, tag: str, write: Callable[[Path], None]) -> Path:
        """Have an object fetched into a file, which counts when it is whole; older contents of it go."""
        folder = self._of(name)
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / quote(tag, safe="")
        beside = folder / f"{BESIDE}{os.getpid()}-{os.urandom(6).hex()}"
        try:
            write(beside)
            beside.replace(path)
        finally:
            beside.unlink(missing_ok=True)
        for seen in _seen(folder):
            if seen.path != path:
                seen.path.unlink(missing_ok=True)
        self._make_room()
        return path

    def drop(self, name: str) -> None:
        """Forget all copies of an object."""
        for seen in _seen(self._of(name)):
            seen.path.unlink(missing_ok=True)

    def drop_all_but(self, tags: dict[str, str]) -> None:
        """Forget the copies of all that isn't among some objects, or is another content by now.

        Args:
            tags: the objects that there are, each with what its content is called.
        """
        wanted = {self._of(name) / quote(tag, safe="") for name, tag in tags.items()}
        for seen in self._all():
            if seen.path not in wanted:
                seen.path.unlink(missing_ok=True)

    def _of(self, name: str) -> Path:
        return self._folder / hashlib.sha256(name.encode()).hexdigest()[:40]

    def _make_room(self) -> None:
        """Remove what was used longest ago, until the rest fits."""
        now = time.time()
        for folder in _folders(self._folder):
            for beside in folder.glob(f"{BESIDE}*"):
                with suppress(FileNotFoundError):
                    if beside.stat().st_mtime < now - LEFT_BEHIND_S:
                        beside.unlink()
        found = sorted(self._all(), key=lambda seen: seen.used_at)
        taken = sum(seen.bytes for seen in found)
        for seen in found:
            if taken <= self._most_bytes or seen.used_at > now - IN_USE_S:
                return
            seen.path.unlink(missing_ok=True)
            taken -= seen.bytes

    def _all(self) -> Iterator["_Seen"]:
        for folder in _folders(self._folder):
            yield from _seen(folder)


class _Seen(msgspec.Struct, frozen=True):
    """A copy that lies there. `used_at`: in seconds."""

    path: Path
    bytes: int
    used_at: float


def _folders(folder: Path) -> list[Path]:
    with suppress(*ABSENT):
        return [one for one in folder.iterdir() if one.is_dir()]
    return []


def _seen(folder: Path) -> Iterator[_Seen]:
    """List the copies of one object. What another process removes meanwhile isn't among them."""
    with suppress(*ABSENT), os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith(BESIDE):
                continue
            with suppress(FileNotFoundError):
                found = entry.stat()
                yield _Seen(Path(entry.path), found.st_size, found.st_mtime)
