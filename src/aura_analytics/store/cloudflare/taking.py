"""The rows of a worker's database, as a database of this version's shape: what holds is taken, what doesn't is told.

The worker's file is only ever read, by statements of our own that name its tables and columns. It may have seen any number
of the migrations, and may have tables and columns of its own.
"""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path

import msgspec

from aura_analytics.errors import LoadError, StoreUnavailable
from aura_analytics.events.records import LABELS
from aura_analytics.store.cloudflare.scratch import KNOWN, MADE_ANEW, Reject, Report
from aura_analytics.store.copying.tables import (
    CONVERSIONS,
    EVALUATIONS,
    HISTORY,
    OUTCOMES,
    QUERIES,
    QUEUE,
    Column,
    Table,
    TableName,
)
from aura_analytics.store.queries import load
from aura_analytics.store.sqlite.connection import connect
from aura_analytics.store.sqlite.migrations import migrate

SQL = load("cloudflare", "sqlite")

# What a row must have to be one, in SQLite's words, by what is wrong where it hasn't. `{key}` is the table's key.
KEY = ("typeof({key}) = 'text' AND {key} <> ''", "its id is no text")
WHOLE = "typeof({name}) = 'integer'"
_LABELS = ", ".join(f"'{label}'" for label in LABELS)
LABEL = (f"label IN ({_LABELS})", f"its label is none of {', '.join(LABELS)}")
EVALUATED = (WHOLE.format(name="evaluated_at"), "evaluated_at is no whole number")
NEEDED: dict[TableName, tuple[tuple[str, str], ...]] = {
    "voice_queries": (
        KEY,
        ("typeof(store_id) = 'text'", "store_id is no text"),
        (WHOLE.format(name="created_at"), "created_at is no whole number"),
        ("typeof(query_text) = 'text'", "query_text is no text"),
    ),
    "voice_outcomes": (KEY,),
    "voice_evaluations": (
        KEY,
        LABEL,
        EVALUATED,
        ("evaluated_by IS NULL OR evaluated_by IN ('auto', 'human')", "evaluated_by is neither auto nor human"),
    ),
    "voice_evaluation_history": (KEY, LABEL, EVALUATED),
    "evaluation_queue": (KEY, (WHOLE.format(name="due_at"), "due_at is no whole number")),
    "voice_conversions": (KEY, (WHOLE.format(name="occurred_at"), "occurred_at is no whole number")),
}
REQUIRED: dict[TableName, frozenset[str]] = {
    "voice_queries": frozenset({"id", "store_id", "created_at", "query_text"}),
    "voice_outcomes": frozenset({"query_id"}),
    "voice_evaluations": frozenset({"query_id", "label", "evaluated_at"}),
    "voice_evaluation_history": frozenset({"query_id", "label", "evaluated_at"}),
    "evaluation_queue": frozenset({"query_id", "due_at"}),
    "voice_conversions": frozenset({"id", "occurred_at"}),
}
TABLES = (QUERIES, OUTCOMES, EVALUATIONS, HISTORY, CONVERSIONS, QUEUE)
# Columns that are no part of a copy, and make no difference to it.
UNIMPORTANT = frozenset({"lease", "waits_since"})


class Taken(msgspec.Struct, kw_only=True):
    """What became of a worker's rows: taken and rejected by table, and what is there that isn't known."""

    taken: dict[str, int] = msgspec.field(default_factory=dict)
    rejected: dict[str, int] = msgspec.field(default_factory=dict)
    unknown_tables: dict[str, int] = msgspec.field(default_factory=dict)
    unknown_columns: dict[str, int] = msgspec.field(default_factory=dict)


def take(worker: Path, made: Path, *, token: str, report: Report, advance: Callable[[str], None]) -> Taken:
    """Make a database of this version's shape out of a worker's.

    Args:
        worker: the worker's file; it is only read.
        made: where the new one is made.
        token: the new one's identity.
        report: is told of each row that is rejected.
        advance: is told which table is gone through.

    Raises:
        LoadError: the worker's file isn't one, or is damaged.
        StoreUnavailable: the new one can't be written.
    """
    migrate(f"sqlite:///{made}")
    with closing(connect(made)) as connection, _read(worker):
        connection.execute("PRAGMA journal_mode = DELETE")
        connection.execute("PRAGMA synchronous = OFF")  # if it is lost, it is made again
        connection.execute("PRAGMA trusted_schema = OFF")
        connection.text_factory = partial(str, encoding="utf-8", errors="replace")
        connection.execute(SQL["attach"], {"path": str(worker)})
        connection.execute("BEGIN")
        taken = _Taking(connection, report, advance).all()
        connection.execute(SQL["identify"], {"token": token})
        connection.execute("COMMIT")
    return taken


