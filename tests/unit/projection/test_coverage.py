"""Dividing a window between cells and rows: every moment falls to exactly one of them."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from aura_analytics.projection.coverage import FOREVER_MS, MOST_RANGES, Coverage, cells_in, covered

UNITS = st.sampled_from([1, 7, 3_600_000])
# Near a few cells' edges, so that windows begin and end on them, just beside them, and in the middle.
PLACES = st.tuples(st.integers(-40, 40), st.integers(-2, 2))


def pieces(coverage: Coverage, unit_ms: int) -> list[tuple[int, int]]:
    """All moments that a coverage names: its ranges, and its cells without those that the ranges hold, in order."""
    found = list(coverage.ranges)
    if coverage.first is not None and coverage.last is not None:
        cell = coverage.first
        for low, high in [*cells_in(coverage, unit_ms), (coverage.last + 1, coverage.last)]:
            if cell < low:
                found.append((cell * unit_ms, low * unit_ms - 1))
            cell = high + 1
    return sorted(found)


@given(
    start=st.none() | PLACES,
    end=st.none() | PLACES,
    until=PLACES | st.sampled_from([(-(2**40), 0), (2**40, 0)]),
    unit_ms=UNITS,
    stale=st.lists(st.integers(-45, 45), max_size=60),
)
def test_cells_and_ranges_partition_the_window(
    start: tuple[int, int] | None, end: tuple[int, int] | None, until: tuple[int, int], unit_ms: int, stale: list[int]
) -> None:
    low, high = (None if place is None else place[0] * unit_ms + place[1] for place in (start, end))
    latest = until[0] * unit_ms + until[1]
    found = covered(low, high, until=latest, unit_ms=unit_ms, stale=stale)

    whole = (-FOREVER_MS if low is None else low, FOREVER_MS if high is None else high)
    parts = pieces(found, unit_ms)
    assert all(first <= last for first, last in parts)
    if whole[0] > whole[1]:
        assert parts == []
    else:
        assert (parts[0][0], parts[-1][1]) == whole
        assert all(before[1] + 1 == after[0] for before, after in pairwise(parts))

    # What cells answer is whole, over, and not stale; and nothing goes by rows without a reason.
    assert len(found.ranges) <= MOST_RANGES
    held = {cell for first, last in cells_in(found, unit_ms) for cell in range(first, last + 1)}
    if found.first is not None and found.last is not None:
        assert whole[0] <= found.first * unit_ms
        assert (found.last + 1) * unit_ms - 1 <= min(whole[1], latest)
        assert {cell for cell in stale if found.first <= cell <= found.last} <= held
        if len(found.ranges) < MOST_RANGES:
            assert held <= set(stale)
    else:
        assert all(
            not whole[0] <= cell * unit_ms <= (cell + 1) * unit_ms - 1 <= min(whole[1], latest)
            for cell in range(-42, 42)
        )


def test_many_stale_cells_are_read_in_few_ranges_that_lie_where_they_are() -> None:
    stale = [*range(0, 60, 2), 900]
    found = covered(-5, 10_004, until=20_000, unit_ms=10, stale=stale)
    assert len(found.ranges) == MOST_RANGES
    assert found.ranges[0][0] == -5
    assert found.ranges[-2:] == [(9_000, 9_009), (10_000, 10_004)]
    assert sum(high - low + 1 for low, high in found.ranges) < 700
