"""A share's interval is Wilson's: within 0 and 1, around the share, and what others compute."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aura_analytics.stats.proportion import Share, share, wilson


def test_of_nothing_there_is_no_share() -> None:
    assert share(0, 0) is None


# As statsmodels gives them: proportion_confint(…, method="wilson").
@pytest.mark.parametrize(
    ("hits", "of", "low", "high"),
    [
        (0, 1, 0.0, 0.7934506856227627),
        (1, 1, 0.2065493143772374, 1.0),
        (0, 10, 0.0, 0.27753279986288926),
        (7, 40, 0.0874541374603592, 0.3194999033178772),
        (24, 200, 0.08197992706375513, 0.17234252098296748),
        (200, 200, 0.9811546736227335, 1.0),
    ],
)
def test_it_is_what_others_compute(hits: int, of: int, low: float, high: float) -> None:
    expected = Share(value=hits / of, low=pytest.approx(low, abs=1e-12), high=pytest.approx(high, abs=1e-12), of=of)
    assert share(hits, of) == expected


@given(st.data(), st.integers(1, 10**9))
def test_it_lies_within_0_and_1_and_around_the_share(data: st.DataObject, of: int) -> None:
    found = share(data.draw(st.integers(0, of)), of)
    assert found is not None
    assert 0 <= found.low <= found.value <= found.high <= 1
    assert found.low < found.high


@given(st.floats(0, 1), st.floats(0.5, 1e9))
def test_also_where_trials_are_no_whole_number(value: float, of: float) -> None:
    low, high = wilson(value, of)
    assert 0 <= low <= value <= high <= 1


@given(st.data(), st.integers(1, 10_000))
def test_the_other_side_of_a_share_has_the_mirrored_interval(data: st.DataObject, of: int) -> None:
    hits = data.draw(st.integers(0, of))
    one, other = share(hits, of), share(of - hits, of)
    assert one is not None
    assert other is not None
    assert (other.low, other.high) == (pytest.approx(1 - one.high), pytest.approx(1 - one.low))


@given(st.data(), st.integers(1, 1_000))
def test_more_trials_of_the_same_share_say_more(data: st.DataObject, of: int) -> None:
    hits = data.draw(st.integers(0, of))
    few, many = share(hits, of), share(hits * 10, of * 10)
    assert few is not None
    assert many is not None
    assert many.high - many.low < few.high - few.low
