"""The steps of a series: minutes, hours, days, weeks and months as the clocks and calendars of a time zone have them.

A step is the moments from its start to the start of the next. A day has 23 or 25 hours where the clocks change, a week
begins on Monday, and an hour or a minute ends early where the zone's offset changes within it.
"""

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from itertools import islice, pairwise
from typing import Literal, get_args
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from aura_analytics.errors import ParameterError
from aura_analytics.projection import Buckets
from aura_analytics.projection.coverage import DAY_MS, HOUR_MS

StepName = Literal["minute", "hour", "day", "week", "month"]

STEPS: tuple[StepName, ...] = get_args(StepName)
MOST_STEPS = 20_000
DEFAULT_ZONE = "UTC"
# The moments that a calendar can show wherever on Earth it hangs: 1970 to the end of 9999-12-30.
FIRST_MS, LAST_MS = 0, 253_402_214_399_999

MINUTE_S, HOUR_S, DAY_S = 60, 3_600, 86_400
SECOND_MS = 1_000
# What cells are asked by: the longest of these that no step begins within.
UNITS_MS = (DAY_MS, HOUR_MS, 15 * 60_000, 60_000, SECOND_MS)
# No step is longer, whatever is done to the clocks in it: twice as long as it usually is.
LONGEST_MS: dict[StepName, int] = {
    "minute": 2 * MINUTE_S * SECOND_MS,
    "hour": 2 * HOUR_MS,
    "day": 2 * DAY_MS,
    "week": 14 * DAY_MS,
    "month": 62 * DAY_MS,
}
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Steps(msgspec.Struct, frozen=True, kw_only=True):
    """Steps that follow on each other; `starts` are epoch milliseconds, and the last one ends where the window does."""

    zone: ZoneInfo
    starts: list[int]

    @property
    def buckets(self) -> Buckets:
        """The units that each lie wholly inside of one step."""
        return Buckets(unit_ms=next(unit for unit in UNITS_MS if all(start % unit == 0 for start in self.starts)))

    def are_hours(self, end: int | None) -> bool:
        """Whether each step is one hour (UTC), the last one up to `end` at most."""
        if end is None:
            return False
        lengths = {after - before for before, after in pairwise(self.starts)}
        return self.buckets.unit_ms >= HOUR_MS and lengths <= {HOUR_MS} and end - self.starts[-1] < HOUR_MS

    @property
    def labels(self) -> list[str]:
        """The starts in ISO 8601: as the zone's clocks show them, with their offset; `Z` for UTC."""
        return [label(start, self.zone) for start in self.starts]


