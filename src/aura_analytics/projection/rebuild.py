"""Filling new columns with all there is: by streams in a process of their own where that goes, else row by row."""

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import structlog

from aura_analytics.errors import StoreUnavailable
from aura_analytics.projection.columns import ColumnFile
from aura_analytics.projection.filling import Filled, Filling
from aura_analytics.store import Store
from aura_analytics.store.port import Part, WideRow

log = structlog.get_logger()

FILL_ROWS = 8_000

Fill = Callable[[list[WideRow]], Awaitable[None]]


class Rebuild:
    """The filling of one file.

    Args:
        store: where the rows are.
        path: the file, which nobody has open while `stream` runs; None where there is none.
        memory_mb: what DuckDB may take.
        threads: how many threads it may use.
        progress: told what share is done.
    """

    def __init__(
        self,
        store: Store,
        path: Path | None,
        *,
        memory_mb: int,
        threads: int,
        progress: Callable[[float], Awaitable[None]],
    ) -> None:
        self._store = store
        self._path = path
        self._memory_mb = memory_mb
        self._threads = threads
        self._progress = progress

    async def fill_all(self, columns: ColumnFile, write: Callable[..., Awaitable[Any]]) -> int:
        """Fill a file's empty table with all there is; give how many interactions there are. Any: a change's own result.

        Args:
            columns: the file.
            write: runs a change of it where changes run.
        """
        await write(columns.lend)
        try:
            left = await self.stream()
        finally:
            await write(columns.take_back)
        for part in left:
            await self.rows(part, partial(write, columns.fill))
        past = self._store.past
        if past is not None:  # after the tables: what leaves them meanwhile is in one of the two, or in both
            async for shelved in past.files():
                await write(columns.fill_file, shelved)
        async for rows in self._store.conversion_snapshot(FILL_ROWS):
            await write(columns.fill_conversions, rows)
        return await self._store.count() + (await past.count() if past is not None else 0)

    async def stream(self) -> list[Part | None]:
        """Fill what can be streamed; give the parts that have to be filled by rows, None for all there is."""
        parts = await self._store.parts() if self._path is not None else []
        if not parts:
            return [None]
        left = dict(enumerate(parts))
        async for filled in self._filled(parts):
            if filled.error is None:
                del left[filled.part]
                await self._progress(1 - len(left) / len(parts))
            else:
                log.warning("part_by_rows", part=filled.part, error=filled.error)
        return list(left.values())

    async def rows(self, part: Part | None, fill: Fill) -> int:
        """Fill a part row by row; give how many there were."""
        total = max(1, await self._store.count())
        done = 0
        async for rows in self._store.snapshot(FILL_ROWS, part):
            await fill(rows)
            done += len(rows)
            if part is None:
                await self._progress(min(1.0, done / total))
        return done

    async def _filled(self, parts: list[Part]) -> AsyncIterator[Filled]:
        """Run the process that fills; what it doesn't report is left to be done."""
        filling = Filling(path=str(self._path), parts=parts, memory_mb=self._memory_mb, threads=self._threads)
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "aura_analytics.projection.filler",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            start_new_session=True,  # a Ctrl-C is for us to pass on
        )
        try:
            assert process.stdin is not None  # noqa: S101 (pipes, as asked for above)
            assert process.stdout is not None  # noqa: S101
            process.stdin.write(msgspec.json.encode(filling))
            process.stdin.close()
            async for line in process.stdout:
                yield msgspec.json.decode(line, type=Filled)
            if await process.wait():
                raise StoreUnavailable("the columns' filling was ended")
        finally:
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
                await process.wait()
