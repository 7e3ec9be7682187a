"""A SQLite file as the archive sees it."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

from aura_analytics.errors import StoreUnavailable
from aura_analytics.store.queries import Row, load
from aura_analytics.store.sqlite.append import json_of
from aura_analytics.store.sqlite.connection import translated
from aura_analytics.store.sqlite.copying import SqliteSide

ARCHIVE = load("archive", "sqlite")
PRIVACY = load("privacy", "sqlite")


class SqliteShelfSide(SqliteSide):
    """Implements `ShelfSide`."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self._archive_lock: BinaryIO | None = None

    def open(self) -> None:
        """Connect. What leaves the tables is overwritten: who is forgotten later leaves no byte in what was freed."""
        super().open()
        self._fetch(PRIVACY["overwrite"], {}, None)

    def ask(self, name: str, **values: object) -> list[Row]:
        """Read, or change and read; the rows are fetched whole, as a statement that is left open holds its lock."""
        return self._fetch(ARCHIVE[name], _bound(values), None)

    def tell(self, name: str, **values: object) -> int:
        """Change by a statement."""
        with translated():
            return self._connection.execute(ARCHIVE[name], _bound(values)).rowcount

    @contextmanager
    def moving(self) -> Iterator[None]:
        """Hold the file's write lock: whoever has it is alone."""
        with self.changing():
            yield

    def lock_archive(self) -> bool:
        """Take the lock beside the file. It is never removed: two could have one each then."""
        self.unlock_archive()
        try:
            self._archive_lock = self._path.with_name(self._path.name + ".archiving").open("ab")
        except OSError as error:
            raise StoreUnavailable(f"the folder of the database can't be written: {error.strerror}") from error
        try:
            fcntl.flock(self._archive_lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self.unlock_archive()
            return False
        return True

    def unlock_archive(self) -> None:
        """Let go of the lock, by closing what has it."""
        if self._archive_lock is not None:
            self._archive_lock.close()
            self._archive_lock = None

    def close(self) -> None:
        """Let go of the file, and of its locks."""
        super().close()
        self.unlock_archive()


def _bound(values: dict[str, object]) -> dict[str, object]:
    return {name: json_of(value) if isinstance(value, list) else value for name, value in values.items()}
