"""Which part of a window cubes can answer, and which part has to be read from the rows.

A cube's cell is an hour or a day (UTC) that lies wholly inside of the window, wholly before the moment up to which
missing outcomes are known to be missing, and hasn't changed since it was computed. All the rest is ranges of moments.
"""

from collections.abc import Collection
from itertools import pairwise

import msgspec

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
# The last hour of the year 9999. Beyond it, and before 1970, lie only moments that somebody wrote past the door; they are
# always read from the rows.
LAST_HOUR = 253_402_300_799_999 // HOUR_MS
# As the end of an open window it is far enough.
FOREVER_MS = 2**62
# More ranges than this are slower to look through than the cells between them.
MOST_RANGES = 12

Range = tuple[int, int]


class Coverage(msgspec.Struct, frozen=True, kw_only=True):
    """Cells `first`…`last` (both included, None where there is none) but for `stale` ones, and ranges of moments."""

    first: int | None
    last: int | None
    ranges: list[Range]


def covered(start: int | None, end: int | None, *, until: int, unit_ms: int, stale: Collection[int]) -> Coverage:
    """Divide a window between cells and rows.

    Args:
        start: epoch milliseconds, included; None is open.
        end: the same.
        until: cells must end before this moment.
        unit_ms: how long a cell is.
        stale: cells that have changed since they were computed.
    """
    low = -FOREVER_MS if start is None else start
    high = FOREVER_MS if end is None else end
    first = -(-low // unit_ms)
    last = (min(high, until) + 1) // unit_ms - 1
    if first > last:
        return Coverage(first=None, last=None, ranges=[(low, high)] if low <= high else [])
    ranges = [(cell * unit_ms, (cell + 1) * unit_ms - 1) for cell in sorted(stale) if first <= cell <= last]
    if low < first * unit_ms:
        ranges.insert(0, (low, first * unit_ms - 1))
    if (last + 1) * unit_ms <= high:
        ranges.append(((last + 1) * unit_ms, high))
    ranges = _few(_joined(ranges))
    return Coverage(first=first, last=last, ranges=ranges)


def _joined(ranges: list[Range]) -> list[Range]:
    """Join ranges that follow on each other."""
    found: list[Range] = []
    for low, high in ranges:
        if found and found[-1][1] + 1 >= low:
            found[-1] = (found[-1][0], max(high, found[-1][1]))
        else:
            found.append((low, high))
    return found


def _few(ranges: list[Range]) -> list[Range]:
    """Keep only the widest gaps between ranges; what lies between the others is read from the rows as well."""
    if len(ranges) <= MOST_RANGES:
        return ranges
    gaps = sorted(range(1, len(ranges)), key=lambda place: ranges[place][0] - ranges[place - 1][1], reverse=True)
    cuts = sorted(gaps[: MOST_RANGES - 1])
    return [(ranges[begin][0], ranges[end - 1][1]) for begin, end in pairwise([0, *cuts, len(ranges)])]


def cells_in(coverage: Coverage, unit_ms: int) -> list[Range]:
    """Give the cells between `first` and `last` that the ranges hold, as ranges of cells: no row may count twice."""
    if coverage.first is None or coverage.last is None:
        return []
    within = [
        (max(coverage.first, low // unit_ms), min(coverage.last, high // unit_ms)) for low, high in coverage.ranges
    ]
    return [(low, high) for low, high in within if low <= high]
