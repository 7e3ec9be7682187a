"""The commands about the archive: put days there, look at what is there, bring them back."""

from datetime import date, timedelta
from typing import Annotated, Any

import msgspec
import typer
from rich.console import RenderableType

from aura_analytics.archive.abandoning import Abandoned, abandon, lost
from aura_analytics.archive.course import EPOCH, Archived, day_of, iso_of
from aura_analytics.archive.daily import Kept, note
from aura_analytics.archive.opening import opened_archiver
from aura_analytics.archive.restoring import Restored, restore
from aura_analytics.clock import now
from aura_analytics.opening import opened_store
from aura_analytics.settings import Settings
from aura_analytics.store import migrate
from aura_analytics.store.audit import record
from aura_analytics.store.shelf import ArchiveFile
from aura_analytics.terminal import archived as asking
from aura_analytics.terminal import cells, commands
from aura_analytics.terminal.actor import actor
from aura_analytics.terminal.reading import HELP_JSON, Database
from aura_analytics.terminal.running import run, settings_for
from aura_analytics.terminal.screen import notes, progress, results

# Any, throughout: what is printed, as JSON has it.
Row = dict[str, Any]
AsJson = Annotated[bool, typer.Option("--json", help=HELP_JSON)]
Place = Annotated[
    str | None, typer.Option("--archive", metavar="URL", help="Where its files lie; ARCHIVE_URL by default.")
]

group = typer.Typer(help="Take days long past out of the tables into files of their own.", invoke_without_command=True)


def add_to(cli: typer.Typer) -> None:
    """Add the commands to the command line."""
    group.callback()(_archive)
    group.command("list")(_list)
    group.command("restore")(_restore)
    group.command("query")(asking.query)
    group.command("abandon")(_abandon)
    cli.add_typer(group, name="archive")


def _archive(
    context: typer.Context,
    *,
    older_than: Annotated[
        int | None,
        typer.Option(
            "--older-than", metavar="DAYS", min=0, help="Whole days older than this; ARCHIVE_AFTER_DAYS by default."
        ),
    ] = None,
    archive: Place = None,
    database: Database = None,
    as_json: AsJson = False,
) -> None:
    """Take whole days (UTC) that are old enough out of the tables into files, which are still part of every answer."""
    if context.invoked_subcommand is not None:
        return
    settings = settings_for(database, ARCHIVE_URL=archive)
    days = settings.archive_after_days if older_than is None else older_than
    if older_than is None and not days:
        raise typer.BadParameter("say how old with --older-than DAYS, or set ARCHIVE_AFTER_DAYS")
    done = archived(settings, day_of(now()) - days)
    commands.show(msgspec.to_builtins(done), archived_table, as_json=as_json or not results().is_terminal)


def _list(*, archive: Place = None, database: Database = None, as_json: AsJson = False) -> None:
    """List the days that lie in the archive."""
    found = listed(settings_for(database, ARCHIVE_URL=archive))
    commands.show(found, days_table, as_json=as_json or not results().is_terminal)


def _restore(
    *,
    first: Annotated[
        str | None, typer.Option("--from", metavar="DATE", help="The first day (UTC); by default the oldest.")
    ] = None,
    last: Annotated[
        str | None, typer.Option("--to", metavar="DATE", help="The last day, included; by default the latest.")
    ] = None,
    archive: Place = None,
    database: Database = None,
    as_json: AsJson = False,
) -> None:
    """Put days back into the tables, and remove their files. What was broken off goes on when it is said again."""
    settings = settings_for(database, ARCHIVE_URL=archive)
    begin, end = _day("--from", first), _day("--to", last)
    if begin is not None and end is not None and begin > end:
        raise typer.BadParameter("--from is after --to: no day lies between them")
    found = restored(settings, begin, end)
    if settings.archive_after_days and found.interactions:
        notes().print("ARCHIVE_AFTER_DAYS is set: a server archives them again", markup=False)
    commands.show(msgspec.to_builtins(found), restored_table, as_json=as_json or not results().is_terminal)


def _abandon(
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Do it; without it is only told what would be given up.")] = False,
    even_most: Annotated[bool, typer.Option("--all", help="Even where it is more than half of the files.")] = False,
    archive: Place = None,
    database: Database = None,
    as_json: AsJson = False,
) -> None:
    """Give up what lay in files that are gone for good; after it, nothing waits for them any more."""
    settings = settings_for(database, ARCHIVE_URL=archive)
    done = abandoned(settings, even_most=even_most) if yes else to_abandon(settings, even_most=even_most)
    if done.files and not yes:
        notes().print("nothing is given up yet: put the files back, or say it again with --yes", markup=False)
    table = abandoned_table if yes else to_abandon_table
    commands.show(msgspec.to_builtins(done), table, as_json=as_json or not results().is_terminal)


