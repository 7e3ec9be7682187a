"""Moving to another database: copying one into another one, looking at both again, and telling what became of it."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import msgspec

from aura_analytics.clock import now
from aura_analytics.errors import LoadError, MigrationError, SettingsError, StoreUnavailable
from aura_analytics.logs import plain
from aura_analytics.settings import Settings
from aura_analytics.store import Store, copying_side, lies_in_a_file, make_store, migrate, migration_status
from aura_analytics.store.copying.course import Copy
from aura_analytics.store.copying.side import Side
from aura_analytics.store.copying.tables import TABLES
from aura_analytics.store.copying.verification import Verification
from aura_analytics.store.migrations import UNKNOWN
from aura_analytics.store.sqlite import path_of
from aura_analytics.terminal.copied import Copied
from aura_analytics.terminal.recording import name_of, noted
from aura_analytics.terminal.running import settings_for
from aura_analytics.terminal.screen import notes, progress
from aura_analytics.terminal.shelved import refuse_archive, tell_of_archive, tell_of_leaving
from aura_analytics.terminal.unmasked import tell_of_texts

FROM, TO = "--from", "--to"


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What whoever copies asked for. `tells`: on the way, and the records of both databases."""

    copies: bool = True
    verifies: bool = True
    finishes: bool = False
    tells: bool = True


def settings_of(option: str, url: str) -> Settings:
    """Read the settings with one of the two databases; what is wrong with its URL is said of the option."""
    try:
        return settings_for(url)
    except SettingsError as error:
        raise SettingsError(str(error).replace("AURA_DATABASE_URL", option)) from error


async def copy(source: Settings, target: Settings, wanted: Wanted) -> Copied:
    """Copy one database into another one."""
    with _said_of(FROM):
        await asyncio.to_thread(_check_source, source)
    _refuse_the_same(source, target)
    with _said_of(TO):
        await asyncio.to_thread(migrate, target)
        if wanted.copies:
            await asyncio.to_thread(refuse_archive, target, TO)
    if wanted.copies:
        tell_of_texts(target)
    archived = await asyncio.to_thread(
        tell_of_archive, source, "they aren't copied; aura-analytics archive restore puts them back first"
    )
    async with _opened(FROM, source) as (from_, rows), _opened(TO, target) as (to, side):
        identities = await from_.identity(), await to.identity()
        if identities[0] == identities[1]:
            raise LoadError(f"{FROM} and {TO} are the same database, or one is a copy of the other one's files")
        if wanted.copies and not await asyncio.to_thread(side.lock):
            raise LoadError("another copy into this database is at work")
        copied = await _copied(from_, rows, side, identities, wanted)
        await asyncio.to_thread(tell_of_leaving, source, archived)
        if wanted.copies and wanted.tells:
            details = {"rows": {table["table"]: table["copied"] for table in copied.tables}}
            await noted(from_, "database.copied", subject=f"to {name_of(target)}", details=details)
            await noted(to, "database.copied", subject=f"from {name_of(source)}", details=details)
        return copied


async def _copied(source: Store, rows: Side, side: Side, identities: tuple[str, str], wanted: Wanted) -> Copied:
    total = await source.count()
    work = Copy(source, rows, side, identities=identities, tell=_tell if wanted.tells else _say_nothing)
    if wanted.copies:
        with progress("copying", total) as meter:
            work.on_advance(_rated(meter.set))
            await work.run()
    found: Verification | None = None
    if wanted.verifies:
        with progress("verifying", total) as meter:
            again = work.again if wanted.copies else None
            found = Verification(rows, side, again=again, advance=_rated(meter.set))
            await found.run()
    copied = await _told(work, found, rows)
    if wanted.finishes and not (copied.differing or copied.changing or copied.source_went_on):
        await work.finish()
        copied.finished = True
    return copied


def _rated(show: Callable[[float, str], None]) -> Callable[[int], None]:
    started = now()
    return lambda done: show(done, f"{done:,}, {done * 1000 / max(1, now() - started):,.0f}/s")


async def _told(work: Copy, found: Verification | None, source: Side) -> Copied:
    left = Counter(await asyncio.to_thread(source.without_key)) + (found.left if found else work.reader.left)
    return Copied(
        tables=[_table(table.name, work, found) for table in TABLES],
        changed_cells=[
            {"table": table, "column": column, "cells": count}
            for (table, column), count in sorted(work.cells.strange.items())
        ],
        left_rows={table: count for table, count in sorted(left.items()) if count},
        verified=found is not None,
        along={name: count for name, count in sorted(work.along.items()) if count},
        differing=sum(sums.differing for sums in found.tables.values()) if found else 0,
        changing=found.changing if found else 0,
        source_went_on=await work.is_behind(),
    )


def _table(name: Any, work: Copy, found: Verification | None) -> dict[str, Any]:
    told = {"table": name, "copied": work.copied[name]}
    if found is None:
        return told
    sums = found.tables[name]
    return told | {
        "rows": sums.source.rows + sums.kept,
        "kept": sums.kept,
        "differing": sums.differing,
        "first_ids": sums.first_ids,
        "source_checksum": str(sums.source),
        "target_checksum": str(sums.target),
    }


def _tell(message: str) -> None:
    notes().print(plain(message), markup=False, soft_wrap=True)


def _say_nothing(_: str) -> None:
    """Keep quiet of what goes without saying."""


@contextmanager
def _said_of(option: str) -> Iterator[None]:
    """Say of which of the two databases something is wrong."""
    try:
        yield
    except StoreUnavailable as error:
        raise StoreUnavailable(f"{option}: {error}", trouble=error.trouble) from error
    except (MigrationError, SettingsError) as error:
        raise type(error)(f"{option}: {str(error).replace('AURA_DATABASE_URL', 'the URL')}") from error


def _check_source(source: Settings) -> None:
    """See that the source is there and of this version's shape; nothing of it is changed."""
    if lies_in_a_file(source) and not path_of(source.aura_database_url).is_file():
        raise StoreUnavailable("there is no such file")
    states = migration_status(source)
    if any(state.applied_at is None for state in states):
        raise MigrationError("the database isn't of this version's shape yet: aura-analytics migrate --database URL")
    if any(state.name == UNKNOWN for state in states):
        raise MigrationError("the database is of a later version, and may hold what this one can't copy")


def _refuse_the_same(source: Settings, target: Settings) -> None:
    """See that there are two, as far as their URLs tell, before one of them is touched."""
    urls = source.aura_database_url, target.aura_database_url
    same = urls[0] == urls[1]
    if not same and lies_in_a_file(source) and lies_in_a_file(target):
        same = path_of(urls[0]).resolve() == path_of(urls[1]).resolve()
    if same:
        raise LoadError(f"{FROM} and {TO} are the same database")


@asynccontextmanager
async def _opened(option: str, settings: Settings) -> AsyncIterator[tuple[Store, Side]]:
    """Open a database for its feed and for its rows."""
    store, side = make_store(settings), copying_side(settings)
    with _said_of(option):
        await store.open()
        try:
            await asyncio.to_thread(side.open)
        except BaseException:
            await store.close()
            raise
    try:
        yield store, side
    finally:
        await asyncio.to_thread(side.close)
        await store.close()
