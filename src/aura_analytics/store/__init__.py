"""The only room that talks to the row database.

`open_store` and `migrate` choose the backend by the URL's scheme; everybody else knows only `Store`.
"""

from shutil import disk_usage
from types import ModuleType
from typing import Protocol

from aura_analytics.clock import Clock, now
from aura_analytics.errors import SettingsError
from aura_analytics.settings import Settings
from aura_analytics.store import sqlite
from aura_analytics.store.columns_file import archive_path, columns_path, has_slots, is_a_file, lies_in_a_file
from aura_analytics.store.copying.side import Side
from aura_analytics.store.inspection import Inspection
from aura_analytics.store.migrations import Migration
from aura_analytics.store.port import ArrowStream, MigrationState, Part, Store
from aura_analytics.store.shelf import Shelf

__all__ = [
    "MigrationState",
    "Store",
    "archive_path",
    "columns_path",
    "copying_side",
    "has_slots",
    "inspect",
    "lies_in_a_file",
    "make_store",
    "migrate",
    "migration_status",
    "shelf",
    "sizes",
    "stream",
]


def make_store(settings: Settings, *, clock: Clock = now) -> Store:
    """Make the store that the settings name; it still has to be opened."""
    if not lies_in_a_file(settings):
        store: Store = _postgres().PostgresStore(
            settings.aura_database_url,
            grace_ms=round(settings.eval_grace_seconds * 1000),
            most_waiting=settings.ingest_queue_events,
            connections=settings.aura_pool_connections,
            clock=clock,
        )
        return store
    return sqlite.SqliteStore(
        settings.aura_database_url,
        grace_ms=round(settings.eval_grace_seconds * 1000),
        most_waiting=settings.ingest_queue_events,
        clock=clock,
    )


def copying_side(settings: Settings) -> Side:
    """Make one side of a copy, of the database that the settings name; it still has to be opened."""
    # Imported here: only who copies needs it.
    if lies_in_a_file(settings):
        from aura_analytics.store.sqlite.copying import SqliteSide  # noqa: PLC0415

        return SqliteSide(settings.aura_database_url)
    _postgres()
    from aura_analytics.store.postgres.copying import PostgresSide  # noqa: PLC0415

    return PostgresSide(settings.aura_database_url)


def shelf(settings: Settings) -> Shelf:
    """Make the archive's side of the database that the settings name; its `side` still has to be opened."""
    # Imported here: only who archives, or asks for what was, needs it.
    if lies_in_a_file(settings):
        from aura_analytics.store.sqlite.shelf import SqliteShelfSide  # noqa: PLC0415

        return Shelf(SqliteShelfSide(settings.aura_database_url))
    _postgres()
    from aura_analytics.store.postgres.shelf import PostgresShelfSide  # noqa: PLC0415

    return Shelf(PostgresShelfSide(settings.aura_database_url))


def migrate(settings: Settings) -> list[str]:
    """Bring the database to this version's shape; give the names of the migrations that were applied."""
    applied = _backend(settings).migrate(settings.aura_database_url)
    return [f"{migration.version:03}_{migration.name}" for migration in applied]


def migration_status(settings: Settings) -> list[MigrationState]:
    """List the migrations of this version, and what else the database has seen; nothing is changed."""
    return _backend(settings).status(settings.aura_database_url)


def inspect(settings: Settings, *, now: int) -> Inspection:
    """Look at the database, which has to be migrated; nothing is changed."""
    return _backend(settings).inspect(settings.aura_database_url, now=now)


def sizes(settings: Settings) -> dict[str, int]:
    """Give bytes: of the `database`, and `database_disk_free` and `columns_disk_free` where these lie on this machine.

    Raises:
        StoreUnavailable: the database can't be reached.
        OSError: a disk can't be looked at.
    """
    found = {"database": _backend(settings).size(settings.aura_database_url)}
    if lies_in_a_file(settings):
        found["database_disk_free"] = disk_usage(sqlite.path_of(settings.aura_database_url).parent).free
    if settings.aura_statistics == "on":
        found["columns_disk_free"] = disk_usage(columns_path(settings).parent).free
    return found


def stream(part: Part) -> ArrowStream:
    """Give a part's rows as a stream. To be read in a process that has no other connection to the database."""
    # Imported here: only such a process may load a driver of streams.
    if is_a_file(part.url):
        from aura_analytics.store.sqlite.parts import RowStream  # noqa: PLC0415

        return RowStream(part)
    from aura_analytics.store.postgres.parts import RowStream as CopyStream  # noqa: PLC0415

    return CopyStream(part)


class _Backend(Protocol):
    """What each kind of database brings along."""

    def migrate(self, url: str) -> list[Migration]:
        """Bring a database to this version's shape."""

    def status(self, url: str) -> list[MigrationState]:
        """List its migrations."""

    def inspect(self, url: str, *, now: int) -> Inspection:
        """Look at it."""

    def size(self, url: str) -> int:
        """Give how many bytes it has."""


def _backend(settings: Settings) -> _Backend:
    return sqlite if lies_in_a_file(settings) else _postgres()


def _postgres() -> ModuleType:
    """Load the room of PostgreSQL, whose driver is an optional part.

    Raises:
        SettingsError: it isn't installed.
    """
    try:
        from aura_analytics.store import postgres  # noqa: PLC0415
    except ModuleNotFoundError as error:
        if error.name is None or not error.name.startswith("psycopg"):
            raise
        raise SettingsError(
            "AURA_DATABASE_URL names PostgreSQL, which needs an optional part: pip install 'aura-analytics[postgres]'"
        ) from error
    return postgres
