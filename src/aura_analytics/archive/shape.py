"""What a file of the archive looks like: one wide row an interaction, its columns and their types.

The first columns are named and ordered as everywhere else where an interaction is one row (`WIDE_COLUMNS`); then comes
what only its parts hold. It is documented in docs/archive.md, and counted by `FORMAT`: a reader of a later version knows
what an earlier one wrote.
"""

import math
from collections.abc import Sequence
from hashlib import blake2b
from typing import Any

import msgspec

from aura_analytics.events.records import LABELS
from aura_analytics.store.copying.tables import EVALUATIONS, HISTORY, OUTCOMES, QUERIES, Column, Kind, Table
from aura_analytics.store.port import WIDE_COLUMNS
from aura_analytics.store.queries import Dialect, Row
from aura_analytics.store.shelved import Rows

FORMAT = 1
# Up to here every whole number is also a fraction of 64 bits.
WHOLE = 2**53

# One interaction, in the order of COLUMNS. Any: what a cell can be.
Flat = tuple[Any, ...]

TYPES: dict[Kind, str] = {"text": "VARCHAR", "real": "DOUBLE", "whole": "BIGINT", "count": "BIGINT", "flag": "BOOLEAN"}
HAS_OUTCOME = "has_outcome"
EARLIER = "earlier_labels"
# What the wide row calls otherwise than the table.
_WIDE_NAMES = {"confidence_score": "confidence"}


def _name(prefix: str, column: str) -> str:
    """Name a column of a table: as the wide row does, or led by what it is of."""
    wide = _WIDE_NAMES.get(column, column)
    clashes = prefix == "label_" and column in ("tokens_prompt", "tokens_completion", "cost_usd")
    return wide if wide in WIDE_COLUMNS and not clashes else f"{prefix}{column}"


def _columns(table: Table, prefix: str) -> dict[str, Column]:
    """Give a table's columns by their names in the file. A query's own all stand there as they are."""
    keyless = table.columns if not prefix else table.columns[1:]
    return {(_name(prefix, column.name) if prefix else column.name): column for column in keyless}


PARTS = (
    (QUERIES, _columns(QUERIES, "")),
    (OUTCOMES, _columns(OUTCOMES, "outcome_")),
    (EVALUATIONS, _columns(EVALUATIONS, "label_")),
)
_KINDS: dict[str, str] = {name: TYPES[column.kind] for _, columns in PARTS for name, column in columns.items()}
_KINDS |= {HAS_OUTCOME: "BOOLEAN", EARLIER: "VARCHAR"}
# By name, the wide row's first.
COLUMNS: dict[str, str] = {name: _KINDS[name] for name in WIDE_COLUMNS} | _KINDS
_PLACES = {name: place for place, name in enumerate(COLUMNS)}

ID, STORE = _PLACES["id"], _PLACES["store_id"]
_LATENCY = _PLACES["latency_ms"]
_OF_HISTORY = tuple(column.name for column in HISTORY.columns[1:])
"""So are the members of an earlier label called."""


def fits(rows: Rows) -> bool:
    """Whether a file gives an interaction back as it is: every cell is a value of its column, and each part is there once."""
    if len(rows.get("voice_queries", [])) != 1 or any(len(rows.get(table.name, [])) > 1 for table, _ in PARTS):
        return False
    if any(row[1] not in LABELS for row in rows.get("voice_evaluations", [])):
        return False
    return all(
        _fits(column.kind, cell)
        for table in (QUERIES, OUTCOMES, EVALUATIONS, HISTORY)
        for row in rows.get(table.name, [])
        for column, cell in zip(table.columns, row, strict=True)
    )


def _fits(kind: Kind, cell: Any) -> bool:  # Any: what a database holds
    if cell is None:
        return True
    if kind == "text":
        return type(cell) is str and "\0" not in cell
    if kind == "flag":
        return type(cell) is int and cell in (0, 1)
    if kind == "real":
        return (type(cell) is float and math.isfinite(cell)) or (type(cell) is int and abs(cell) <= WHOLE)
    return type(cell) is int and -(2**63) <= cell < 2**63


def flattened(rows: Rows) -> Flat:
    """Make one row of an interaction that fits."""
    flat: list[Any] = [None] * len(COLUMNS)  # Any: what a cell can be
    for table, columns in PARTS:
        for row in rows.get(table.name, []):
            for (name, column), cell in zip(columns.items(), row if table is QUERIES else row[1:], strict=True):
                flat[_PLACES[name]] = _shelved(column.kind, cell)
    flat[_PLACES[HAS_OUTCOME]] = bool(rows.get("voice_outcomes"))
    flat[_PLACES[EARLIER]] = _earlier(rows.get("voice_evaluation_history", []))
    return tuple(flat)


def unfolded(flat: Flat, dialect: Dialect) -> Rows:
    """Give the rows that an interaction was made of, as a database of a kind has them."""
    id = flat[ID]
    latency = flat[_LATENCY]
    if dialect == "sqlite" and latency is not None and latency.is_integer() and abs(latency) <= WHOLE:
        # Its column takes whole numbers there, wherever a number is one.
        flat = (*flat[:_LATENCY], int(latency), *flat[_LATENCY + 1 :])
    rows: Rows = {"voice_queries": [_row(flat, PARTS[0][1])]}
    if flat[_PLACES[HAS_OUTCOME]]:
        rows["voice_outcomes"] = [(id, *_row(flat, PARTS[1][1]))]
    if flat[_PLACES["label"]] is not None:
        rows["voice_evaluations"] = [(id, *_row(flat, PARTS[2][1]))]
    if (earlier := flat[_PLACES[EARLIER]]) is not None:
        labels = msgspec.json.decode(earlier, type=list[dict[str, Any]])
        rows["voice_evaluation_history"] = [(id, *(label.get(name) for name in _OF_HISTORY)) for label in labels]
    return rows


def digest(flat: Flat) -> bytes:
    """Give a checksum of an interaction: the same of what was to be written and of what was read again."""
    return blake2b(msgspec.json.encode(flat), digest_size=16).digest()


def content(digests: Sequence[bytes]) -> str:
    """Give a checksum of many, in whatever order."""
    return f"{sum(int.from_bytes(one, 'big') for one in digests) % 2**128:032x}"


def _row(flat: Flat, columns: dict[str, Column]) -> Row:
    return tuple(_read(column.kind, flat[_PLACES[name]]) for name, column in columns.items())


def _shelved(kind: Kind, cell: Any) -> Any:  # Any: what a cell can be
    if cell is None or kind in ("text", "whole", "count"):
        return cell
    return bool(cell) if kind == "flag" else float(cell)


def _read(kind: Kind, cell: Any) -> Any:  # Any: what a cell can be
    return int(cell) if kind == "flag" and cell is not None else cell


def _earlier(rows: Sequence[Row]) -> str | None:
    """Write earlier labels as JSON, in their order; what isn't known isn't there."""
    labels = [
        {
            name: _shelved(column.kind, cell)
            for name, column, cell in zip(_OF_HISTORY, HISTORY.columns[1:], row[1:], strict=True)
            if cell is not None
        }
        for row in rows
    ]
    return msgspec.json.encode(labels).decode() if labels else None