def label(moment: int, zone: ZoneInfo) -> str:
    """Write a moment of whole seconds as the clocks of a zone show it."""
    shown = datetime.fromtimestamp(moment // SECOND_MS, zone).isoformat()
    return f"{shown.removesuffix('+00:00')}Z" if zone.key == DEFAULT_ZONE else shown


def read_zone(name: str | None) -> ZoneInfo:
    """Read the name of a time zone; UTC where none is given.

    Raises:
        ParameterError: there is no such zone.
    """
    try:
        # A plus sign that wasn't percent-encoded arrives as a space.
        return ZoneInfo(DEFAULT_ZONE if name is None else name.replace(" ", "+"))
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ParameterError("tz is the name of a time zone, such as Europe/Berlin or UTC") from error


def read_step(name: str | None, default: StepName = "hour") -> StepName:
    """Read the name of a step.

    Raises:
        ParameterError: there is no such step.
    """
    for step in STEPS:
        if step == (name or default):
            return step
    raise ParameterError(f"step is one of {', '.join(STEPS)}")


def divided(step: StepName, zone: ZoneInfo, low: int, high: int, *, most: int = MOST_STEPS) -> Steps:
    """Divide a window, both ends included; the first step begins where it does, and so maybe before the window.

    Raises:
        ParameterError: there are too many steps.
    """
    low, high = max(low, FIRST_MS), min(high, LAST_MS)
    if low > high:
        return Steps(zone=zone, starts=[])
    too_many = f"these are more than {most:,} steps; take a longer step, or a shorter window"
    if high - low > most * LONGEST_MS[step]:  # to count them would take as long as to divide them
        raise ParameterError(too_many)
    starts = list(islice(_starts(step, zone, low // SECOND_MS, high // SECOND_MS), most + 1))
    if len(starts) > most:
        raise ParameterError(too_many)
    return Steps(zone=zone, starts=[start * SECOND_MS for start in starts])


# Inside, moments are whole seconds: no zone's offset is finer.


def _starts(step: StepName, zone: ZoneInfo, low: int, high: int) -> Iterator[int]:
    if step in ("minute", "hour"):
        return _by_clock(MINUTE_S if step == "minute" else HOUR_S, zone, low, high)
    return _by_calendar(_NEXT[step], zone, _first_date(step, zone, low), low, high)


def _by_clock(length: int, zone: ZoneInfo, low: int, high: int) -> Iterator[int]:
    """Give the moments at which a clock shows a whole hour or minute, and those at which it is changed."""
    at = low - (low + _offset(zone, low)) % length
    at = _change(zone, at, low) or at
    while at <= high:
        offset = _offset(zone, at)
        tomorrow = at + DAY_S - (at + DAY_S + offset) % length
        until = _change(zone, at, tomorrow) or tomorrow
        yield at
        yield from range(at + length - (at + offset) % length, min(until, high + 1), length)
        at = until


def _offset(zone: ZoneInfo, at: int) -> int:
    found = datetime.fromtimestamp(at, zone).utcoffset() or timedelta()
    return found // timedelta(seconds=1)


def _change(zone: ZoneInfo, low: int, high: int) -> int | None:
    """Give the moment after `low` at which the offset has changed by `high`, at most a day later; None where it hasn't."""
    before = _offset(zone, low)
    if _offset(zone, high) == before:
        return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if _offset(zone, middle) == before else (low, middle)
    return high


def _by_calendar(following: Callable[[date], date], zone: ZoneInfo, first: date, low: int, high: int) -> Iterator[int]:
    """Give the beginnings of days, weeks or months, from the last one that isn't after `low`."""
    last = None
    for day in _dates(first, following):
        start = _midnight(day, zone)
        if last is not None and start > low and last < start:  # a date that a zone has skipped has no length
            yield last
        if start > high:
            return
        last = start
    if last is not None:
        yield last


def _dates(first: date, following: Callable[[date], date]) -> Iterator[date]:
    day = first
    while True:
        yield day
        try:
            day = following(day)
        except (OverflowError, ValueError):  # the calendar ends with the year 9999
            return


def _first_date(step: StepName, zone: ZoneInfo, low: int) -> date:
    """Give the first date of the step before the one that a moment lies in: a day may begin twice."""
    day = datetime.fromtimestamp(low, zone).date() - timedelta(days=1)
    if step == "week":
        return day - timedelta(days=day.weekday())
    return day.replace(day=1) if step == "month" else day


def _midnight(day: date, zone: ZoneInfo) -> int:
    """Give the moment from which a date holds and no earlier one does; where the clocks skip midnight, the change."""
    first, again = (_seconds(datetime.combine(day, time(fold=fold), zone)) for fold in (0, 1))
    is_later = again > first and datetime.fromtimestamp(again - 1, zone).date() < day
    return again if is_later else first


def _seconds(moment: datetime) -> int:
    return (moment - EPOCH) // timedelta(seconds=1)


_NEXT: dict[StepName, Callable[[date], date]] = {
    "day": lambda day: day + timedelta(days=1),
    "week": lambda day: day + timedelta(weeks=1),
    "month": lambda day: date(day.year + day.month // 12, day.month % 12 + 1, 1),
}
