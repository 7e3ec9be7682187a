"""SQL that `wrangler d1 execute --file` takes, within D1's limits, however the file is carried there.

Each statement is a line of at most 100 KB: a text that is longer goes over in pieces. Characters that editors, terminals
and wrangler itself don't leave alone are written as calls of `replace`.
"""

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, BinaryIO

from aura_analytics.store.copying.tables import Table
from aura_analytics.store.queries import Row

# D1's own: 100 KB a statement, 2 MB a row.
STATEMENT = 96_000
MOST_OF_A_ROW = 2_000_000
# A text that takes more than this in a row that is too long goes over in pieces of so much.
PIECE = 40_000

# The bits of a number, the largest power of two that is a whole number in SQL, and the largest of ten that is a number.
BITS, STEP, PLACES = 53, 62, 22

_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_VALUE = re.compile(r":(\w+)")
# wrangler takes these words out of a file, wherever they stand.
_TAKEN_OUT = "BEGIN TRANSACTION"


class Script:
    """Writes rows as statements.

    Args:
        file: where they go.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.too_long = 0

    def write(self, table: Table, statement: str, rows: Sequence[Row]) -> int:
        """Write rows of a table, as many a statement as it may have; tell how many it were. `{rows}` stands for them."""
        line = " ".join(part for part in statement.split("\n") if not part.startswith("--"))
        before, after = re.sub(r"\s+", " ", line).split("{rows}")
        room = STATEMENT - len(before) - len(after)
        pending: list[bytes] = []
        size = written = 0
        for row in rows:
            if _size(row) > MOST_OF_A_ROW:
                self.too_long += 1
                continue
            values = _values(row)
            later: list[bytes] = []
            if len(values) > room:
                values, later = _divided(table, row)
            if pending and size + len(values) > room:
                self._put(before, pending, after)
                pending, size = [], 0
            pending.append(values)
            size += len(values) + 2
            written += 1
            if later:
                self._put(before, pending, after)
                pending, size = [], 0
                self._file.writelines(later)
        if pending:
            self._put(before, pending, after)
        return written

    def run(self, statement: str, values: Mapping[str, Any]) -> None:  # Any: cells
        """Write one statement with its values."""
        line = " ".join(part for part in statement.split("\n") if not part.startswith("--"))
        written = _VALUE.sub(lambda found: literal(values[found[1]]), re.sub(r"\s+", " ", line))
        self._file.write(written.encode("utf-8", "replace") + b"\n")

    def _put(self, before: str, rows: Sequence[bytes], after: str) -> None:
        self._file.write(before.encode() + b", ".join(rows) + after.encode() + b"\n")


def literal(cell: Any) -> str:  # Any: a cell
    """Write a cell in SQL."""
    if cell is None or (isinstance(cell, float) and math.isnan(cell)):
        return "NULL"
    if isinstance(cell, float):
        return _number(cell) if math.isfinite(cell) else "9e999" if cell > 0 else "-9e999"
    if isinstance(cell, bytes):
        return f"X'{cell.hex()}'"
    return _text(cell) if isinstance(cell, str) else str(int(cell))


def _number(number: float) -> str:
    """Write a number so that it is read as what it was: of some decimals, such as 6.485846, SQLite misses the last bit.

    As a quotient of two whole numbers it is rounded once, as Python reads decimals. Where that takes too large ones, it is
    written as its 53 bits and the powers of two that they stand at: none of these steps rounds.
    """
    sign, digits, places = Decimal(repr(number)).as_tuple()
    whole = int("".join(map(str, digits)))
    if whole < 2**BITS and isinstance(places, int) and -PLACES <= places <= 1:
        signed = f"{'-' if sign else ''}{whole}"
        return repr(number) if number.is_integer() else f"({signed} / 1{'0' * -places}.0)"
    fraction, exponent = math.frexp(number)
    bits, power = int(fraction * 2**BITS), exponent - BITS
    step = "*" if power > 0 else "/"
    steps = [2 ** min(STEP, abs(power) - start) for start in range(0, abs(power), STEP)]
    return f"({bits} * 1.0{''.join(f' {step} {by}' for by in steps)})"


def _text(text: str) -> str:
    """Write a text, all of it in one line."""
    odd = dict.fromkeys(_CONTROL.findall(text))
    calls: list[tuple[str, str]] = []
    for character in odd:
        text, mark = _marked(text, character, character)
        calls.append((mark, f"char({ord(character)})"))
    if _TAKEN_OUT in text:
        text, mark = _marked(text, _TAKEN_OUT, "")
        calls.append((mark, "''"))
    written = "'" + text.replace("'", "''") + "'"
    for mark, instead in reversed(calls):
        written = f"replace({written}, '{mark}', {instead})"
    return written


def _marked(text: str, what: str, instead: str) -> tuple[str, str]:
    """Put a mark in place of a character, or into words; only one that can be told from all the rest of the text."""
    number = 0
    while True:
        mark = f"~{number}~"
        number += 1
        if mark in text:
            continue
        marked = text.replace(what, mark if instead else what.replace(" ", mark + " "))
        if marked.replace(mark, instead) == text:
            return marked, mark


def _values(row: Row) -> bytes:
    return ("(" + ", ".join(map(literal, row)) + ")").encode("utf-8", "replace")


def _size(row: Row) -> int:
    return sum(len(cell.encode("utf-8", "replace")) if isinstance(cell, str) else 9 for cell in row)


def _divided(table: Table, row: Row) -> tuple[bytes, list[bytes]]:
    """Give a row without its long texts, and statements that add those to it, piece by piece; each one once only."""
    cells = list(row)
    later: list[bytes] = []
    for place, cell in enumerate(row):
        if place and isinstance(cell, str) and len(literal(cell).encode("utf-8", "replace")) > PIECE // 2:
            cells[place] = ""
            name = table.columns[place].name
            done = 0
            for piece in _pieces(cell):
                later.append(
                    f"UPDATE {table.name} SET {name} = {name} || {literal(piece)} WHERE {table.columns[0].name} = "
                    f"{literal(row[0])} AND length(CAST({name} AS BLOB)) = {done};\n".encode("utf-8", "replace")
                )
                done += len(piece.encode("utf-8", "replace"))
    return _values(tuple(cells)), later


def _pieces(text: str) -> Iterator[str]:
    """Cut a text so that each piece takes less than a statement may, whatever it is made of."""
    start = 0
    while start < len(text):
        size = PIECE
        while len(literal(text[start : start + size]).encode("utf-8", "replace")) > 2 * PIECE:
            size //= 2
        yield text[start : start + size]
        start += size
