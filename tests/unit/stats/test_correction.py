"""A corrected rate: the numbers of the method's own package, and what must hold of any counts."""

import random
from collections import Counter
from statistics import median

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from msgspec.structs import replace

from aura_analytics.stats.agreement import LEAST_PAIRS
from aura_analytics.stats.correction import Counts, corrected, powered
from aura_analytics.stats.proportion import Z, wilson


def counts_of(pairs: tuple[int, int, int, int], others: tuple[int, int]) -> Counts:
    """Counts of the pairs: BAD by both, in truth only, by the automatic label only, by neither; then BAD of how many others."""
    both, missed, wrongly, _ = pairs
    return Counts(
        pairs=sum(pairs),
        true=both + missed,
        automatic=both + wrongly,
        both=both,
        others=others[1],
        others_automatic=others[0],
    )


@st.composite
def counts(draw: st.DrawFn, least: int = 1) -> Counts:
    """Any that can be."""
    four = draw(st.tuples(*[st.integers(0, 200)] * 4))
    assume(sum(four) >= least)
    others = draw(st.integers(1, 100_000))
    return counts_of(four, (draw(st.integers(0, others)), others))


# As ppi-python 0.2.3 gives them: ppi_mean_pointestimate and ppi_mean_ci(…, alpha=0.05), of zeros and ones in such counts.
SOME = counts_of((18, 6, 8, 168), (900, 7_375))
MANY = counts_of((30, 10, 5, 155), (1_200, 9_800))
FEW = counts_of((2, 3, 9, 36), (40, 450))
AGAINST = counts_of((5, 20, 25, 50), (700, 2_000))
PERFECT = counts_of((12, 0, 0, 88), (500, 4_000))
TUNED = [
    (SOME, 0.6749831654316026, 0.11462301546181605, 0.0812417472221827, 0.1480042837014494),
    (MANY, 1.0, 0.14744897959183673, 0.10909975013517526, 0.1857982090484982),
    (FEW, 0.17650989126162714, 0.07685759203458667, -0.005959794103856275, 0.1596749781730296),
    (AGAINST, 0.0, 0.25, 0.1651310699442871, 0.3348689300557129),
    (PERFECT, 0.9424958193979862, 0.12471247909698993, 0.11438190397386258, 0.13504305422011728),
]
WEIGHTED = [
    (SOME, 1.0, 0.11203389830508476, 0.07463874708190213, 0.14942904952826738),
    (SOME, 0.5, 0.11601694915254238, 0.08201245406590801, 0.15002144423917674),
    (FEW, 1.0, -0.031111111111111103, -0.16536467492555917, 0.10314245270333698),
    (AGAINST, 0.5, 0.275, 0.17356476272984367, 0.3764352372701564),
]


@pytest.mark.parametrize(("of", "weight", "estimate", "low", "high"), TUNED)
def test_tuned_it_is_what_the_authors_package_computes(
    of: Counts, weight: float, estimate: float, low: float, high: float
) -> None:
    found = powered(of)
    reach = Z * found.variance**0.5
    assert found.weight == pytest.approx(weight, abs=1e-9)
    assert found.estimate == pytest.approx(estimate, abs=1e-12)
    assert (found.estimate - reach, found.estimate + reach) == (pytest.approx(low), pytest.approx(high))


@pytest.mark.parametrize(("of", "weight", "estimate", "low", "high"), WEIGHTED)
def test_of_a_given_weight_too(of: Counts, weight: float, estimate: float, low: float, high: float) -> None:
    found = powered(of, weight)
    reach = Z * found.variance**0.5
    assert found.estimate == pytest.approx(estimate, abs=1e-12)
    assert (found.estimate - reach, found.estimate + reach) == (pytest.approx(low), pytest.approx(high))


@given(counts())
def test_without_any_weight_it_is_the_plain_rate(of: Counts) -> None:
    rate = of.true / of.pairs
    found = powered(of, 0.0)
    assert found.estimate == rate
    assert found.variance == pytest.approx(rate * (1 - rate) / of.pairs)


