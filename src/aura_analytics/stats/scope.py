"""What a number is about: a window of time and a store; and how people write that down."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from aura_analytics.errors import ParameterError

MINUTE_MS = 60_000
UNITS_MS = {"m": MINUTE_MS, "h": 60 * MINUTE_MS, "d": 24 * 60 * MINUTE_MS}
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
DEFAULT_PERIOD = "24h"
MOST_ROWS = 100_000

_PERIOD = re.compile(r"^([1-9]\d{0,8})([mhd])$")
_DIGITS = re.compile(r"^\d{1,15}$")

# The condition that every question shares; a parameter that is NULL asks for nothing.
WHERE = """
($store IS NULL OR store_id = $store) AND ($start IS NULL OR created_at >= $start) AND ($end IS NULL OR created_at <= $end)
"""


class Scope(msgspec.Struct, frozen=True, kw_only=True):
    """A store, or all of them, and a window of epoch milliseconds with both ends included; None is open."""

    store: str | None = None
    start: int | None = None
    end: int | None = None
    period: str = "all"

    @property
    def parameters(self) -> dict[str, Any]:
        """The values of `WHERE`. Any: DuckDB binds texts, numbers and None alike."""
        return {"store": self.store, "start": self.start, "end": self.end}


def parse(values: Mapping[str, str | None], *, now: int) -> Scope:
    """Read a scope as it stands in a query string.

    Args:
        values: `store`, `period`, `from`, `to`; absent or None where not given.
        now: the moment that a period reaches back from; what is younger, since a clock elsewhere is ahead, counts too.

    Raises:
        ParameterError: a value can't be read.
    """
    store = values.get("store")
    if store == "":
        raise ParameterError("store is empty; leave it out for all stores")
    start, end, period = values.get("from"), values.get("to"), values.get("period")
    if start is None and end is None:
        period = period or DEFAULT_PERIOD
        return Scope(store=store, start=_reaching_back(period, now), period=period)
    if period is not None:
        raise ParameterError("give either period, or from and to")
    since = None if start is None else moment("from", start)
    until = None if end is None else moment("to", end)
    if since is not None and until is not None and since > until:
        raise ParameterError("from lies after to")
    return Scope(store=store, start=since, end=until, period="custom")


def _reaching_back(period: str, now: int) -> int | None:
    if period == "all":
        return None
    if match := _PERIOD.match(period):
        return now - int(match[1]) * UNITS_MS[match[2]]
    raise ParameterError("period is a number of minutes, hours or days, such as 30m, 24h or 7d, or all")


def moment(name: str, text: str) -> int:
    """Read a moment: ISO 8601 with an offset or Z, or epoch milliseconds.

    Raises:
        ParameterError: it is neither.
    """
    text = text.strip()
    if _DIGITS.match(text):
        return int(text)
    try:
        # A plus sign that wasn't percent-encoded arrives as a space.
        found = datetime.fromisoformat(re.sub(r" (\d{2}:?\d{2})$", r"+\1", text))
    except ValueError as error:
        raise ParameterError(f"{name} is ISO 8601 with an offset or Z, or epoch milliseconds") from error
    if found.tzinfo is None:
        raise ParameterError(f"{name} lacks its offset; write Z for UTC")
    milliseconds: int = (found - EPOCH) // timedelta(milliseconds=1)
    return milliseconds


def limit(text: str | None, default: int | None) -> int | None:
    """Read how many rows are wanted.

    Raises:
        ParameterError: it is no number from 1 to 100,000.
    """
    if text is None:
        return default
    if not re.fullmatch(r"\d{1,6}", text) or not 1 <= int(text) <= MOST_ROWS:
        raise ParameterError(f"limit is a whole number from 1 to {MOST_ROWS:,}")
    return int(text)


def number(name: str, text: str | None, default: float, *, least: float, most: float) -> float:
    """Read a number in a range.

    Raises:
        ParameterError: it is none, or outside of it.
    """
    if text is None:
        return default
    takes = f"{name} is a number from {least:g} to {most:g}"
    try:
        value = float(text)
    except ValueError as error:
        raise ParameterError(takes) from error
    if not least <= value <= most:
        raise ParameterError(takes)
    return value