def archived(settings: Settings, before: int) -> Archived:
    """Archive the days before one, and put it on record. Whatever ends it, the next one goes on."""
    migrate(settings)
    with progress("archiving", None) as meter:
        moved = 0

        def advance(count: int) -> None:
            nonlocal moved
            moved += count
            meter.set(moved, f"{moved:,} interactions")

        with opened_archiver(settings, advance=advance) as archiver:
            done = archiver.run(before)
    run(_noted(settings, Kept(archived=done)))
    return done


async def _noted(settings: Settings, kept: Kept) -> None:
    async with opened_store(settings) as store:
        await note(store, kept, actor=actor())


def restored(settings: Settings, first: int | None, last: int | None) -> Restored:
    """Put days back into the tables, and put it on record."""
    migrate(settings)
    with opened_archiver(settings) as archiver:
        found = restore(archiver, first=first, last=last, now=now())
    run(_on_record(settings, "archive.restored", found))
    return found


async def _on_record(settings: Settings, action: str, done: Restored | Abandoned) -> None:
    async with opened_store(settings) as store:
        if done.files:
            await record(store.keys, actor=actor(), action=action, details=msgspec.to_builtins(done))


def to_abandon(settings: Settings, *, even_most: bool) -> Abandoned:
    """Tell what lies in files that are gone, and change nothing."""
    migrate(settings)
    with opened_archiver(settings) as archiver:
        gone = lost(archiver, even_most=even_most)
    return Abandoned(
        days=len({file.day for file in gone}), interactions=sum(file.held for file in gone), files=len(gone)
    )


def abandoned(settings: Settings, *, even_most: bool) -> Abandoned:
    """Give up what lies in files that are gone, and put it on record."""
    migrate(settings)
    with opened_archiver(settings) as archiver:
        done = abandon(archiver, even_most=even_most, now=now())
    run(_on_record(settings, "archive.abandoned", done))
    return done


def listed(settings: Settings) -> list[Row]:
    """Give the days that lie in the archive: how much, and in how many files."""
    migrate(settings)
    with opened_archiver(settings) as archiver:
        files = archiver.shelf.files()
    by_day: dict[int, list[ArchiveFile]] = {}
    for file in files:
        by_day.setdefault(file.day, []).append(file)
    return [
        {
            "day": iso_of(day),
            "interactions": sum(file.held for file in some),
            "files": len(some),
            "bytes": sum(file.bytes for file in some),
        }
        for day, some in sorted(by_day.items())
    ]


def _day(option: str, given: str | None) -> int | None:
    if given is None:
        return None
    try:
        return (date.fromisoformat(given) - EPOCH) // timedelta(days=1)
    except ValueError as error:
        raise typer.BadParameter(f"{option} takes a day such as 2026-01-31") from error


def archived_table(done: Row) -> RenderableType:
    """Show what a run did."""
    table = cells.table("Archived", "what", "how much")
    for name in ("days", "interactions", "files", "bytes"):
        table.add_row(name, f"{done[name]:,}")
    if done["waiting"]:
        table.add_row("stay: no label yet", f"{done['waiting']:,}")
    if done["unfit"]:
        table.add_row("stay: fit no file", f"{done['unfit']:,}")
    return table


def restored_table(found: Row) -> RenderableType:
    """Show what came back."""
    return _counts("Back in the tables", found)


def abandoned_table(done: Row) -> RenderableType:
    """Show what was given up."""
    return _counts("Given up", done)


def to_abandon_table(gone: Row) -> RenderableType:
    """Show what would be given up."""
    return _counts("Lies in files that are gone", gone)


def _counts(title: str, found: Row) -> RenderableType:
    table = cells.table(title, "what", "how much")
    for name, count in found.items():
        table.add_row(name, f"{count:,}")
    return table


def days_table(rows: list[Row]) -> RenderableType:
    """Show what lies in the archive."""
    table = cells.table("In the archive", "day", "interactions", "files", "bytes")
    for row in rows:
        table.add_row(row["day"], *(f"{row[name]:,}" for name in ("interactions", "files", "bytes")))
    return table
