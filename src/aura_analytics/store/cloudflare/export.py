"""The way back: what D1's tables hold of a database, as SQL for wrangler or as a SQLite file."""

import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Protocol

import msgspec

from aura_analytics.store.cloudflare.script import Script
from aura_analytics.store.copying.course import start_of
from aura_analytics.store.copying.page import Page, Reader
from aura_analytics.store.copying.side import Side
from aura_analytics.store.copying.tables import (
    CONVERSIONS,
    EVALUATIONS,
    HISTORY,
    OUTCOMES,
    QUERIES,
    QUEUE,
    STAGES,
    Stage,
    Table,
)
from aura_analytics.store.migrations import available
from aura_analytics.store.queries import Row, expand, load
from aura_analytics.store.sqlite.connection import translated
from aura_analytics.store.sqlite.migrations import DIRECTORY, statements

GIVEN = load("cloudflare", "sqlite")
COPIED = load("copying", "sqlite")

# The last of the guide's own migrations.
GUIDE = 4


class Part(msgspec.Struct, frozen=True):
    """What goes over of a table: the first so many of its columns, by a statement."""

    table: Table
    columns: int
    statement: str


# Queries lead: D1 takes nothing that refers to what isn't there.
GUIDES = (
    Part(QUERIES, 9, GIVEN["give_queries"]),
    Part(OUTCOMES, 11, GIVEN["give_outcomes"]),
    Part(EVALUATIONS, 6, GIVEN["give_evaluations"]),
)
ALL = (
    Part(QUERIES, len(QUERIES.columns), COPIED["write_queries"]),
    Part(OUTCOMES, len(OUTCOMES.columns), COPIED["write_outcomes"]),
    Part(EVALUATIONS, len(EVALUATIONS.columns), COPIED["write_evaluations"]),
    Part(HISTORY, len(HISTORY.columns), GIVEN["give_history"]),
    Part(QUEUE, len(QUEUE.columns), COPIED["write_queue"]),
)
PURCHASES = (Part(CONVERSIONS, len(CONVERSIONS.columns), COPIED["write_conversions"]),)


class Sink(Protocol):
    """Where rows go."""

    def write(self, table: Table, statement: str, rows: list[Row]) -> int:
        """Write rows; tell how many it were."""


class Exported(msgspec.Struct, kw_only=True):
    """What went over by table, and what had to stay: by the table, what belongs to no query; and rows that are too long."""

    rows: Counter[str] = msgspec.field(default_factory=Counter)
    without_query: Counter[str] = msgspec.field(default_factory=Counter)
    too_long: int = 0


def export_script(side: Side, path: Path, *, everything: bool, advance: Callable[[int], None]) -> Exported:
    """Write the SQL."""
    with path.open("wb") as file:
        script = Script(file)
        exported = _Export(side, script, everything=everything, advance=advance).run()
        exported.too_long = script.too_long
    return exported


def export_file(side: Side, path: Path, *, everything: bool, advance: Callable[[int], None]) -> Exported:
    """Make the SQLite file."""
    with translated(), closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = OFF")  # it is put in its place only when it is whole
        connection.execute("BEGIN")
        for migration in available(DIRECTORY):
            if everything or migration.version <= GUIDE:
                for statement in statements(migration.sql):
                    connection.execute(statement)
        exported = _Export(side, _File(connection), everything=everything, advance=advance).run()
        connection.execute("COMMIT")
    return exported


class _File:
    """Writes rows into a SQLite file."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def write(self, _: Table, statement: str, rows: list[Row]) -> int:
        """Write rows."""
        if not rows:
            return 0
        # One row of placeholders is one of values to the history's statement, too.
        self._connection.executemany(expand(statement, len(rows[0]), 1), rows)
        return len(rows)


class _Export:
    """Goes through a database."""

    def __init__(self, side: Side, sink: Sink, *, everything: bool, advance: Callable[[int], None]) -> None:
        self._reader = Reader(side)
        self._sink = sink
        self._everything = everything
        self._advance = advance
        self._exported = Exported()

    def run(self) -> Exported:
        """Write all there is."""
        interactions, *others = STAGES
        self._stage(interactions, ALL if self._everything else GUIDES)
        for stage in others:
            if stage.walked != "voice_conversions":
                self._exported.without_query[stage.walked] += sum(len(page.ids) for page in self._pages(stage))
            elif self._everything:
                self._stage(stage, PURCHASES)
        return self._exported

    def _stage(self, stage: Stage, parts: tuple[Part, ...]) -> None:
        done = 0
        for page in self._pages(stage):
            for part in parts:
                found = page.rows[part.table.name]
                rows = [row[: part.columns] for id in page.ids for row in found.get(id, [])]
                self._exported.rows[part.table.name] += self._sink.write(part.table, part.statement, rows)
            done += len(page.ids)
            self._advance(done)

    def _pages(self, stage: Stage) -> Iterator[Page]:
        return self._reader.walk(stage, start_of(stage, ""))