@given(counts(LEAST_PAIRS))
def test_automatic_labels_that_say_nothing_leave_the_plain_interval(of: Counts) -> None:
    silent = replace(of, automatic=0, both=0, others_automatic=0)
    found = corrected(silent)
    assert found is not None
    assert found.weight == 0
    assert found.worth == pytest.approx(of.pairs)
    assert (found.low, found.high) == (pytest.approx(wilson(of.true / of.pairs, of.pairs)))


@given(counts())
def test_the_weight_lies_within_0_and_1(of: Counts) -> None:
    found = powered(of)
    assert 0 <= found.weight <= 1
    assert found.variance >= 0


@given(counts(LEAST_PAIRS))
def test_the_rate_and_its_interval_lie_within_0_and_1(of: Counts) -> None:
    found = corrected(of)
    assert found is not None
    assert 0 <= found.low <= found.value <= found.high <= 1
    assert found.low < found.high
    assert found.worth > 0


@given(st.integers(5, 100), st.integers(30, 200))
def test_a_judge_who_is_always_right_narrows_the_interval_and_does_not_close_it(bad: int, good: int) -> None:
    of = counts_of((bad, 0, 0, good), (10_000 * bad // (bad + good), 10_000))
    found = corrected(of)
    assert found is not None
    assert of.pairs < found.worth < of.pairs + of.others
    low, high = wilson(bad / of.pairs, of.pairs)
    assert 0 < found.high - found.low < high - low


@given(counts(LEAST_PAIRS))
def test_bad_and_not_bad_mirror_each_other(of: Counts) -> None:
    mirrored = Counts(
        pairs=of.pairs,
        true=of.pairs - of.true,
        automatic=of.pairs - of.automatic,
        both=of.pairs - of.true - of.automatic + of.both,
        others=of.others,
        others_automatic=of.others - of.others_automatic,
    )
    one, other = corrected(of), corrected(mirrored)
    assert one is not None
    assert other is not None
    assert other.value == pytest.approx(1 - one.value, abs=1e-9)
    assert (other.low, other.high) == (pytest.approx(1 - one.high, abs=1e-6), pytest.approx(1 - one.low, abs=1e-6))


@pytest.mark.parametrize("true", [0, 200])
def test_where_all_are_the_same_in_truth_the_interval_is_the_plain_one(true: int) -> None:
    of = Counts(pairs=200, true=true, automatic=20, both=min(20, true), others=5_000, others_automatic=500)
    found = corrected(of)
    assert found is not None
    assert (found.value, found.weight) == (true / 200, 0)
    assert (found.low, found.high) == pytest.approx(wilson(true / 200, 200))


@pytest.mark.parametrize(
    "of",
    [
        counts_of((0, 0, 0, 0), (5, 100)),
        counts_of((1, 0, 0, 0), (5, 100)),
        counts_of((5, 2, 2, LEAST_PAIRS - 10), (5, 100)),
        counts_of((20, 5, 5, 100), (0, 0)),
    ],
)
def test_of_few_pairs_or_without_others_there_is_none(of: Counts) -> None:
    assert corrected(of) is None


# Of all: BAD by both, in truth only, by the automatic label only, by neither.
POPULATIONS = {
    "a good judge": (1_333, 333, 134, 5_775),
    "a good judge, few are BAD": (303, 76, 209, 6_987),
    "a judge who is too kind": (1_800, 4_200, 100, 43_900),
}


@pytest.mark.parametrize("population", POPULATIONS)
def test_the_interval_covers_the_truth_and_is_narrower_than_people_s_alone(population: str) -> None:
    whole = POPULATIONS[population]
    both, missed, wrongly, neither = whole
    truth = (both + missed) / sum(whole)
    classes = [0] * both + [1] * missed + [2] * wrongly + [3] * neither
    source = random.Random(f"20240229 {population}")
    covered, widths, plain_widths = 0, list[float](), list[float]()
    for _ in range(1_000):
        drawn = Counter(source.sample(classes, 200))
        pairs = (drawn[0], drawn[1], drawn[2], drawn[3])
        of = counts_of(pairs, (both + wrongly - drawn[0] - drawn[2], sum(whole) - 200))
        found, (low, high) = corrected(of), wilson(of.true / of.pairs, of.pairs)
        assert found is not None
        covered += found.low <= truth <= found.high
        widths.append(found.high - found.low)
        plain_widths.append(high - low)
    assert covered >= 930
    assert median(widths) < median(plain_widths)
