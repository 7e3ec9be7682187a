"""A list of Structs as a table: its columns by the Struct's annotations, its cells, and the whole of it as Parquet."""

import math
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import duckdb
import msgspec

ColumnType = Literal["BIGINT", "DOUBLE", "BOOLEAN", "VARCHAR", "VARCHAR[]"]

SIMPLE: dict[Any, ColumnType] = {bool: "BOOLEAN", int: "BIGINT", float: "DOUBLE", str: "VARCHAR"}
LARGEST_INT = 2**63 - 1
# The appender keeps the interpreter's lock for a slice: larger ones would hold up every request meanwhile.
SLICE_ROWS = 256
CONFIG: dict[str, str | bool | int | float | list[str]] = {
    "threads": "1",
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
}


class Column(msgspec.Struct, frozen=True, kw_only=True):
    """One column. `name` is the key that JSON has; `nested` values become JSON in a text."""

    name: str
    attribute: str
    type: ColumnType
    nested: bool = False


def columns(kind: type[msgspec.Struct]) -> list[Column]:
    """Give the columns of a Struct, in its order."""
    return [_column(field) for field in msgspec.structs.fields(kind)]


def cells(columns: Sequence[Column], rows: Iterable[msgspec.Struct]) -> Iterator[tuple[Any, ...]]:
    """Give the rows' cells. Any: a number, a text, a truth, a list of texts, or None."""
    for row in rows:
        yield tuple(_cell(getattr(row, column.attribute), column) for column in columns)


def parquet(columns: Sequence[Column], rows: Iterable[tuple[Any, ...]]) -> bytes:
    """Write a table as a Parquet file. It blocks; its place is a thread. Any: see `cells`."""
    with tempfile.TemporaryDirectory(prefix="aura-") as folder, duckdb.connect(":memory:", config=CONFIG) as connection:
        # No name of a Struct's field can hold a quotation mark.
        described = ", ".join(f'"{column.name}" {column.type}' for column in columns)
        connection.execute(f"CREATE TABLE answer ({described})")
        _append(connection, columns, rows)
        file = Path(folder, "answer.parquet")
        connection.execute(f"COPY answer TO '{file}' (FORMAT parquet, COMPRESSION zstd)")
        return file.read_bytes()


def _append(connection: duckdb.DuckDBPyConnection, columns: Sequence[Column], rows: Iterable[tuple[Any, ...]]) -> None:
    appender = connection.appender("answer", columns=[column.name for column in columns])
    left = iter(rows)
    try:
        while slice_ := list(islice(left, SLICE_ROWS)):
            appender.append_rows([tuple(map(_bounded, row)) for row in slice_])
        appender.flush()
    finally:
        appender.clear()


def _bounded(cell: Any) -> Any:  # Any: see `cells`
    """Leave out a sum so large that no column of whole numbers holds it; whoever sent such counts meant none."""
    return None if isinstance(cell, int) and abs(cell) > LARGEST_INT else cell


def _column(field: msgspec.structs.FieldInfo) -> Column:
    kind = _bare(field.type)
    found = SIMPLE.get(kind) or _of_literals(kind) or _of_texts(kind)
    return Column(name=field.encode_name, attribute=field.name, type=found or "VARCHAR", nested=found is None)


def _bare(kind: Any) -> Any:  # Any: an annotation
    """Take from an annotation what says nothing about the column: `Annotated`, and that the value may be absent."""
    if get_origin(kind) is Annotated:
        return _bare(get_args(kind)[0])
    if get_origin(kind) in (Union, UnionType):
        present = [one for one in get_args(kind) if one is not NoneType]
        return _bare(present[0]) if len(present) == 1 else kind
    return kind


def _of_literals(kind: Any) -> ColumnType | None:  # Any: an annotation
    types = {type(value) for value in get_args(kind) if value is not None} if get_origin(kind) is Literal else set()
    return SIMPLE.get(types.pop()) if len(types) == 1 else None


def _of_texts(kind: Any) -> ColumnType | None:  # Any: an annotation
    is_list = get_origin(kind) in (list, tuple, Sequence)
    return "VARCHAR[]" if is_list and set(get_args(kind)) <= {str, ...} else None


def _cell(value: Any, column: Column) -> Any:  # Any: a field's value, and see `cells`
    if value is None:
        return None
    if column.nested:
        return msgspec.json.encode(value).decode()
    if column.type == "DOUBLE":
        return float(value) if math.isfinite(value) else None  # as in JSON, which has no word for the infinite
    return list(value) if column.type == "VARCHAR[]" else value
