"""A rate label by label: what must hold of any counts, and that its interval covers the truth as often as it says."""

import random
from collections.abc import Sequence

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from aura_analytics.stats.agreement import LEAST_PAIRS
from aura_analytics.stats.strata import Stratified, Stratum, stratified

DRAWS = 1_000
SEED = 20_240_229


@st.composite
def strata(draw: st.DrawFn) -> list[Stratum]:
    """Any three of which something can be said."""
    found = []
    for _ in range(3):
        pairs = draw(st.integers(1, 300))
        true, others = draw(st.integers(0, pairs)), draw(st.integers(0, 50_000))
        found.append(Stratum(pairs=pairs, true=true, others=others))
    assume(sum(one.pairs for one in found) >= LEAST_PAIRS)
    assume(sum(one.others for one in found))
    return found


def said(of: Sequence[Stratum]) -> Stratified:
    found = stratified(of)
    assert found is not None
    return found


def test_each_label_weighs_what_it_has_of_all() -> None:
    found = said(
        [
            Stratum(pairs=20, true=1, others=780),
            Stratum(pairs=10, true=5, others=90),
            Stratum(pairs=20, true=16, others=80),
        ]
    )
    assert found.value == pytest.approx(0.8 * 0.05 + 0.1 * 0.5 + 0.1 * 0.8)
    assert (found.pairs, found.others) == (50, 950)


@given(strata())
def test_the_rate_and_its_interval_lie_within_0_and_1(of: list[Stratum]) -> None:
    found = said(of)
    assert 0 <= found.low <= found.value <= found.high <= 1
    assert found.low < found.high


@given(strata())
def test_the_order_of_labels_does_not_matter(of: list[Stratum]) -> None:
    one, other = said(of), said(of[::-1])
    assert (one.value, one.low, one.high) == pytest.approx((other.value, other.low, other.high))


@given(strata())
def test_bad_and_not_bad_mirror_each_other(of: list[Stratum]) -> None:
    mirrored = [Stratum(pairs=one.pairs, true=one.pairs - one.true, others=one.others) for one in of]
    one, other = said(of), said(mirrored)
    assert other.value == pytest.approx(1 - one.value, abs=1e-9)
    assert (other.low, other.high) == (pytest.approx(1 - one.high, abs=1e-9), pytest.approx(1 - one.low, abs=1e-9))


def test_whose_truth_is_known_is_not_in_doubt() -> None:
    few, many = (said([Stratum(pairs=100, true=20, others=others)]) for others in (1, 10_000))
    assert few.value == many.value
    assert few.high - few.low < (many.high - many.low) / 9


@pytest.mark.parametrize(
    "of",
    [
        [],
        [Stratum(pairs=LEAST_PAIRS - 1, true=3, others=100)],
        [Stratum(pairs=100, true=3, others=0)],
        [Stratum(pairs=100, true=3, others=100), Stratum(pairs=0, true=0, others=1)],
    ],
    ids=["nothing", "too few", "all known", "a label nobody looked at"],
)
def test_where_nothing_can_be_said_nothing_is(of: list[Stratum]) -> None:
    assert stratified(of) is None


def test_a_label_that_nothing_has_counts_for_nothing() -> None:
    there = [Stratum(pairs=100, true=3, others=900)]
    assert said([*there, Stratum(pairs=0, true=0, others=0)]) == said(there)


# What is BAD of all that the judge called GOOD, REVIEW and BAD: in counts, of how many.
POPULATIONS = {
    "a fair judge, a small shop": ((264, 4_550), (420, 1_555), (983, 1_470)),
    "a fair judge, few are BAD": ((45, 5_357), (106, 1_417), (228, 801)),
    "a judge who is too kind": ((400, 45_528), (300, 4_079), (300, 393)),
    "a judge who guesses": ((700, 35_021), (177, 8_840), (123, 6_139)),
    "a judge who is nearly always right": ((60, 38_009), (180, 5_655), (5_760, 6_336)),
}
UNEVEN = [(40, 60, 100), (20, 80, 100), (10, 40, 150), (100, 50, 50), (150, 25, 25)]


@pytest.mark.parametrize("looked_at", UNEVEN, ids=str)
@pytest.mark.parametrize("population", POPULATIONS)
def test_the_interval_covers_the_truth_however_unevenly_labels_are_looked_at(
    population: str, looked_at: tuple[int, ...]
) -> None:
    whole = POPULATIONS[population]
    truth = sum(bad for bad, _ in whole) / sum(size for _, size in whole)
    source = random.Random(f"{SEED} {population} {looked_at}")
    covered = 0
    for _ in range(DRAWS):
        found = said([_drawn(source, bad, size, count) for (bad, size), count in zip(whole, looked_at, strict=True)])
        covered += found.low <= truth <= found.high
    assert covered / DRAWS >= 0.93


def _drawn(source: random.Random, bad: int, size: int, count: int) -> Stratum:
    """Draw so many of a label without putting any back; the first `bad` of it are BAD."""
    true = sum(place < bad for place in source.sample(range(size), count))
    return Stratum(pairs=count, true=true, others=size - count)
