"""The commands about databases of Cloudflare's D1: taking one in, giving one back, and comparing one by days."""

import asyncio
import gzip
import tempfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from hashlib import file_digest
from pathlib import Path
from typing import Annotated, Any, BinaryIO, cast

import msgspec
import typer

from aura_analytics.errors import LoadError, MigrationError, StoreUnavailable
from aura_analytics.settings import Settings
from aura_analytics.store import copying_side, migrate
from aura_analytics.store.cloudflare.dump import Dump
from aura_analytics.store.cloudflare.export import Exported, export_file, export_script
from aura_analytics.store.cloudflare.scratch import Loaded, Reject, Scratch
from aura_analytics.store.cloudflare.taking import Taken, take
from aura_analytics.store.sqlite.backup import copy_over
from aura_analytics.terminal import copying, imported
from aura_analytics.terminal.backup import Force, written_beside
from aura_analytics.terminal.imported import Imported, Rejects
from aura_analytics.terminal.reading import HELP_JSON, Database
from aura_analytics.terminal.recording import put_on_record
from aura_analytics.terminal.running import run, settings_for
from aura_analytics.terminal.screen import Meter, progress
from aura_analytics.terminal.shelved import tell_of_archive, tell_of_leaving
from aura_analytics.terminal.unmasked import tell_of_texts

GZIP, SQLITE = b"\x1f\x8b", b"SQLite format 3\0"
SCRIPT = ".sql"

AsJson = Annotated[bool, typer.Option("--json", help=HELP_JSON)]
Source = Annotated[
    Path,
    typer.Argument(metavar="FILE", help="What wrangler d1 export wrote, also gzip; or a D1 database's .sqlite file."),
]
RejectsFile = Annotated[
    Path | None, typer.Option("--rejects", metavar="FILE", help="Write what isn't taken there, one a line, as JSON.")
]


def add_to(cli: typer.Typer) -> None:
    """Add the commands to the command line."""
    group = typer.Typer(help="Come from Cloudflare's D1, and go back there.", no_args_is_help=True)
    group.command("import")(_import)
    group.command("export")(_export)
    group.command("compare")(_compare)
    cli.add_typer(group, name="d1")


def _import(
    file: Source,
    *,
    database: Database = None,
    rejects: RejectsFile = None,
    verifies: Annotated[
        bool, typer.Option("--verify/--no-verify", help="Look at each row again at the end, in both.")
    ] = True,
    as_json: AsJson = False,
) -> None:
    """Take in a D1 database; again, only what is new. The service may be running."""
    settings = settings_for(database)
    tell_of_texts(settings)
    with Rejects(rejects) as report:
        found = run(take_in(settings, file, report, verifies=verifies))
    rows = {row["table"]: row["copied"] for row in found.copied.tables}
    put_on_record(settings, "d1.imported", subject=str(file.absolute()), details={"new_rows": rows})
    imported.show(found, report, as_json=as_json)
    if found.copied.differing:
        raise typer.Exit(1)


def _export(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="NAME.sql for wrangler, or else a SQLite file.")],
    *,
    database: Database = None,
    as_sql: Annotated[bool, typer.Option("--sql", help="Write SQL, whatever the file's name is.")] = False,
    everything: Annotated[
        bool, typer.Option("--all", help="All columns and tables, for a D1 that has seen all migrations.")
    ] = False,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Write what the guide's tables hold, as they are in D1."""
    settings = settings_for(database)
    script = as_sql or file.suffix == SCRIPT
    migrate(settings)
    archived = tell_of_archive(settings, "they aren't exported; aura-analytics archive restore puts them back first")
    exported = given_back(settings, file, script=script, everything=everything, force=force)
    tell_of_leaving(settings, archived)
    put_on_record(settings, "d1.exported", subject=str(file.absolute()), details={"rows": dict(exported.rows)})
    imported.show_exported(exported, as_json=as_json)


def _compare(file: Source, *, database: Database = None, as_json: AsJson = False) -> None:
    """Count a D1 database and this one by day; the exit code is 1 where this one lacks something."""
    settings = settings_for(database)
    days = compared(settings, file)
    tell_of_archive(settings, "they aren't counted")
    imported.show_days(days, as_json=as_json)
    if any(day.lacks for day in days):
        raise typer.Exit(1)


