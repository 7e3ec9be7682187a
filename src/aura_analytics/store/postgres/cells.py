"""Events as PostgreSQL can hold them."""

import math
from collections.abc import Sequence
from typing import Any

import msgspec

from aura_analytics.events.records import Event, VoiceOutcome

# PostgreSQL's text holds any character but this one.
NUL, INSTEAD = "\0", "\ufffd"


def cells_of(event: Event) -> tuple[Any, ...]:
    """Give the cells in the order of the record's fields, which is the statement's; lists and `extra` as JSON."""
    cells = msgspec.structs.astuple(event)
    if isinstance(event, VoiceOutcome):
        *cells_before, tool_calls, correlation_id, extra = cells
        return (*cells_before, _nested(tool_calls), correlation_id, _nested(extra))
    return cells if event.extra is None else (*cells[:-1], _nested(event.extra))


def _nested(value: Any) -> str | None:
    """Write the caller's own JSON as a cell holds it."""
    return None if value is None else msgspec.json.encode(value).decode()


def storable(text: str) -> str:
    """Give a text as PostgreSQL can hold it."""
    return text.replace(NUL, INSTEAD) if NUL in text else text


def json_of(rows: Sequence[Sequence[Any]]) -> str:
    """Write rows as one parameter, with what `jsonb` can hold."""
    text = msgspec.json.encode(rows).decode()
    if "\\u0000" not in text and "-0.0" not in text:
        return text
    return msgspec.json.encode([[_cell(cell) for cell in row] for row in rows]).decode()


def _cell(value: Any) -> Any:
    """Give a cell that `jsonb` keeps as it is: its numbers have no negative zero, but its texts may say so."""
    if isinstance(value, str):
        return storable(value)
    return "-0.0" if isinstance(value, float) and value == 0 and math.copysign(1, value) < 0 else value
