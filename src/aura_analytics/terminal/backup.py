"""Backups of a database that is a file: making one while the service runs, and putting one back."""

import gzip
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from aura_analytics.clock import now
from aura_analytics.errors import LoadError, MigrationError, SettingsError
from aura_analytics.logs import plain
from aura_analytics.projection import column_files, owner_of
from aura_analytics.settings import Settings
from aura_analytics.store import lies_in_a_file
from aura_analytics.store.sqlite import path_of
from aura_analytics.store.sqlite.backup import LOGS, Copied, back_up, copy_over, prepare, put_back
from aura_analytics.terminal.commands import print_json
from aura_analytics.terminal.reading import HELP_JSON, Database
from aura_analytics.terminal.recording import put_on_record
from aura_analytics.terminal.running import settings_for
from aura_analytics.terminal.screen import progress, results
from aura_analytics.terminal.shelved import tell_of_archive, tell_of_files

GZIP = b"\x1f\x8b"
PIECE = 1 << 20
FASTEST = 1

AsJson = Annotated[bool, typer.Option("--json", help=HELP_JSON)]
Force = Annotated[bool, typer.Option("--force", help="Replace the file if there is one.")]

POSTGRES = "the database is PostgreSQL's, which brings tools of its own: {tool}, as docs/backup.md shows"


class Restored(msgspec.Struct, frozen=True, kw_only=True):
    """What was put back, and under which name that stays which was there before; None where nothing was.

    Where only logs of a database were, `kept` names the first of them.
    """

    held: Copied
    kept: str | None


def add_to(cli: typer.Typer) -> None:
    """Add the commands to the command line."""
    cli.command("backup")(_backup)
    cli.command("restore")(_restore)


