"""A window beside the one of equal length right before it, and what has changed."""

from collections.abc import Mapping
from functools import cache
from typing import Any

import msgspec

from aura_analytics.errors import ParameterError
from aura_analytics.stats.scope import Scope

# Numbers that are no figures: the ends of the window.
NO_FIGURES = frozenset({"from", "to"})


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """By how much a figure has changed. `relative`: 0.5 is half as much again; None where there was nothing before."""

    absolute: float
    relative: float | None


def read_compare(text: str | None) -> bool:
    """Read whether to compare.

    Raises:
        ParameterError: it is neither left out nor `previous`.
    """
    if text not in (None, "previous"):
        raise ParameterError("compare is previous, or left out")
    return text is not None


def previous(scope: Scope, now: int) -> Scope:
    """Give the scope of the window of equal length right before; one without an end reaches up to the present.

    Raises:
        ParameterError: the window has no beginning, or that lies in the future.
    """
    if scope.start is None:
        raise ParameterError("compare needs a window with a beginning; give another period, or from")
    end = now - 1 if scope.end is None else scope.end
    if end < scope.start:
        raise ParameterError("compare needs a window that has begun; from lies in the future")
    length = end - scope.start + 1
    return msgspec.structs.replace(scope, start=scope.start - length, end=scope.start - 1)


def changes(after: Mapping[str, Any], before: Mapping[str, Any]) -> dict[str, Change]:
    """Give the changes of the figures that both have; Any: what isn't a number has no change."""
    found = {}
    for name, value in after.items():
        base = before.get(name)
        if name not in NO_FIGURES and _is_number(value) and _is_number(base):
            found[name] = Change(absolute=value - base, relative=(value - base) / base if base else None)
    return found


def compared(row: msgspec.Struct, before: msgspec.Struct | None) -> msgspec.Struct:
    """Put beside a row the one of the window before, and what has changed; a row without one before has no changes."""
    after, base = msgspec.to_builtins(row), msgspec.to_builtins(before) if before else {}
    kind = compared_kind(type(row))
    return kind(**msgspec.structs.asdict(row), previous=before, change=changes(after, base))


@cache
def compared_kind(kind: type[msgspec.Struct]) -> type[msgspec.Struct]:
    """Give the kind of such rows: `kind` with `previous` and `change`, whose keys are the row's."""
    return msgspec.defstruct(
        f"Compared{kind.__name__}",
        [("previous", kind | None), ("change", dict[str, Change])],
        bases=(kind,),
        frozen=True,
        kw_only=True,
    )


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