class _Taking:
    """Goes through the tables."""

    def __init__(self, connection: sqlite3.Connection, report: Report, advance: Callable[[str], None]) -> None:
        self._connection = connection
        self._report = report
        self._advance = advance
        listed = connection.execute(SQL["tables"]).fetchall()
        self._kinds = {name.lower(): kind for name, kind, _ in listed}
        self._keyed = {name.lower() for name, _, by_key in listed if by_key}
        self._taken = Taken()

    def all(self) -> Taken:
        """Take all there is."""
        if self._kinds.get("voice_queries") != "table":
            raise LoadError("there is no table voice_queries in it: it is no database of the voice assistant")
        for table in TABLES:
            if self._kinds.get(table.name) == "table":
                self._advance(table.name)
                self._table(table)
        if self._kinds.get("evaluation_queue") != "table":
            self._connection.execute(SQL["queue"])
        self._strangers()
        return self._taken

    def _table(self, table: Table) -> None:
        there = {
            name.lower(): hidden for name, hidden in self._connection.execute(SQL["columns"], {"table": table.name})
        }
        if lacking := sorted(REQUIRED[table.name] - there.keys()):
            raise LoadError(f"the table {table.name} has no {', '.join(lacking)}")
        known = {column.name for column in table.columns}
        if calculated := sorted(name for name in known & there.keys() if there[name]):
            raise LoadError(
                f"the table {table.name} calculates {', '.join(calculated)}: only rows that are stored are taken"
            )
        self._unknown_columns(table, sorted(there.keys() - known - UNIMPORTANT))
        needed = [
            (what, why)
            for what, why in NEEDED[table.name]
            if not why.startswith("evaluated_by") or "evaluated_by" in there
        ]
        parts = {
            "table": table.name,
            "key": table.columns[0].name,
            "number": "NULL" if table.name in self._keyed else "rowid",
            "columns": ", ".join(column.name for column in table.columns),
            "cells": ", ".join(_cell(column, there=column.name in there) for column in table.columns),
        }
        parts["holds"] = " AND ".join(f"({what})" for what, _ in needed).format(key=parts["key"])
        parts["reasons"] = " ".join(f"WHEN NOT ({what}) THEN '{why}'" for what, why in needed).format(key=parts["key"])
        taken = self._connection.execute(SQL["take"].format_map(parts)).rowcount
        self._taken.taken[table.name] = taken
        rejected = self._told(table.name, SQL["rejects"].format_map(parts))
        (rows,) = self._connection.execute(SQL["count"].format_map(parts)).fetchone()
        if taken + rejected < rows:
            self._told(table.name, SQL["duplicates"].format_map(parts))
        if taken < rows:
            self._taken.rejected[table.name] = rows - taken

    def _told(self, table: str, sql: str) -> int:
        """Tell of rows that aren't taken; count them."""
        count = 0
        for number, key, reason in self._connection.execute(sql):
            count += 1
            self._report(Reject(table=table, place=f"row {number or '?'}, id {key!r}", reason=reason))
        return count

    def _unknown_columns(self, table: Table, names: list[str]) -> None:
        for name in names:
            quoted = '"' + name.replace('"', '""') + '"'
            parts = {"table": table.name, "column": quoted}
            (count,) = self._connection.execute(SQL["filled"].format_map(parts)).fetchone()
            self._taken.unknown_columns[f"{table.name}.{name}"] = count

    def _strangers(self) -> None:
        """Count what else is there."""
        for name, kind in self._kinds.items():
            if kind == "table" and name not in KNOWN | MADE_ANEW and not name.startswith(("sqlite_", "_cf_")):
                parts = {"table": '"' + name.replace('"', '""') + '"'}
                (count,) = self._connection.execute(SQL["count"].format_map(parts)).fetchone()
                self._taken.unknown_tables[name] = count


def _cell(column: Column, *, there: bool) -> str:
    """Give what stands for a column, in SQLite's words; one that may not be nothing has what else stands for it."""
    instead = "NULL" if column.instead is None else repr(column.instead)
    if not there:
        return instead
    return column.name if column.instead is None else f"coalesce({column.name}, {instead})"


@contextmanager
def _read(worker: Path) -> Iterator[None]:
    """Say of which of the two files something is wrong."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code in {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY}:
            raise StoreUnavailable(f"there is no room to read {worker.name} into: {error}", trouble="full") from error
        raise LoadError(f"the worker's database can't be read: {error}") from error
