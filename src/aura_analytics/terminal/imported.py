"""What became of taking in a D1 database, of giving one back, and of a comparison, printed."""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO, Any, Self

import msgspec
from rich.table import Table

from aura_analytics.errors import LoadError
from aura_analytics.logs import plain
from aura_analytics.store.cloudflare.export import Exported
from aura_analytics.store.cloudflare.scratch import MOST_NAMES, OTHERS, Loaded, Reject
from aura_analytics.store.cloudflare.taking import Taken
from aura_analytics.terminal import cells
from aura_analytics.terminal.commands import print_json
from aura_analytics.terminal.copied import Copied
from aura_analytics.terminal.screen import notes, results

# Rejects that are shown on the way; all of them are counted, and written to a file where one is named.
SHOWN = 20
FIRST_DAY = datetime(1970, 1, 1, tzinfo=UTC)
COUNTED = ("queries", "outcomes", "GOOD", "REVIEW", "BAD")


class Imported(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a D1 database: on its way out of the dump, out of its tables, and into this one."""

    loaded: Loaded
    taken: Taken
    copied: Copied


class Day(msgspec.Struct, frozen=True, kw_only=True):
    """One day (UTC) there and here, in the order of COUNTED."""

    day: str
    there: tuple[int, ...]
    here: tuple[int, ...]

    @property
    def lacks(self) -> bool:
        """Whether something of there isn't here. A label may be another one by now, but it has to be one."""
        return any(here < there for there, here in zip(_sums(self.there), _sums(self.here), strict=True))


class Rejects:
    """Tells of what isn't taken: a few in words, all in a file, all counted.

    Args:
        path: the file; None where none is wanted.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._file: IO[str] | None = None
        self._stack = ExitStack()
        self.counts: Counter[tuple[str, str]] = Counter()

    def __enter__(self) -> Self:
        if self._path is not None:
            try:
                self._file = self._stack.enter_context(self._path.open("w", encoding="utf-8"))
            except OSError as error:
                raise LoadError(f"{self._path} can't be written: {error.strerror}") from error
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def __call__(self, reject: Reject) -> None:
        """Tell of one."""
        known = (reject.table, reject.reason)
        self.counts[known if known in self.counts or len(self.counts) < MOST_NAMES else (reject.table, OTHERS)] += 1
        if self._file is not None:
            self._file.write(json.dumps(msgspec.structs.asdict(reject)) + "\n")
        if self.counts.total() <= SHOWN:
            notes().print(plain(f"{reject.table}, {reject.place}: {reject.reason}"), markup=False, soft_wrap=True)
        elif self.counts.total() == SHOWN + 1:
            notes().print("more isn't shown; --rejects FILE writes all of it", markup=False)


def show(found: Imported, rejects: Rejects, *, as_json: bool) -> None:
    """Print what became of a D1 database."""
    rejected = [
        {"table": table, "reason": reason, "rows": count} for (table, reason), count in sorted(rejects.counts.items())
    ]
    if as_json:
        print_json(
            {
                "tables": _tables(found),
                "rejected": rejected,
                "unknown_tables": _unknown_tables(found),
                "unknown_columns": found.taken.unknown_columns,
                "left_statements": dict(found.loaded.left),
                "changed_cells": found.copied.changed_cells,
                "verified": found.copied.verified,
                "differing": found.copied.differing,
            }
        )
        return
    console = results()
    console.print(_table(found))
    for line in _lines(found, rejected):
        console.print(plain(line), markup=False, soft_wrap=True)


def show_exported(exported: Exported, *, as_json: bool) -> None:
    """Print what went over."""
    if as_json:
        print_json(
            {
                "rows": dict(exported.rows),
                "without_query": {table: count for table, count in exported.without_query.items() if count},
                "too_long": exported.too_long,
            }
        )
        return
    console = results()
    console.print(", ".join(f"{count:,} {table}" for table, count in exported.rows.items()), soft_wrap=True)
    for table, count in exported.without_query.items():
        if count:
            console.print(f"{table}: {count:,} belong to no query, and D1 takes none such; they stay", soft_wrap=True)
    if exported.too_long:
        console.print(f"{exported.too_long:,} rows of more than 2 MB stay: D1 takes none such", soft_wrap=True)


def days_of(there: Sequence[tuple[Any, ...]], here: Sequence[tuple[Any, ...]]) -> list[Day]:  # Any: cells
    """Put the days of both sides beside each other."""
    both = [{row[0]: tuple(row[1:]) for row in side} for side in (there, here)]
    nothing = (0,) * len(COUNTED)
    return [
        Day(day=_day(number), there=both[0].get(number, nothing), here=both[1].get(number, nothing))
        for number in sorted(both[0].keys() | both[1].keys(), key=str)
    ]


def show_days(days: Sequence[Day], *, as_json: bool) -> None:
    """Print days, and where this database lacks something."""
    if as_json:
        print_json([{**msgspec.structs.asdict(day), "lacks": day.lacks} for day in days])
        return
    heads = [head for name in COUNTED for head in (f">{name} in D1", ">here")]
    table = cells.table("By day (UTC)", "day", *heads, "")
    for day in days:
        numbers = [f"{count:,}" for pair in zip(day.there, day.here, strict=True) for count in pair]
        table.add_row(day.day, *numbers, "lacks" if day.lacks else "")
    console = results()
    console.print(table)
    lacking = sum(day.lacks for day in days)
    console.print(f"{lacking:,} days lack something here" if lacking else "nothing of it is lacking here")


def _sums(counts: tuple[int, ...]) -> tuple[int, int, int]:
    queries, outcomes, *labels = counts
    return queries, outcomes, sum(labels)


def _day(number: object) -> str:
    try:
        return str((FIRST_DAY + timedelta(days=int(str(number)))).date())
    except (OverflowError, ValueError):
        return str(number)


def _tables(found: Imported) -> list[dict[str, Any]]:  # Any: as JSON has it
    copied = {row["table"]: row for row in found.copied.tables}
    return [
        {
            "table": table,
            "held": taken,
            "rejected": found.taken.rejected.get(table, 0),
            "new": copied[table]["copied"],
        }
        for table, taken in found.taken.taken.items()
    ]


def _table(found: Imported) -> Table:
    table = cells.table("Taken in", "table", ">rows", ">new here", ">rejected")
    for row in _tables(found):
        table.add_row(row["table"], f"{row['held']:,}", f"{row['new']:,}", f"{row['rejected']:,}")
    return table


def _unknown_tables(found: Imported) -> dict[str, int]:
    return {**found.loaded.unknown, **found.taken.unknown_tables}


def _lines(found: Imported, rejected: Sequence[dict[str, Any]]) -> Iterator[str]:
    for one in rejected:
        yield f"{one['table']}: {one['rows']:,} not taken: {one['reason']}"
    for table, count in _unknown_tables(found).items():
        yield f"the table {table} isn't known: its {count:,} rows or statements weren't taken"
    for column, count in found.taken.unknown_columns.items():
        yield f"the column {column} isn't known: what it says in {count:,} rows wasn't taken"
    for words, count in found.loaded.left.items():
        yield f"{count:,} statements “{words} …” were left: a dump of rows needs none such"
    if found.copied.changed_cells:
        where = ", ".join(f"{one['table']}.{one['column']} {one['cells']:,}" for one in found.copied.changed_cells)
        yield f"cells that were no values of their columns were changed: {where}"
    if found.copied.differing:
        yield f"{found.copied.differing:,} rows differ from what they are in D1"
    elif found.copied.verified:
        yield "each row was looked at again: all are here"
