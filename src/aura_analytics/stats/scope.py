"""What a number is about: a window of time and what interactions have in common; and how people write that down."""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, get_args

import msgspec

from aura_analytics.errors import ParameterError
from aura_analytics.events.records import LABELS, QuerySource
from aura_analytics.projection import Slice
from aura_analytics.projection.slices import ABSENT

MINUTE_MS = 60_000
UNITS_MS = {"m": MINUTE_MS, "h": 60 * MINUTE_MS, "d": 24 * 60 * MINUTE_MS}
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
DEFAULT_PERIOD = "24h"
MOST_ROWS = 100_000
LONGEST_LATENCY_MS = 1e12

# The filters that take several values, as they are called in a query string and here.
SEVERAL = {
    "store": "stores",
    "intent": "intents",
    "model": "models",
    "source": "sources",
    "label": "labels",
    "reason": "reasons",
    "action": "actions",
}
ONE = ("user", "session", "text")
# Filters of a lower and an upper bound, and the largest number that either takes.
BOUNDS = {"latency": LONGEST_LATENCY_MS, "confidence": 1.0}
# The filters whose values are known beforehand.
KNOWN: dict[str, tuple[str, ...]] = {"source": get_args(QuerySource), "label": LABELS}
TAKEN = {name: (*values, ABSENT) for name, values in KNOWN.items()}

Values = Mapping[str, str | Sequence[str] | None]

_PERIOD = re.compile(r"([1-9][0-9]{0,8})([mhd])")
_DIGITS = re.compile(r"[0-9]{1,15}")
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")


class Scope(Slice, frozen=True, kw_only=True):
    """A slice of the interactions, and how its window was asked for."""

    period: str = "all"

    @property
    def store(self) -> str | None:
        """The store, where exactly one is asked for."""
        return self.one_store

    @property
    def store_id(self) -> str:
        """The stores in one word: `all` of them, or those that are asked for."""
        return ",".join(self.stores) or "all"

    def is_past(self, answered_until: int) -> bool:
        """Whether its figures no longer depend on the present: every outcome that is missing will stay so."""
        return self.end is not None and self.end <= answered_until


def parse(values: Values, *, now: int) -> Scope:
    """Read a scope as it stands in a query string.

    Args:
        values: by the names of the query string: `period`, `from`, `to` and the filters; absent or None where not given.
        now: the moment that a period reaches back from; what is younger, since a clock elsewhere is ahead, counts too.

    Raises:
        ParameterError: a value can't be read.
    """
    window = _window({name: _last(values.get(name)) for name in ("from", "to", "period")}, now)
    chosen = {field: _chosen(name, values.get(name)) for name, field in SEVERAL.items()}
    exact = {name: _given(name, _last(values.get(name))) for name in ONE}
    bounds: dict[str, Any] = {}
    for name, most in BOUNDS.items():
        bounds |= _bounds(name, values, most)
    return msgspec.structs.replace(window, **chosen, **exact, **bounds)


def _window(values: Mapping[str, str | None], now: int) -> Scope:
    start, end, period = values["from"], values["to"], values["period"]
    if start is None and end is None:
        period = period or DEFAULT_PERIOD
        return Scope(start=_reaching_back(period, now), period=period)
    if period is not None:
        raise ParameterError("give either period, or from and to")
    since = None if start is None else moment("from", start)
    until = None if end is None else moment("to", end)
    if since is not None and until is not None and since > until:
        raise ParameterError("from lies after to")
    return Scope(start=since, end=until, period="custom")


def _last(value: str | Sequence[str] | None) -> str | None:
    """Give the last of several values: what a query string says last counts."""
    if value is None or isinstance(value, str):
        return value
    return value[-1] if value else None


def _chosen(name: str, value: str | Sequence[str] | None) -> tuple[str, ...]:
    given = () if value is None else (value,) if isinstance(value, str) else value
    return tuple(dict.fromkeys(_choice(name, text) for text in given))


def _choice(name: str, text: str) -> str:
    if name in KNOWN:
        for known in TAKEN[name]:
            if text.casefold() == known.casefold():
                return known
        raise ParameterError(f"{name} is one of {', '.join(KNOWN[name])}, or {ABSENT} for those without one")
    if not text:
        every = "all stores" if name == "store" else f"all, or write {ABSENT} for those without one"
        raise ParameterError(f"{name} is empty; leave it out for {every}")
    return text


def _given(name: str, text: str | None) -> str | None:
    if text == "":
        raise ParameterError(f"{name} is empty; leave it out for all")
    return text


def _bounds(name: str, values: Values, most: float) -> dict[str, float | None]:
    found: dict[str, float | None] = {}
    for end in (f"{name}_min", f"{name}_max"):
        text = _last(values.get(end))
        found[end] = None if text is None else number(end, text, 0, least=0, most=most)
    low, high = found.values()
    if low is not None and high is not None and low > high:
        raise ParameterError(f"{name}_min lies over {name}_max")
    return found


def _reaching_back(period: str, now: int) -> int | None:
    if period == "all":
        return None
    if match := _PERIOD.fullmatch(period):
        return now - int(match[1]) * UNITS_MS[match[2]]
    raise ParameterError("period is a number of minutes, hours or days, such as 30m, 24h or 7d, or all")


def moment(name: str, text: str) -> int:
    """Read a moment: ISO 8601 with an offset or Z, or epoch milliseconds.

    Raises:
        ParameterError: it is neither.
    """
    text = text.strip()
    if _DIGITS.fullmatch(text):
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
    return default if text is None else whole("limit", text, 1, least=1, most=MOST_ROWS)


def number(name: str, text: str | None, default: float, *, least: float, most: float) -> float:
    """Read a number in a range.

    Raises:
        ParameterError: it is none, or outside of it.
    """
    if text is None:
        return default
    takes = f"{name} is a number from {least:g} to {most:g}"
    # Python's own reader also takes digits of other scripts, and 1_000.
    if not _NUMBER.fullmatch(text.strip()) or not least <= (value := float(text)) <= most:
        raise ParameterError(takes)
    return value


def whole(name: str, text: str | None, default: int, *, least: int, most: int) -> int:
    """Read a whole number in a range.

    Raises:
        ParameterError: it is none, or outside of it.
    """
    if text is None:
        return default
    if not re.fullmatch(f"[0-9]{{1,{len(str(most))}}}", text) or not least <= int(text) <= most:
        raise ParameterError(f"{name} is a whole number from {least:,} to {most:,}")
    return int(text)
