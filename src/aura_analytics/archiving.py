"""The part of the composition root that has days archived and deleted, once a day, beside a server."""

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec
import structlog

from aura_analytics.archive.daily import Kept
from aura_analytics.archive.opening import files_of
from aura_analytics.clock import now
from aura_analytics.settings import Settings
from aura_analytics.store.shelf import DAY_MS

log = structlog.get_logger()

MODULE = "aura_analytics.archive.daily"
# So long after midnight (UTC), when the day before is whole everywhere; and after something went wrong.
AFTER_MIDNIGHT_S, AGAIN_S = 600.0, 3_600.0


def check_archive(settings: Settings) -> None:
    """Look at where the archive is said to lie.

    Raises:
        SettingsError: ARCHIVE_URL names no place for files.
    """
    files_of(settings)


@asynccontextmanager
async def archiving(settings: Settings) -> AsyncIterator[None]:
    """Archive and delete once a day until the end of the block, where the settings say so: first at once."""
    if not settings.archive_after_days and not settings.retention_days:
        yield
        return
    task = asyncio.create_task(_daily(settings), name="archive")
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def _daily(settings: Settings) -> None:
    while True:
        kept = await keep(settings)
        if kept.error is not None:
            log.warning("archive_waits", error=kept.error, again_in_s=AGAIN_S)
        elif kept != Kept():
            log.info("archived", **msgspec.to_builtins(kept.archived), deleted=msgspec.to_builtins(kept.deleted))
        await asyncio.sleep(AGAIN_S if kept.error is not None else _until_midnight_s() + AFTER_MIDNIGHT_S)


async def keep(settings: Settings) -> Kept:
    """Have it done once by a process of its own; tell what came of it."""
    try:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", MODULE, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
        )
    except OSError as error:
        return Kept(error=f"the archive's process can't be started: {error.strerror}")
    assert process.stdin is not None  # noqa: S101 (pipes, as asked for above)
    assert process.stdout is not None  # noqa: S101
    try:
        process.stdin.write(msgspec.json.encode(settings) + b"\n")
        said = await process.stdout.readline()
        await process.wait()
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()  # whatever it was at, the next one ends it
            await process.wait()
    try:
        return msgspec.json.decode(said, type=Kept)
    except msgspec.DecodeError:
        return Kept(error=f"the archive's process ended early: {process.returncode}")


def _until_midnight_s() -> float:
    return (DAY_MS - now() % DAY_MS) / 1000
