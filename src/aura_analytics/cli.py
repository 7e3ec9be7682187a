"""The command line: arguments only. Each command calls one function of a room below."""

import os
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from aura_analytics.errors import AuraError
from aura_analytics.events.records import Label
from aura_analytics.logs import plain
from aura_analytics.stats.training import ExampleFilter
from aura_analytics.store import migrate as run_migrate
from aura_analytics.terminal import (
    alerts,
    archive,
    backup,
    batch,
    cloudflare,
    commands,
    copied,
    copying,
    doctor,
    judge,
    keyring,
    options,
    persons,
    reading,
    redo,
    review,
    rules,
    tables,
    tail,
)
from aura_analytics.terminal.export import export as run_export
from aura_analytics.terminal.reading import Database
from aura_analytics.terminal.running import run, settings_for
from aura_analytics.terminal.screen import notes
from aura_analytics.version import __version__

cli = typer.Typer(
    name="aura-analytics",
    help="What a voice shopping assistant was asked, what became of it, and how good it was.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
reading.add_to(cli)
rules.add_to(cli)
judge.add_to(cli)
review.add_to(cli)
keyring.add_to(cli)
persons.add_to(cli)
backup.add_to(cli)
cloudflare.add_to(cli)
alerts.add_to(cli)
archive.add_to(cli)
cli.command()(tail.tail)
cli.command()(doctor.doctor)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


class Dialect(StrEnum):
    """Whose tuning format an export has."""

    openai = "openai"
    anthropic = "anthropic"
    gemini = "gemini"


class LabelName(StrEnum):
    """A label, as an argument."""

    good = "GOOD"
    review = "REVIEW"
    bad = "BAD"


def main() -> NoReturn:
    """Run the command line; an error is one line and an exit code."""
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:  # uvloop aborts where one of the three is closed
        pass
    os.close(descriptor)
    try:
        cli(standalone_mode=True)
    except AuraError as error:
        notes().print(f"error: {plain(str(error))}", style="red", markup=False, soft_wrap=True)
        sys.exit(1)
    sys.exit(0)


def _print_version(asked: bool) -> None:  # noqa: FBT001 (Typer's own)
    if asked:
        print(__version__)  # noqa: T201 (a result)
        raise typer.Exit


@cli.callback()
def version(
    show: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    """What a voice shopping assistant was asked, what became of it, and how good it was."""
    del show  # its callback has done it


@cli.command()
def serve(
    database: Database = None,
    host: Annotated[str | None, typer.Option(help="Address to serve on; HOST by default.")] = None,
    port: Annotated[str | None, typer.Option(help="Port to serve on; PORT by default, 0 takes a free one.")] = None,
    evaluates: Annotated[
        bool | None,
        typer.Option("--evaluate/--no-evaluate", help="Label interactions in this server; AURA_EVALUATE by default."),
    ] = None,
    stats: Annotated[
        bool | None,
        typer.Option("--stats/--no-stats", help="Keep statistics in this server; AURA_STATISTICS by default."),
    ] = None,
) -> None:
    """Serve ingest, evaluation and statistics."""
    switches = {"AURA_EVALUATE": _switch(evaluates), "AURA_STATISTICS": _switch(stats)}
    settings = settings_for(database, log_level="info", HOST=host, PORT=port, **switches)
    # Imported here, as for the demonstration: no other command needs what a server is made of, which takes long to load.
    from aura_analytics.app import serve as run_server  # noqa: PLC0415

    run(run_server(settings))


def _switch(given: bool | None) -> str | None:  # noqa: FBT001 (a flag, as Typer has it)
    return None if given is None else "on" if given else "off"


@cli.command()
def migrate(
    database: Database = None,
    status: Annotated[
        bool, typer.Option("--status", help="List the migrations and when each was applied; change nothing.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Bring the database to this version's shape."""
    settings = settings_for(database)
    if status:
        commands.show(commands.migrated(settings), tables.migrations_table, as_json=as_json)
        return
    commands.show_applied(run_migrate(settings), as_json=as_json)


@cli.command()
def ingest(
    files: Annotated[
        list[str], typer.Argument(metavar="FILE…", help="NDJSON or JSON, also gzip; - is standard input.")
    ],
    database: Database = None,
    url: Annotated[str | None, typer.Option(help="Send to a running service instead of into the database.")] = None,
    as_json: AsJson = False,
) -> None:
    """Take in files of events."""
    settings = settings_for(database)
    loaded = run(commands.ingest(settings, files, url))
    commands.show_loaded(loaded, as_json=as_json)
    if loaded.rejected:
        raise typer.Exit(1)


@cli.command()
@options.taking(redo.OPTIONS)
def evaluate(
    where: dict[str, Any],  # Any: a text, or a number
    database: Database = None,
    failed: Annotated[bool, typer.Option("--failed", help="List those that got no label, and why.")] = False,
    retry: Annotated[bool, typer.Option("--retry-failed", help="Make those due again first.")] = False,
    watch: Annotated[
        bool, typer.Option("--watch", help="Look again every EVAL_INTERVAL_SECONDS, until SIGTERM or Ctrl-C.")
    ] = False,
    batches: Annotated[
        bool, typer.Option("--batch", help="Hand it over in Gemini's batch mode: half the price, within a day.")
    ] = False,
    waits: Annotated[
        bool,
        typer.Option("--wait/--no-wait", help="With --batch: wait for the answers, or let the next one fetch them."),
    ] = True,
    again: Annotated[bool, typer.Option("--redo", help="Label some anew first; their labels stay as history.")] = False,
    as_json: AsJson = False,
) -> None:
    """Label what is due, now."""
    if where and not again:
        raise typer.BadParameter(f"--{next(iter(where))} goes with --redo")
    if not waits and not batches:
        raise typer.BadParameter("--no-wait goes with --batch")
    if watch:
        if failed or retry or batches or again or as_json:
            raise typer.BadParameter("--watch goes with --database only")
        run(commands.watch(settings_for(database, log_level="info")))
        return
    if failed and (again or batches):
        raise typer.BadParameter("--failed goes without --redo and --batch")
    settings = settings_for(database)
    if failed:
        commands.show(run(commands.failed(settings)), tables.failed_table, as_json=as_json)
        return
    if again:
        commands.show_requeued(run(redo.requeue(settings, redo.read_choice(where))))
    if batches:
        batch.show(run(batch.evaluate(settings, waits=waits, retry=retry)), as_json=as_json)
        return
    commands.show_tally(run(commands.evaluate(settings, retry=retry)), as_json=as_json)


@cli.command()
@options.scoped(without="label")
def export(
    where: dict[str, Any],  # Any: a text, or several
    database: Database = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="A file; by default standard output.")] = None,
    dialect: Annotated[Dialect, typer.Option("--format", help="Whose tuning format.")] = Dialect.openai,
    label: Annotated[LabelName, typer.Option(case_sensitive=False, help="Only this label.")] = LabelName.good,
    min_confidence: Annotated[float, typer.Option(min=0, max=1, help="Least confidence of the label.")] = 0.8,
    max_latency: Annotated[float, typer.Option(min=0, help="Longest answer, in milliseconds.")] = 8_000,
    limit: Annotated[int | None, typer.Option(min=1, max=100_000, help="Most examples; by default all.")] = None,
) -> None:
    """Write training data: a chat example a line. Without a period it is all there is."""
    chosen = ExampleFilter(label=_label(label), min_confidence=min_confidence, max_latency_ms=max_latency, limit=limit)
    if not {"period", "from", "to"} & where.keys():
        where = where | {"period": "all"}
    run(run_export(settings_for(database), where, chosen, dialect.value, output))


@cli.command()
def verify(
    database: Database = None,
    rebuild: Annotated[
        bool, typer.Option("--rebuild", help="Throw the columns away and build them anew first.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Compare rows and columns, cell by cell; each difference is named."""
    found = run(commands.verify(settings_for(database), rebuild=rebuild))
    commands.show_verification(found, as_json=as_json)
    if found["differing"]:
        raise typer.Exit(1)


@cli.command()
def copy(
    source: Annotated[str, typer.Option("--from", metavar="URL", help="The database that is copied.")],
    target: Annotated[str, typer.Option("--to", metavar="URL", help="The database that it is copied into.")],
    verifies: Annotated[
        bool, typer.Option("--verify/--no-verify", help="Compare both by counts and checksums at the end.")
    ] = True,
    only_verifies: Annotated[bool, typer.Option("--verify-only", help="Compare; copy nothing.")] = False,
    finishes: Annotated[
        bool, typer.Option("--finish", help="Then let the source forget that it was copied: this was the last time.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Copy a database into another one, while both are in use; again, only what changed since."""
    if only_verifies and (finishes or not verifies):
        raise typer.BadParameter("--verify-only goes with neither --no-verify nor --finish")
    wanted = copying.Wanted(copies=not only_verifies, verifies=verifies, finishes=finishes)
    databases = copying.settings_of(copying.FROM, source), copying.settings_of(copying.TO, target)
    found = run(copying.copy(*databases, wanted))
    copied.show_copied(found, as_json=as_json)
    if found.differing:
        raise typer.Exit(1)


@cli.command()
def demo(
    database: Database = None,
    host: Annotated[str | None, typer.Option(help="Address to serve on; HOST by default.")] = None,
    port: Annotated[str | None, typer.Option(help="Port to serve on; PORT by default, 0 takes a free one.")] = None,
) -> None:
    """Serve, send 400 interactions of made-up shops through it, label them, and show the numbers."""
    settings = settings_for(database, HOST=host, PORT=port, AURA_EVALUATE="on", AURA_STATISTICS="on")
    from aura_analytics.demo.run import demo as run_demo  # noqa: PLC0415 (as above)

    run(run_demo(settings))


def _label(name: LabelName) -> Label:
    labels: dict[LabelName, Label] = {LabelName.good: "GOOD", LabelName.review: "REVIEW", LabelName.bad: "BAD"}
    return labels[name]
