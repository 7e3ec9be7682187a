"""The archive as the store sees it: read where it lies, and put back where something has to change."""

import asyncio
from collections.abc import AsyncIterator, Sequence

from aura_analytics.archive import recall
from aura_analytics.archive.opening import opened_archiver
from aura_analytics.archive.shape import ID, unfolded
from aura_analytics.clock import Clock, now
from aura_analytics.settings import Settings
from aura_analytics.store.port import WIDE_COLUMNS, Store
from aura_analytics.store.queries import Row
from aura_analytics.store.shelf import ArchiveFile
from aura_analytics.store.shelved import Rows, Shelved

WIDTH = len(WIDE_COLUMNS)


class Archive:
    """The interactions that have left the tables of a database; implements `Past`.

    Args:
        settings: name the database, and where its files lie.
        clock: the present.
    """

    def __init__(self, settings: Settings, *, clock: Clock = now) -> None:
        self.settings = settings
        self._clock = clock

    async def recall(self, query_ids: Sequence[str]) -> None:
        """Put interactions back into the tables."""
        await asyncio.to_thread(self._recall, query_ids)

    async def rows(self, query_ids: Sequence[str]) -> dict[str, Rows]:
        """Read interactions."""
        return await asyncio.to_thread(self._rows, query_ids)

    async def count(self) -> int:
        """Count what lies there."""
        return sum(file.held for file in await asyncio.to_thread(self._files))

    async def files(self) -> AsyncIterator[Shelved]:
        """Give the files on this machine."""
        for file in await asyncio.to_thread(self._files):
            shelved = await asyncio.to_thread(self._shelved, file)
            if shelved is not None:
                yield shelved

    async def wide_rows(self) -> AsyncIterator[list[Row]]:
        """Give joined rows, those of a file at a time."""
        for file in await asyncio.to_thread(self._files):
            if rows := await asyncio.to_thread(self._wide_rows, file):
                yield rows

    def _recall(self, query_ids: Sequence[str]) -> None:
        with opened_archiver(self.settings) as archiver:
            recall.put_back(archiver, query_ids, now=self._clock())

    def _rows(self, query_ids: Sequence[str]) -> dict[str, Rows]:
        with opened_archiver(self.settings) as archiver:
            return {flat[ID]: unfolded(flat, archiver.shelf.side.dialect) for flat in recall.found(archiver, query_ids)}

    def _files(self) -> list[ArchiveFile]:
        with opened_archiver(self.settings) as archiver:
            return archiver.shelf.files()

    def _shelved(self, file: ArchiveFile) -> Shelved | None:
        """Fetch a file, and tell what of it is in force; None where nothing is any more."""
        with opened_archiver(self.settings) as archiver:

            def fetch(current: ArchiveFile) -> Shelved:
                path = archiver.files.local(current.path)
                if current.held == current.interactions:
                    return Shelved(path, None)
                return Shelved(path, [flat[ID] for flats in archiver.in_force(current) for flat in flats])

            return recall.of_file(archiver, file.number, fetch)

    def _wide_rows(self, file: ArchiveFile) -> list[Row]:
        with opened_archiver(self.settings) as archiver:
            return [flat[:WIDTH] for flat in recall.in_force(archiver, file.number)]


def attached(settings: Settings, store: Store, *, clock: Clock = now) -> None:
    """Let a store know where the interactions are that have left its tables."""
    store.past = Archive(settings, clock=clock)
