"""Agreement of two who label: what others compute of the same matrices, and what must hold of any."""

import random

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from aura_analytics.events.records import LABELS, Label
from aura_analytics.stats.agreement import LEAST_FOR_KAPPA, Confusion, Kappa, accuracy, confusion, kappa, sampling_p
from aura_analytics.stats.proportion import share

labels = st.sampled_from(LABELS)
pairs = st.tuples(labels, labels)


def matrix(*rows: tuple[int, int, int]) -> Confusion:
    return Confusion(rows)


def drawn(seed: int, count: int) -> list[tuple[Label, Label]]:
    """Pairs of which about three in four agree."""
    source = random.Random(seed)
    truth = [source.choice(LABELS) for _ in range(count)]
    return [(true if source.random() < 0.7 else source.choice(LABELS), true) for true in truth]


class TestConfusion:
    def test_a_row_is_an_automatic_label_and_a_column_a_true_one(self) -> None:
        found = confusion([("GOOD", "BAD"), ("GOOD", "BAD"), ("REVIEW", "GOOD"), ("BAD", "BAD")])
        assert found == matrix((0, 0, 2), (1, 0, 0), (0, 0, 1))
        assert (found.pairs, found.agreed) == (4, 1)
        assert (found.automatic, found.truth) == ((2, 1, 1), (1, 0, 3))

    @given(st.lists(pairs, max_size=50))
    def test_nothing_is_lost(self, given_pairs: list[tuple[Label, Label]]) -> None:
        found = confusion(given_pairs)
        assert found.pairs == sum(found.automatic) == sum(found.truth) == len(given_pairs)
        assert found.agreed == sum(automatic == true for automatic, true in given_pairs)


class TestAccuracy:
    def test_of_nothing_there_is_none(self) -> None:
        assert accuracy(confusion([])) is None

    def test_of_one(self) -> None:
        assert accuracy(confusion([("GOOD", "GOOD")])) == share(1, 1)
        assert accuracy(confusion([("GOOD", "BAD")])) == share(0, 1)


