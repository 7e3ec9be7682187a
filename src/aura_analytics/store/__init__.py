"""The only room that talks to the row database.

`open_store` and `migrate` choose the backend by the URL's scheme; everybody else knows only `Store`.
"""

from pathlib import Path

from aura_analytics.clock import Clock, now
from aura_analytics.settings import Settings
from aura_analytics.store import sqlite
from aura_analytics.store.port import ArrowStream, Part, Store

__all__ = ["Store", "columns_path", "make_store", "migrate", "stream"]


def make_store(settings: Settings, *, clock: Clock = now) -> Store:
    """Make the store that the settings name; it still has to be opened."""
    return sqlite.SqliteStore(
        settings.aura_database_url,
        grace_ms=round(settings.eval_grace_seconds * 1000),
        most_waiting=settings.ingest_queue_events,
        clock=clock,
    )


def migrate(settings: Settings) -> list[str]:
    """Bring the database to this version's shape; give the names of the migrations that were applied."""
    return [f"{migration.version:03}_{migration.name}" for migration in sqlite.migrate(settings.aura_database_url)]


def stream(part: Part) -> ArrowStream:
    """Give a part's rows as a stream. To be read in a process that has no other connection to the database."""
    # Imported here: only such a process may load the driver.
    from aura_analytics.store.sqlite.parts import RowStream  # noqa: PLC0415

    return RowStream(part)


def columns_path(settings: Settings) -> Path:
    """Give the file of the columns that follow this database: beside it, where it is a file itself."""
    if settings.aura_columns_path:
        return Path(settings.aura_columns_path).expanduser()
    rows = sqlite.path_of(settings.aura_database_url)
    return rows.with_name(rows.name + ".columns.duckdb")  # with its whole name: no two databases share a file
