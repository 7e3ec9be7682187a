"""A PostgreSQL database as the archive sees it."""

from collections.abc import Iterator
from contextlib import contextmanager

from aura_analytics.store.postgres.connection import translated
from aura_analytics.store.postgres.copying import PostgresSide
from aura_analytics.store.queries import Row, load

ARCHIVE = load("archive", "postgres")
FEED = load("feed", "postgres")

# Any number that nobody else's advisory lock has: "arch" in ASCII.
LOCK = 0x61726368


class PostgresShelfSide(PostgresSide):
    """Implements `ShelfSide`."""

    def ask(self, name: str, **values: object) -> list[Row]:
        """Read, or change and read."""
        return self._fetch(ARCHIVE[name], values, None)

    def tell(self, name: str, **values: object) -> int:
        """Change by a statement."""
        with translated():
            return self._connection.execute(ARCHIVE[name], values).rowcount

    @contextmanager
    def moving(self) -> Iterator[None]:
        """Wait for whoever tells the feed of changes; for a moment only, as others wait behind us."""
        with translated(), self._connection.transaction():
            self.tell("patience")
            self.tell("alone")
            self._connection.execute(FEED["announce"])
            yield

    def lock_archive(self) -> bool:
        """Take the lock, which is let go with the connection at the latest."""
        return self.ask("try_lock", key=LOCK) == [(True,)]

    def unlock_archive(self) -> None:
        """Let go of the lock."""
        self.ask("unlock", key=LOCK)