class TestKappa:
    # The first is of Fleiss's book; all as statsmodels gives them: cohens_kappa(…).
    @pytest.mark.parametrize(
        ("found", "value", "low", "high"),
        [
            (matrix((75, 1, 4), (5, 4, 1), (0, 0, 10)), 0.676470588235294, 0.5045759580860855, 0.8483652183845026),
            (matrix((120, 10, 3), (8, 20, 6), (2, 5, 26)), 0.6660937883623863, 0.569261428103715, 0.7629261486210576),
        ],
    )
    def test_it_is_what_others_compute(self, found: Confusion, value: float, low: float, high: float) -> None:
        assert kappa(found) == Kappa(
            value=pytest.approx(value, abs=1e-12), low=pytest.approx(low, abs=1e-9), high=pytest.approx(high, abs=1e-9)
        )

    def test_of_few_pairs_there_is_no_interval(self) -> None:
        found = matrix((5, 0, 1), (2, 3, 0), (1, 1, 7))
        assert found.pairs < LEAST_FOR_KAPPA
        assert kappa(found) == Kappa(value=pytest.approx(0.6153846153846154), low=None, high=None)

    @pytest.mark.parametrize(
        "found", [confusion([]), confusion([("GOOD", "GOOD")]), matrix((0,) * 3, (0,) * 3, (0, 0, 90))]
    )
    def test_where_both_know_only_one_label_it_is_not_defined(self, found: Confusion) -> None:
        assert kappa(found) is None

    def test_of_one_pair_that_differs_it_is_0(self) -> None:
        assert kappa(confusion([("GOOD", "BAD")])) == Kappa(value=0.0, low=None, high=None)

    def test_where_the_judge_says_always_the_same_it_is_0(self) -> None:
        found = kappa(matrix((50, 30, 20), (0, 0, 0), (0, 0, 0)))
        assert found == Kappa(value=0.0, low=pytest.approx(0.0), high=pytest.approx(0.0))

    def test_no_agreement_at_all_is_below_0(self) -> None:
        found = kappa(matrix((0, 0, 50), (0, 0, 0), (50, 0, 0)))
        assert found is not None
        assert found.value == -1

    @given(st.lists(st.integers(0, 2_000), min_size=3, max_size=3))
    def test_of_a_judge_who_is_always_right_it_is_1_and_few_pairs_still_leave_a_doubt(self, counts: list[int]) -> None:
        assume(sum(map(bool, counts)) > 1)
        found = kappa(matrix((counts[0], 0, 0), (0, counts[1], 0), (0, 0, counts[2])))
        assert found is not None
        assert found.value == 1
        if sum(counts) >= LEAST_FOR_KAPPA:
            assert found.low is not None
            assert found.low < found.high == 1

    def test_the_doubt_becomes_less_with_more_pairs(self) -> None:
        lows = [kappa(matrix((n, 0, 0), (0, n, 0), (0, 0, n))) for n in (40, 100, 1_000)]
        assert [one.low for one in lows if one] == sorted(one.low for one in lows if one and one.low is not None)

    @given(st.lists(st.tuples(*[st.integers(0, 500)] * 3), min_size=3, max_size=3))
    def test_who_of_the_two_is_which_does_not_matter(self, rows: list[tuple[int, int, int]]) -> None:
        one, other = kappa(matrix(*rows)), kappa(matrix(*zip(*rows, strict=True)))
        assert (one is None) == (other is None)
        if one is not None and other is not None:
            assert other.value == pytest.approx(one.value)
            assert (other.low, other.high) == (pytest.approx(one.low), pytest.approx(one.high))
            assert -1 <= one.value <= 1

    @given(st.integers(0, 1_000), st.permutations(LABELS))
    def test_what_labels_are_called_does_not_matter(self, seed: int, called: list[Label]) -> None:
        before = drawn(seed, 120)
        names = dict(zip(LABELS, called, strict=True))
        one, other = kappa(confusion(before)), kappa(confusion((names[a], names[b]) for a, b in before))
        assert one is not None
        assert other is not None
        assert (other.value, other.low, other.high) == (
            pytest.approx(one.value), pytest.approx(one.low), pytest.approx(one.high),
        )  # fmt: skip

    @given(st.lists(pairs, min_size=LEAST_FOR_KAPPA, max_size=150))
    def test_the_interval_is_around_it_and_within_its_range(self, given_pairs: list[tuple[Label, Label]]) -> None:
        found = kappa(confusion(given_pairs))
        if found is not None:
            assert found.low is not None
            assert found.high is not None
            assert -1 <= found.low <= found.value + 1e-12
            assert found.value - 1e-12 <= found.high <= 1


class TestSamplingP:
    # As scipy gives them: chi2_contingency(…, correction=False).
    @pytest.mark.parametrize(
        ("sampled", "others", "p"),
        [
            ((120, 40, 40), (5_000, 1_500, 1_075), 0.059137272956361064),
            ((10, 0, 40), (900, 0, 1_100), 0.00044084759793505587),
            ((60, 20, 20), (600, 200, 200), 1.0),
            ((0, 0, 50), (0, 0, 900), 1.0),
        ],
    )
    def test_it_is_what_others_compute(self, sampled: tuple[int, ...], others: tuple[int, ...], p: float) -> None:
        assert sampling_p(sampled, others) == pytest.approx(p, rel=1e-9)

    @pytest.mark.parametrize(
        ("sampled", "others"), [((0, 0, 0), (9, 9, 900)), ((29, 0, 0), (9, 9, 900)), ((40, 0, 0), (29, 0, 0))]
    )
    def test_of_few_there_is_none(self, sampled: tuple[int, ...], others: tuple[int, ...]) -> None:
        assert sampling_p(sampled, others) is None

    @given(*[st.tuples(*[st.integers(0, 10_000)] * 3)] * 2)
    def test_it_is_a_chance(self, sampled: tuple[int, ...], others: tuple[int, ...]) -> None:
        found = sampling_p(sampled, others)
        assert found is None or 0 <= found <= 1