async def take_in(settings: Settings, file: Path, report: Rejects, *, verifies: bool) -> Imported:
    """Take in a D1 database."""
    with tempfile.TemporaryDirectory(prefix="aura-d1-") as folder:
        made = Path(folder) / "made.db"
        loaded, taken = await asyncio.to_thread(_made, file, made, report)
        source = msgspec.structs.replace(settings, aura_database_url=f"sqlite:///{made}")
        wanted = copying.Wanted(verifies=verifies, tells=False)
        try:
            copied = await copying.copy(source, settings, wanted)
        except (LoadError, MigrationError, StoreUnavailable) as error:
            error.args = (str(error).removeprefix(f"{copying.TO}: "), *error.args[1:])
            raise
    return Imported(taken=taken, loaded=loaded, copied=copied)


def given_back(settings: Settings, file: Path, *, script: bool, everything: bool, force: bool) -> Exported:
    """Write a database for D1."""
    migrate(settings)
    side = copying_side(settings)
    with written_beside(file, force=force) as beside, closing(side), progress("exporting", None) as meter:
        side.open()
        write = export_script if script else export_file
        return write(side, beside, everything=everything, advance=lambda done: meter.set(done, f"{done:,}"))


def compared(settings: Settings, file: Path) -> list[imported.Day]:
    """Count both by day."""
    migrate(settings)
    with tempfile.TemporaryDirectory(prefix="aura-d1-") as folder, Rejects(None) as report:
        made = Path(folder) / "made.db"
        _made(file, made, report)
        there = _days(msgspec.structs.replace(settings, aura_database_url=f"sqlite:///{made}"))
    here = _days(settings)
    return imported.days_of(there, here)


def _days(settings: Settings) -> list[tuple[Any, ...]]:  # Any: cells
    side = copying_side(settings)
    with closing(side):
        side.open()
        return side.days()


def _made(file: Path, made: Path, report: Callable[[Reject], None]) -> tuple[Loaded, Taken]:
    """Make a database of this version's shape out of a worker's, whichever form it comes in."""
    worker = made.with_name("worker.db")
    try:
        with _opened(file) as (opened, begin, size):
            if begin == SQLITE:
                loaded, token = _copied(file, worker)
            elif begin.strip(b"\0") and b"\0" not in begin:
                loaded, token = _loaded(opened, size, worker, report)
            else:
                raise LoadError(f"{file} is neither a SQL dump nor a SQLite file")
    except (OSError, EOFError, zlib.error) as error:
        raise LoadError(f"{file} can't be read: {getattr(error, 'strerror', None) or error}") from error
    with progress("reading", None) as meter:
        taken = take(worker, made, token=token, report=report, advance=lambda table: meter.set(0, table))
    worker.unlink()
    return loaded, taken


def _copied(file: Path, worker: Path) -> tuple[Loaded, str]:
    with progress("copying", 1.0) as meter:
        copy_over(file, worker, meter.set)
    with worker.open("rb") as copied:
        return Loaded(), f"d1-{file_digest(copied, 'blake2b').hexdigest()[:32]}"


def _loaded(opened: BinaryIO, size: int | None, worker: Path, report: Callable[[Reject], None]) -> tuple[Loaded, str]:
    with progress("reading", size) as meter:
        dump = Dump(opened, _rated(meter))
        loaded = Scratch(worker, report).load(dump.statements())
    return loaded, f"d1-{dump.content}"


def _rated(meter: Meter) -> Callable[[int], None]:
    return lambda read: meter.set(read, f"{read >> 20:,} MiB")


@contextmanager
def _opened(file: Path) -> Iterator[tuple[BinaryIO, bytes, int | None]]:
    """Open a file from its begin, which is given along, and its size, where that is known."""
    with file.open("rb") as plain:
        packed = plain.read(len(GZIP)) == GZIP
        plain.seek(0)
        if not packed:
            begin = plain.read(len(SQLITE))
            plain.seek(0)
            yield plain, begin, file.stat().st_size
            return
        with gzip.open(plain) as unpacked:
            begin = unpacked.read(len(SQLITE))
            if begin == SQLITE:
                raise LoadError(f"{file} is a packed SQLite file: unpack it first")
            unpacked.seek(0)
            yield cast("BinaryIO", unpacked), begin, None
