"""What became of a copy, printed: a table, and a line for each thing that whoever copies should know."""

import json
from collections.abc import Iterator
from typing import Any

import msgspec
from rich.table import Table

from aura_analytics.logs import plain
from aura_analytics.terminal import cells
from aura_analytics.terminal.screen import results

# What can't go along, as `store.copying.along` counts it.
LEFT = {
    "forgotten_left": "{:,} interactions and persons that the source takes in no more can't be told to the target,"
    " which has erased some itself",
    "early_outcomes_left": "{:,} outcomes wait at the source for queries that haven't come there: copy again once they have,"
    " or have them sent again",
}


class Copied(msgspec.Struct, kw_only=True):
    """What became of a copy. Any: rows of a table, as they are printed."""

    tables: list[dict[str, Any]] = msgspec.field(default_factory=list)
    changed_cells: list[dict[str, Any]] = msgspec.field(default_factory=list)
    left_rows: dict[str, int] = msgspec.field(default_factory=dict)
    along: dict[str, int] = msgspec.field(default_factory=dict)
    verified: bool = False
    differing: int = 0
    changing: int = 0
    source_went_on: bool = False
    finished: bool = False


def show_copied(copied: Copied, *, as_json: bool) -> None:
    """Print what became of a copy."""
    if as_json:
        print(json.dumps(msgspec.structs.asdict(copied), indent=2))  # noqa: T201 (a result)
        return
    console = results()
    console.print(_table(copied))
    for line in _lines(copied):
        console.print(plain(line), markup=False, soft_wrap=True)


def _table(copied: Copied) -> Table:
    if not copied.verified:
        table = cells.table("Copied", "table", ">copied")
        for row in copied.tables:
            table.add_row(row["table"], f"{row['copied']:,}")
        return table
    table = cells.table("Copied", "table", ">rows", ">copied", ">the target's own", "checksum")
    for row in copied.tables:
        agree = "ok" if row["source_checksum"] == row["target_checksum"] else "differs"
        table.add_row(
            row["table"],
            f"{row['rows']:,}",
            f"{row['copied']:,}",
            f"{row['kept']:,}",
            f"{agree} {row['source_checksum']}",
        )
    return table


def _lines(copied: Copied) -> Iterator[str]:
    for row in copied.tables:
        if row.get("differing"):
            yield f"{row['table']}: {row['differing']:,} rows differ, such as {', '.join(row['first_ids'])}"
    if copied.changed_cells:
        count = sum(one["cells"] for one in copied.changed_cells)
        where = ", ".join(f"{one['table']}.{one['column']} {one['cells']:,}" for one in copied.changed_cells)
        yield f"{count:,} cells were no values of their columns and were changed: {where}"
    for table, count in copied.left_rows.items():
        yield f"{table}: {count:,} rows without a key or a label that can be stored were left"
    yield from _lines_along(copied.along)
    if copied.changing:
        yield f"{copied.changing:,} kept changing at the source: copy again once nothing writes to it"
    elif copied.source_went_on:
        yield "the source went on changing: copy again once nothing writes to it"
    if copied.finished:
        yield "finished: the source no longer keeps its changes for another copy"


def _lines_along(along: dict[str, int]) -> Iterator[str]:
    if went := {name: count for name, count in along.items() if name not in LEFT}:
        yield f"along with them: {', '.join(f'{name} {count:,}' for name, count in went.items())}"
    for name, line in LEFT.items():
        if left := along.get(name):
            yield line.format(left)
