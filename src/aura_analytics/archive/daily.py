"""What is done every day: archiving, then deleting what is too old. `python -m aura_analytics.archive.daily` does it once.

It is a process of its own, so that no event waits for it: a server starts it and is told what came of it. It reads the
settings from its standard input, and ends with whoever started it: it may end at any moment.
"""

import asyncio
import os
import sys
import threading

import msgspec

from aura_analytics.archive.course import Archived, Archiver, day_of
from aura_analytics.archive.opening import cache_of, opened_archiver
from aura_analytics.archive.query import sweep
from aura_analytics.archive.retention import Deleted, delete_before
from aura_analytics.clock import now
from aura_analytics.errors import AuraError
from aura_analytics.settings import Settings
from aura_analytics.store import Store, make_store
from aura_analytics.store.audit import record

SERVER = "server"
STDIN = 0


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """What a day's work came to; `error` says why it ended early."""

    archived: Archived = Archived()
    deleted: Deleted = Deleted()
    error: str | None = None


def keep(archiver: Archiver, settings: Settings, *, moment: int) -> Kept:
    """Archive and delete as the settings say. It blocks."""
    archived, deleted = Archived(), Deleted()
    sweep(cache_of(settings))
    archiver.files.names()  # what was removed elsewhere, also for a person's sake, goes from this machine now
    if settings.archive_after_days:
        archived = archiver.run(day_of(moment) - settings.archive_after_days)
    if settings.retention_days:
        before = day_of(moment) - settings.retention_days
        deleted = delete_before(archiver, before, keeps_totals=settings.retention_keep_totals == "on", now=moment)
    return Kept(archived=archived, deleted=deleted)


async def note(store: Store, kept: Kept, *, actor: str) -> None:
    """Put on record what was done, if anything was."""
    if kept.archived.interactions:
        details = msgspec.to_builtins(kept.archived)
        await record(store.keys, actor=actor, action="archive.written", details=details)
    if any(msgspec.structs.astuple(kept.deleted)):
        details = msgspec.to_builtins(kept.deleted)
        await record(store.keys, actor=actor, action="interactions.deleted", details=details)


def main() -> None:
    """Do it once, and write what came of it."""
    settings = msgspec.json.decode(sys.stdin.buffer.readline(), type=Settings)
    threading.Thread(target=_end_with_the_server, daemon=True).start()
    try:
        with opened_archiver(settings) as archiver:
            kept = keep(archiver, settings, moment=now())
        asyncio.run(_noted(settings, kept))
    except AuraError as error:
        kept = Kept(error=str(error))
    sys.stdout.buffer.write(msgspec.json.encode(kept) + b"\n")
    sys.stdout.buffer.flush()


async def _noted(settings: Settings, kept: Kept) -> None:
    store = make_store(settings)
    await store.open()
    try:
        await note(store, kept, actor=SERVER)
    finally:
        await store.close()


def _end_with_the_server() -> None:
    """Wait for the end of the standard input, which ends with whoever holds the other side."""
    while os.read(STDIN, 1):  # not of the buffer, whose lock would be held when the interpreter ends
        pass
    os._exit(0)


if __name__ == "__main__":
    main()
