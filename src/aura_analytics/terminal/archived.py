"""Asking the archive in SQL, as a command: the same rows as a table, as CSV or as JSON."""

import csv
import io
import json
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import IO, Annotated, Any

import typer
from rich.console import Console, RenderableType
from rich.text import Text

from aura_analytics.archive.course import Archiver
from aura_analytics.archive.opening import cache_of, opened_archiver
from aura_analytics.archive.query import Answer, Counted, Limits, Shelf, asked
from aura_analytics.archive.shape import COLUMNS, ID
from aura_analytics.logs import plain
from aura_analytics.settings import Settings
from aura_analytics.stats.formula import harmless
from aura_analytics.store import migrate
from aura_analytics.terminal import cells
from aura_analytics.terminal.reading import HELP_JSON, Database
from aura_analytics.terminal.running import settings_for
from aura_analytics.terminal.screen import notes, results

# What a table shows at most; CSV and JSON have all.
MOST_SHOWN = 1_000
# JSON in a cell of a table that is longer is cut off there.
LONGEST_CELL = 500

# Any, throughout: what JSON can hold.
Row = Sequence[Any]


def query(
    sql: Annotated[
        str, typer.Argument(metavar="SQL", help="A SELECT about the table `interactions`; - is standard input.")
    ],
    *,
    archive: Annotated[
        str | None, typer.Option("--archive", metavar="URL", help="Where its files lie; ARCHIVE_URL by default.")
    ] = None,
    database: Database = None,
    seconds: Annotated[float, typer.Option("--seconds", min=0.1, max=86_400, help="How long it may take.")] = 60,
    memory: Annotated[
        int, typer.Option("--memory", min=64, max=1_048_576, help="What memory it may take, in MiB.")
    ] = 512,
    as_json: Annotated[bool, typer.Option("--json", help=HELP_JSON)] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV.")] = False,
) -> None:
    """Ask what lies in the archive in SQL (DuckDB's). Nothing can be changed so, and no other file is read."""
    settings = settings_for(database, ARCHIVE_URL=archive)
    sql = sys.stdin.read() if sql == "-" else sql
    with _while_read(), answered(settings, sql, Limits(seconds=seconds, memory_mb=memory)) as answer:
        if as_csv:
            show_csv(answer)
        elif as_json or not results().is_terminal:
            show_json(answer)
        else:
            show_table(answer)


@contextmanager
def answered(settings: Settings, sql: str, limits: Limits) -> Iterator[Answer]:
    """Ask the archive of a database.

    Raises:
        ParameterError: it is no SELECT, or can't be answered as it stands.
        ArchiveError: files can't be read, or it takes more than it may.
    """
    migrate(settings)
    with opened_archiver(settings) as archiver:
        shelf = Shelf(files=archiver.files, counted=lambda: counted(archiver), columns=COLUMNS)
        with asked(sql, shelf, cache_of(settings), limits) as answer:
            yield answer


def counted(archiver: Archiver) -> Iterator[Counted]:
    """Tell which files count, and of those that hold more than is in force, what is."""
    for file in archiver.shelf.files():
        if file.held == file.interactions:
            yield Counted(file.path, format=file.format)
        elif file.held:
            yield Counted(file.path, [flat[ID] for flats in archiver.in_force(file) for flat in flats], file.format)


def show_csv(answer: Answer) -> None:
    """Print CSV: as it is in a pipe, and so that nothing in it acts on it on a terminal."""
    console = results()
    _print_csv([harmless(name) for name in answer.columns], console)
    for row in answer.rows:
        _print_csv([_csv_cell(cell) for cell in row], console)


def show_json(answer: Answer) -> None:
    """Print JSON, an object a line; what people said is escaped, so that no terminal acts on it."""
    before = "[\n  "
    for row in answer.rows:
        sys.stdout.write(before + json.dumps(dict(zip(answer.columns, row, strict=True))))
        before = ",\n  "
    sys.stdout.write("[]\n" if before.startswith("[") else "\n]\n")


def show_table(answer: Answer) -> None:
    """Print a table of the first rows."""
    shown = list(islice(answer.rows, MOST_SHOWN))
    results().print(rows_table(answer.columns, shown))
    if next(answer.rows, None) is not None:
        notes().print(f"the first {MOST_SHOWN:,}; --csv and --json print all", markup=False)


def rows_table(columns: Sequence[str], rows: Sequence[Row]) -> RenderableType:
    """Make a table of rows; columns of numbers stand to the right."""
    numbers = [all(_is_number(row[place]) for row in rows) for place in range(len(columns))]
    table = cells.table(
        "", *(f">{plain(name)}" if number else plain(name) for name, number in zip(columns, numbers, strict=True))
    )
    table.title = None
    for row in rows:
        table.add_row(*map(_table_cell, row))
    return table


def _is_number(cell: Any) -> bool:
    return cell is None or (isinstance(cell, int | float) and not isinstance(cell, bool))


def _table_cell(cell: Any) -> Text:
    if isinstance(cell, bool | dict | list):
        return cells.said(json.dumps(cell, ensure_ascii=False)[:LONGEST_CELL])
    return cells.said(None if cell is None else str(cell))


def _csv_cell(cell: Any) -> str | int | float | None:
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, dict | list):
        cell = json.dumps(cell, ensure_ascii=False)
    return harmless(cell) if isinstance(cell, str) else cell


def _print_csv(row: Row, console: Console) -> None:
    file = io.StringIO(newline="")
    csv.writer(file, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\r\n").writerow(row)
    if console.is_terminal:
        console.print(plain(file.getvalue()[:-2]), markup=False, emoji=False, soft_wrap=True)
    else:
        _bytes(sys.stdout).write(file.getvalue().encode(errors="replace"))


def _bytes(stream: Any) -> IO[bytes]:  # Any: what stands for a terminal in tests
    binary: IO[bytes] = stream.buffer
    return binary


@contextmanager
def _while_read() -> Iterator[None]:
    """End quietly where whoever reads the answer has read enough, or whoever asked thinks better of it (Ctrl-C)."""
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(0) from None
    except KeyboardInterrupt:
        raise typer.Exit(130) from None
