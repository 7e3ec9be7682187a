"""Which cubes are due to be computed anew: those that have lain still for a while, the newest first."""

import time
from collections.abc import Callable, Iterable

import msgspec

from aura_analytics.projection.coverage import HOUR_MS, LAST_HOUR

# An hour or a day that has just changed is likely to change again.
STILL_S = {"hour": 5.0, "day": 30.0}
# One that never lies still is settled all the same, now and then.
LONGEST_S = {"hour": 60.0, "day": 600.0}
# Hours that follow on each other are cheaper together.
MOST_HOURS = 6


class Ready(msgspec.Struct, frozen=True, kw_only=True):
    """What to settle next: hours from the first to the last of a pair, or a day."""

    hours: tuple[int, int] | None = None
    day: int | None = None


class Unsettled:
    """The stale cells, and since when each has been so. `clock` counts seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._hours: dict[int, float] = {}
        self._days: dict[int, float] = {}
        self._touched: dict[tuple[str, int], float] = {}

    def touch(self, moments: Iterable[int]) -> None:
        """Note that the cells of some moments have changed just now."""
        now = self._clock()
        hours = {moment // HOUR_MS for moment in moments}
        self._touched |= {("hour", hour): now for hour in hours} | {("day", hour // 24): now for hour in hours}

    def note(self, hours: Iterable[int], days: Iterable[int]) -> None:
        """Note which cells are stale."""
        now = self._clock()
        self._hours = {hour: self._hours.get(hour, now) for hour in hours if 0 <= hour <= LAST_HOUR}
        self._days = {day: self._days.get(day, now) for day in days if 0 <= day <= LAST_HOUR // 24}
        stale = {("hour", hour) for hour in self._hours} | {("day", day) for day in self._days}
        self._touched = {cell: moment for cell, moment in self._touched.items() if cell in stale}

    @property
    def is_any(self) -> bool:
        """Whether any cell is left to be settled, now or later."""
        return bool(self._hours or self._days)

    def take(self) -> Ready | None:
        """Give what to settle next, and count it as settled; None where nothing is due."""
        due = sorted((hour for hour in self._hours if self._is_due("hour", hour, self._hours[hour])), reverse=True)
        if due:
            run = [due[0]]
            while len(run) < MOST_HOURS and run[-1] - 1 in due:
                run.append(run[-1] - 1)
            for hour in run:
                del self._hours[hour]
            return Ready(hours=(run[-1], run[0]))
        days = [day for day in self._days if self._is_due("day", day, self._days[day])]
        if not days:
            return None
        del self._days[max(days)]
        return Ready(day=max(days))

    def _is_due(self, unit: str, cell: int, since: float) -> bool:
        now = self._clock()
        touched = self._touched.get((unit, cell))
        return touched is None or now - touched >= STILL_S[unit] or now - since >= LONGEST_S[unit]
