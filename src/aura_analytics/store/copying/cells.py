"""Cells as the other side's columns hold them.

A cell of SQLite can be anything in any column. What is no value of PostgreSQL's column is read as everywhere else
(`aura_analytics.store.tolerance`), and counted, so that whoever copies is told.
"""

import math
from collections import Counter
from collections.abc import Callable
from typing import Any

from aura_analytics.store.copying.tables import Column, Kind, Table, TableName
from aura_analytics.store.queries import Dialect, Row
from aura_analytics.store.tolerance import number_of, text_of

NUL, INSTEAD = "\0", "\ufffd"
MOST_WHOLE, MOST_COUNT, MOST_FLAG = 2**63 - 1, 2**31 - 1, 2**15 - 1

FITTING: dict[Kind, type] = {"text": str, "whole": int, "count": int, "flag": int, "real": float}


class Mended(str):
    """A text that was no UTF-8; what was broken in it is U+FFFD now."""

    __slots__ = ()


class Cells:
    """Converts rows for one kind of database, and counts the cells that could not stay what they were."""

    def __init__(self, dialect: Dialect) -> None:
        self._mend: Callable[[Column, Any], Any] = _for_postgres if dialect == "postgres" else _for_sqlite
        self._whole = dialect == "postgres"  # whether a column holds one type only
        self._odd: dict[tuple[TableName, tuple[type, ...]], tuple[int, ...]] = {}
        self.strange: Counter[tuple[TableName, str]] = Counter()

    def converted(self, table: Table, row: Row) -> Row | None:
        """Give a row as it can be stored; None where no such row can be."""
        places = self._places(table, row)
        if not places:
            return row
        cells = list(row)
        for place in places:
            column, cell = table.columns[place], row[place]
            cells[place] = self._mend(column, cell)
            if cells[place] is not cell and not _is_same(cell, cells[place]):
                self.strange[table.name, column.name] += 1
            if cells[place] not in (column.among or (cells[place],)):
                return None
        return tuple(cells)

    def _places(self, table: Table, row: Row) -> tuple[int, ...]:
        """Tell which cells have to be looked at: by their types, which are the same in nearly all rows, and by their values."""
        shape = (table.name, tuple(map(type, row)))
        odd = self._odd.get(shape)
        if odd is None:
            odd = self._odd[shape] = tuple(
                place for place, column in enumerate(table.columns) if self._is_odd(column, shape[1][place])
            )
        if not self._whole:
            return odd
        unfit = tuple(place for place, cell in enumerate(row) if type(cell) is str and NUL in cell)
        return tuple({*odd, *unfit}) if unfit else odd

    def _is_odd(self, column: Column, found: type) -> bool:
        """Whether a column's cell of this type has to be looked at."""
        if column.among or found is Mended:
            return True
        if not self._whole:
            return found is float
        if found is type(None):
            return column.instead is not None
        return found is not FITTING[column.kind] or column.kind in ("count", "flag")


def _is_same(before: Any, after: Any) -> bool:  # Any: a cell
    """Whether a cell says what it said; 1 and 1.0 do, and 0.0 and -0.0 don't."""
    if type(before) is Mended:
        return False
    if before != after or isinstance(before, str) != isinstance(after, str):
        return False
    return not isinstance(before, float) or math.copysign(1, before) == math.copysign(1, after)


def _for_sqlite(column: Column, cell: Any) -> Any:  # Any: a cell
    """Give a cell as SQLite keeps it: anything, but for what it takes for nothing or loses the sign of."""
    if isinstance(cell, float):
        return None if math.isnan(cell) else cell or 0.0
    if column.among and cell not in column.among:
        return column.instead
    return str(cell) if isinstance(cell, str) else cell


def _for_postgres(column: Column, cell: Any) -> Any:  # Any: a cell
    """Give a cell as a value of PostgreSQL's column."""
    value = _READERS[column.kind](cell)
    fits = value in column.among if column.among else value is not None
    return value if fits else column.instead


def _text(cell: Any) -> str | None:
    text = text_of(cell)
    return None if text is None else str(text.replace(NUL, INSTEAD))


def _real(cell: Any) -> float | None:
    number: float | None = number_of(cell)
    return None if number is None else float(number)


def _whole(most: int) -> Callable[[Any], int | None]:
    def read(cell: Any) -> int | None:
        number: float | None = number_of(cell)
        if number is None or not abs(number) < most + 1:  # a NaN isn't either
            return None
        return min(round(number), most)

    return read


def _flag(cell: Any) -> int | None:
    number = number_of(cell)
    if number is None:
        return None
    return number if isinstance(number, int) and abs(number) <= MOST_FLAG else int(bool(number))


_READERS: dict[Kind, Callable[[Any], Any]] = {
    "text": _text,
    "whole": _whole(MOST_WHOLE),
    "count": _whole(MOST_COUNT),
    "flag": _flag,
    "real": _real,
}
