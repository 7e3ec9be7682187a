"""Taking rows over into the columns: DuckDB's own appender, fed by the slice.

It takes the store's tuples as they are, so that nothing has to be carried beside DuckDB for it. A slice is one call that
keeps the interpreter's lock, and the event loop of this process waits for it; hence their size.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import duckdb

from aura_analytics.projection import schema
from aura_analytics.projection.schema import TYPES
from aura_analytics.store.port import WideRow

SLICE_ROWS = 256
LARGEST_INT = 2**63 - 1


def append(
    connection: duckdb.DuckDBPyConnection,
    rows: Sequence[WideRow],
    table: str = "interactions",
    columns: Sequence[str] = tuple(TYPES),
) -> None:
    """Add rows to a table, in the caller's transaction.

    A database that others have written to may hold a text in a column of numbers. Such a cell must not stop the feed:
    where a row can't be taken as it is, the cells that are no value of their column become NULL.
    """
    appender = connection.appender(table, columns=list(columns))
    try:
        for start in range(0, len(rows), SLICE_ROWS):
            appender.append_rows(rows[start : start + SLICE_ROWS])
        appender.flush()
    finally:
        appender.clear()


def replace(cursor: duckdb.DuckDBPyConnection, rows: Sequence[WideRow]) -> None:
    """Have these rows in the place of what there is of the same interactions, in the caller's transaction."""
    created = [row[schema.CREATED_AT] for row in rows]
    ids = [row[schema.ID] for row in rows]
    if None in created:  # a moment that is none: there is no range to look in
        cursor.execute(schema.DELETE_GONE, [ids])
    else:
        cursor.execute(schema.DELETE_CHANGED, [min(created), max(created), ids])
    append(cursor, rows)


def coerced(rows: Iterable[WideRow], kinds: Sequence[str] = tuple(TYPES.values())) -> list[WideRow]:
    """Give rows in which every cell fits its column, for a database that holds others."""
    return [tuple(fitting(cell, kind) for cell, kind in zip(row, kinds, strict=True)) for row in rows]


def _as_text(blob: bytes) -> str:
    """Write bytes as DuckDB does where it takes them over by itself."""
    return "".join(chr(byte) if 32 <= byte <= 126 and byte not in b"\\'\"" else f"\\x{byte:02X}" for byte in blob)


def fitting(cell: Any, kind: str) -> Any:  # Any: what SQLite lets people store
    """Give a cell as its column holds it; None where it is no value of it."""
    if cell is None:
        return None
    if kind == "VARCHAR":
        return _as_text(cell) if isinstance(cell, bytes) else str(cell)
    if isinstance(cell, bool | int | float):
        if kind == "DOUBLE":
            return float(cell)
        if kind == "BOOLEAN":
            return bool(cell)
        return round(cell) if abs(cell) <= LARGEST_INT else None  # which is false of what is no number
    return None
