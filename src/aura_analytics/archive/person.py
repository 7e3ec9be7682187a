"""The archive as a place where something of a person may be kept.

What is theirs is put back into the tables, along with the other turns of their sessions, so that whoever looks through the
rows finds all of it by the same rules as ever; and the files are written anew without it. Until the rows are done, nobody
else writes files: nothing of it goes back meanwhile.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, asynccontextmanager
from functools import partial
from typing import Any, NamedTuple, TypeVar

from aura_analytics.archive import query, recall, stock
from aura_analytics.archive.course import Archiver
from aura_analytics.archive.opening import cache_of, opened_archiver
from aura_analytics.clock import Clock, now
from aura_analytics.errors import ArchiveError, StoreUnavailable
from aura_analytics.settings import Settings
from aura_analytics.store.privacy import MOST_UNNAMED

Result = TypeVar("Result")

# Files that are looked through together, and how long another process is waited for that writes files.
FILES = 200
PATIENCE_S = 120.0


class _Found(NamedTuple):
    """An interaction in a file that may be a person's."""

    file: int
    id: str
    store_id: str
    session_id: str | None
    user_id: str | None


class ArchivedPersons:
    """The persons of an archive; implements `FirstPlace`.

    Args:
        settings: name the database, and where its files lie.
        clock: the present.
    """

    name = "archive"

    def __init__(self, settings: Settings, *, clock: Clock = now) -> None:
        self._settings = settings
        self._clock = clock

    @asynccontextmanager
    async def held(self) -> AsyncIterator["HeldPersons"]:
        """Keep others from writing files until the end of the block.

        Raises:
            StoreUnavailable: somebody else writes them, for longer than one waits.
        """
        loop = asyncio.get_running_loop()
        with ThreadPoolExecutor(1, thread_name_prefix="aura-archive") as thread:  # a connection belongs to one
            stack = ExitStack()
            try:
                archiver = await loop.run_in_executor(thread, self._hold, stack)
                yield HeldPersons(archiver, thread, self._clock)
            finally:
                await loop.run_in_executor(thread, stack.close)

    def _hold(self, stack: ExitStack) -> Archiver:
        query.sweep(cache_of(self._settings))
        archiver = stack.enter_context(opened_archiver(self._settings, clock=self._clock))
        stack.enter_context(archiver.alone(PATIENCE_S))
        return archiver


class HeldPersons:
    """The same, while nobody else writes files; implements `Place`."""

    name = ArchivedPersons.name

    def __init__(self, archiver: Archiver, thread: ThreadPoolExecutor, clock: Clock) -> None:
        self._archiver = archiver
        self._thread = thread
        self._clock = clock
        self._unknown = 0

    async def erase(self, user_id: str) -> int:
        """Put what is theirs into the tables, and write files anew without it; tell how many interactions it were."""
        count = await self._run(partial(_recall, user_id=user_id, rewrites=True, moment=self._clock()))
        self._unknown = (await self._run(stock.taken)).unknown
        return count

    async def known(self, user_id: str) -> AsyncIterator[dict[str, Any]]:
        """Put what is theirs into the tables, where the rows tell it; nothing is told here. Any: what JSON can hold."""
        await self._run(partial(_recall, user_id=user_id, rewrites=False, moment=self._clock()))
        nothing: tuple[dict[str, Any], ...] = ()
        for record in nothing:
            yield record

    async def left(self) -> str | None:
        """Say that files lie there that nobody knows; those that count are without it when the erasing has returned."""
        if not self._unknown:
            return None
        return (
            f"{self._unknown} files in the archive's place are unknown to this database, as after a backup was put back;"
            " what they hold of anybody stays until they are removed"
        )

    async def _run(self, work: Callable[[Archiver], Result]) -> Result:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, work, self._archiver)
        except ArchiveError as error:
            raise StoreUnavailable(f"the archive can't be used: {error}") from error


def _recall(archiver: Archiver, *, user_id: str, rewrites: bool, moment: int) -> int:
    """Put what may be a person's back into the tables."""
    archiver.mend()
    found, sessions = _look_through(archiver, user_id)
    count = recall.put_back(archiver, [one.id for one in found], now=moment)
    if rewrites:
        for number in {one.file for one in found}:
            file = archiver.shelf.file(number)
            if file is not None and file.held < file.interactions:
                archiver.settle(file)
            if file is not None:
                archiver.shelf.drop_day(file.day)
        with archiver.shelf.side.changing():
            archiver.shelf.forget_sessions(sessions)
    return count


def _look_through(archiver: Archiver, user_id: str) -> tuple[list[_Found], list[str]]:
    """Find what names a person and what stands in their sessions, and the sessions that are found whole by that."""
    files = [(file.number, file.path) for file in archiver.shelf.files()]
    theirs = [one for one in _search(archiver, files, user_id, ()) if one.user_id == user_id]
    sessions = {(one.store_id, one.session_id) for one in theirs} | set(archiver.shelf.sessions_of(user_id))
    within = _search(archiver, files, user_id, sorted({session for _, session in sessions if session is not None}))
    unnamed = Counter((one.store_id, one.session_id) for one in within if one.user_id is None)
    own = {session for session in sessions if unnamed[session] <= MOST_UNNAMED}
    found = [one for one in within if one.user_id == user_id or (one.store_id, one.session_id) in own]
    left = {one.session_id for one in within} - {one.session_id for one in found}
    elsewhere = {one.session_id for one in within if (one.store_id, one.session_id) not in own}
    whole = {session for _, session in own if session is not None} - left - elsewhere
    return found, sorted(whole)


def _search(
    archiver: Archiver, files: Sequence[tuple[int, str]], user_id: str, sessions: Sequence[str]
) -> list[_Found]:
    found: list[_Found] = []
    for start in range(0, len(files), FILES):
        by_path = {archiver.files.local(path): number for number, path in files[start : start + FILES]}
        rows = archiver.parquet.named(list(by_path), user_id, sessions)
        found += [_Found(by_path[path], id, store, session, user) for path, id, store, session, user in rows]
    return found
