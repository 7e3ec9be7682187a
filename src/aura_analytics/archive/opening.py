"""Opening the archive of a database: its rows, and where its files lie. It blocks."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

from aura_analytics.archive.course import Archiver
from aura_analytics.archive.files import Files, opened_files
from aura_analytics.archive.objects import access_of
from aura_analytics.clock import Clock, now
from aura_analytics.settings import Settings
from aura_analytics.store import archive_path, shelf

# Where files are made, in the folder for copies; no copy's folder is called so.
WORK = "being-made"


def files_of(settings: Settings) -> Files:
    """Give the files of the database's archive, wherever they lie.

    Raises:
        SettingsError: ARCHIVE_URL names no place for them.
    """
    own = archive_path(settings)
    return opened_files(settings.archive_url or str(own), cache_of(settings), access_of(settings))


def cache_of(settings: Settings) -> Path:
    """Give the folder of this machine for copies of the archive's files, and for what questions need meanwhile."""
    own = archive_path(settings)
    return own.with_name(f"{own.name}-cache")


@contextlib.contextmanager
def opened_archiver(
    settings: Settings, *, clock: Clock = now, advance: Callable[[int], None] = lambda _: None
) -> Iterator[Archiver]:
    """Open the database, which has been migrated, and the place of its archive, for one thread.

    Args:
        settings: name both.
        clock: the present.
        advance: told how many interactions have moved since it was told last.

    Raises:
        StoreUnavailable: the database can't be used.
        SettingsError: ARCHIVE_URL names no place.
    """
    files, opened = files_of(settings), shelf(settings)
    archiver = Archiver(opened, files, cache_of(settings) / WORK, clock=clock, advance=advance)
    opened.side.open()
    try:
        yield archiver
    finally:
        opened.side.close()
        archiver.parquet.close()