def _backup(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Where the copy goes; NAME.gz is compressed.")],
    *,
    database: Database = None,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Copy the database into a file, as it is at one moment, while it is in use."""
    settings = settings_for(database)
    copied = backed_up(settings, file, force=force)
    put_on_record(settings, "backup.made", subject=str(file.absolute()), details=told(copied))
    tell_of_archive(settings, "copy its files too, after this one", count=copied.tables.get("archived_ids", 0))
    if as_json:
        print_json({"file": str(file), **told(copied)})
    else:
        results().print(plain(f"{file}: {_rows(copied)}, whole"), markup=False, soft_wrap=True)


def _restore(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What backup made.")],
    *,
    database: Database = None,
    as_json: AsJson = False,
) -> None:
    """Put a copy in the database's place; what was there is kept beside it."""
    settings = settings_for(database)
    restored = put_in_place(settings, file)
    details = {"kept": restored.kept, **told(restored.held)}
    put_on_record(settings, "backup.restored", subject=str(file.absolute()), details=details)
    tell_of_files(settings)
    if as_json:
        print_json(details)
        return
    results().print(plain(f"restored {file}: {_rows(restored.held)}"), markup=False, soft_wrap=True)
    if restored.kept:
        results().print(plain(f"what was there before: {restored.kept}"), markup=False, soft_wrap=True)


def backed_up(settings: Settings, file: Path, *, force: bool) -> Copied:
    """Make a backup, and look at it again."""
    source = _file_of(settings, "pg_dump")
    if file.exists() and file.resolve() == source.resolve():
        raise LoadError(f"{file} is the database itself")
    with written_beside(file, force=force) as beside, progress("copying", 1.0) as meter:
        raw = beside.with_name(beside.name + ".db") if file.suffix == ".gz" else beside
        try:
            copied = back_up(source, raw, now=now(), advance=meter.set)
            if raw is not beside:
                _packed(raw, beside)
        finally:
            if raw is not beside:
                raw.unlink(missing_ok=True)
    return copied


def put_in_place(settings: Settings, file: Path) -> Restored:
    """Put a backup in the database's place, once it has been looked at."""
    place = _file_of(settings, "pg_restore")
    _refuse_while_served(settings)
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        with file.open("rb") as opened:
            packed = opened.read(len(GZIP)) == GZIP
        if place.exists() and file.resolve() == place.resolve():
            raise LoadError(f"{file} is the database itself")
        beside = place.with_name(f"{place.name}.restoring-{os.getpid()}")
        with removed(beside):
            _unpacked(file, beside) if packed else copy_over(file, beside)
            held = _prepared(beside, file)
            moment = datetime.fromtimestamp(now() / 1000, UTC)
            kept = place.with_name(f"{place.name}.before-restore-{moment:%Y%m%dT%H%M%S.%fZ}")
            left = put_back(beside, place, kept)
    except OSError as error:
        raise LoadError(f"{file} can't be restored: {error.strerror or error}") from error
    return Restored(held=held, kept=str(left[0]) if left else None)


def _prepared(beside: Path, file: Path) -> Copied:
    """Prepare the copy; what is wrong with it is said of the file that it was made of."""
    try:
        return prepare(beside)
    except (LoadError, MigrationError) as error:
        raise type(error)(str(error).replace(beside.name, file.name)) from error


@contextmanager
def written_beside(file: Path, *, force: bool) -> Iterator[Path]:
    """Have a file written beside its place, and then put there at once: never a half of it, and never over another one.

    Raises:
        LoadError: there is one already and `force` isn't said, a database's log lies there, or it can't be written.
    """
    if file.exists() and not force:
        raise LoadError(f"{file} is there already; --force replaces it")
    if logs := [log for log in LOGS if file.with_name(file.name + log).exists()]:  # SQLite would play them into it
        raise LoadError(f"{file}{logs[0]} is there: somebody has that database open, or was killed; move it away first")
    beside = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        with removed(beside):
            yield beside
            _put(beside, file, force=force)
    except OSError as error:
        raise LoadError(f"{file} can't be written: {error.strerror or error}") from error


def _put(beside: Path, file: Path, *, force: bool) -> None:
    if force:
        beside.replace(file)
        return
    try:
        file.hardlink_to(beside)  # unlike renaming, this never replaces what came meanwhile
    except FileExistsError as error:
        raise LoadError(f"{file} is there already; --force replaces it") from error


@contextmanager
def removed(path: Path) -> Iterator[None]:
    """Leave nothing of a file behind that has not been put in its place."""
    try:
        yield
    finally:
        for name in (path.name, *(path.name + log for log in LOGS)):
            path.with_name(name).unlink(missing_ok=True)


def told(copied: Copied) -> dict[str, Any]:
    """Give what a copy holds as JSON has it."""
    return {"rows": copied.tables, "migration": copied.version, "made_at": copied.made_at}


def _rows(copied: Copied) -> str:
    counts = copied.tables
    return ", ".join(f"{counts.get(f'voice_{noun}', 0):,} {noun}" for noun in ("queries", "outcomes", "evaluations"))


def _file_of(settings: Settings, tool: str) -> Path:
    if not lies_in_a_file(settings):
        raise SettingsError(POSTGRES.format(tool=tool))
    return path_of(settings.aura_database_url)


def _refuse_while_served(settings: Settings) -> None:
    for owner in filter(None, map(owner_of, column_files(settings))):
        raise LoadError(f"a server has the database open, at {owner.url} (process {owner.pid}): stop it first")


def _packed(raw: Path, beside: Path) -> None:
    with raw.open("rb") as plain_file, gzip.open(beside, "wb", compresslevel=FASTEST) as packed:
        shutil.copyfileobj(plain_file, packed, PIECE)
    descriptor = os.open(beside, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _unpacked(file: Path, beside: Path) -> None:
    try:
        with gzip.open(file) as packed, beside.open("wb") as plain_file:
            shutil.copyfileobj(packed, plain_file, PIECE)
    except (EOFError, gzip.BadGzipFile) as error:
        raise LoadError(f"{file} is damaged: {error}") from error
