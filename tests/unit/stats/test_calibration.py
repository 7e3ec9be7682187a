"""Whether confidence is the chance to be right."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aura_analytics.stats.calibration import Bin, Calibration, calibration

judged = st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=60)


def test_of_nothing_there_is_none() -> None:
    assert calibration([]) is None


def test_of_one() -> None:
    assert calibration([(0.75, True)]) == Calibration(
        labels=1,
        ece=0.25,
        brier=0.0625,
        bins=[Bin(low=0.7, high=0.8, count=1, confidence=0.75, accuracy=1.0)],
    )


def test_bins_hold_what_is_as_sure() -> None:
    found = calibration([(0.95, True), (1.0, False), (0.9, True), (0.5, False)])
    assert found is not None
    assert [(one.low, one.count, one.accuracy) for one in found.bins] == [(0.5, 1, 0.0), (0.9, 3, pytest.approx(2 / 3))]
    assert found.ece == pytest.approx((0.5 + 3 * abs(2 / 3 - 0.95)) / 4)
    assert found.brier == pytest.approx((0.05**2 + 1 + 0.1**2 + 0.25) / 4)


def test_one_who_is_as_sure_as_right_is_calibrated() -> None:
    found = calibration([(0.75, n % 4 != 0) for n in range(100)])
    assert found is not None
    assert found.ece == pytest.approx(0)
    assert found.brier == pytest.approx(0.75 * 0.25)


@given(judged)
def test_all_lie_within_0_and_1_and_none_is_lost(given_labels: list[tuple[float, bool]]) -> None:
    found = calibration(given_labels)
    assert found is not None
    assert 0 <= found.ece <= 1 + 1e-9
    assert 0 <= found.brier <= 1
    assert sum(one.count for one in found.bins) == found.labels == len(given_labels)
    assert all(one.low - 1e-9 <= one.confidence <= one.high + 1e-9 for one in found.bins)


@given(st.lists(st.booleans(), min_size=1, max_size=50))
def test_one_who_is_sure_and_right_has_no_error(labels: list[bool]) -> None:
    found = calibration([(1.0 if label else 0.0, label) for label in labels])
    assert found is not None
    assert (found.ece, found.brier) == (0, 0)
