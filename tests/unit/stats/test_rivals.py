"""Two judges over the same interactions: what must hold of any labels, and the numbers of a test that others computed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aura_analytics.events.records import LABELS, JudgeCall, Label
from aura_analytics.stats.judge_calls import Durations
from aura_analytics.stats.proportion import share
from aura_analytics.stats.rivals import Contest, Labels, contest, effort, flipped, mcnemar_p
from contract.making import NOW

IDS = st.sampled_from([f"q{n}" for n in range(30)])
ANY: st.SearchStrategy[Labels] = st.dictionaries(IDS, st.sampled_from(LABELS))


def cells(found: Contest) -> dict[tuple[Label, Label], int]:
    """The flips that there are."""
    return {(one.a, one.b): one.count for one in found.flips if one.count}


def test_what_both_labelled_is_compared() -> None:
    found = contest({"a": "GOOD", "b": "BAD", "c": "GOOD", "d": "GOOD"}, {"a": "GOOD", "b": "BAD", "c": "BAD"}, {})
    assert (found.pairs, found.agreement) == (3, share(2, 3))
    assert cells(found) == {("GOOD", "GOOD"): 1, ("BAD", "BAD"): 1, ("GOOD", "BAD"): 1}
    assert len(found.flips) == 9
    assert found.by_people is None


def test_people_say_which_is_right() -> None:
    a: Labels = {"a": "GOOD", "b": "BAD", "c": "GOOD", "d": "GOOD", "e": "BAD"}
    b: Labels = {"a": "GOOD", "b": "GOOD", "c": "BAD", "d": "BAD", "e": "REVIEW"}
    people: Labels = {"a": "GOOD", "b": "BAD", "c": "GOOD", "d": "BAD", "nobody asked": "BAD"}
    by_people = contest(a, b, people).by_people
    assert by_people is not None
    assert (by_people.pairs, by_people.only_a, by_people.only_b) == (4, 2, 1)
    assert (by_people.accuracy_a, by_people.accuracy_b) == (share(3, 4), share(2, 4))
    assert by_people.p == 1


def test_of_nothing_nothing_is_said() -> None:
    found = contest({}, {"a": "GOOD"}, {"a": "GOOD"})
    assert (found.pairs, found.agreement, found.kappa, found.by_people) == (0, None, None, None)


@given(ANY, ANY, ANY)
def test_who_is_called_a_does_not_matter(a: Labels, b: Labels, people: Labels) -> None:
    one, other = contest(a, b, people), contest(b, a, people)
    assert (one.pairs, one.agreement) == (other.pairs, other.agreement)
    assert cells(one) == {(of_a, of_b): count for (of_b, of_a), count in cells(other).items()}
    assert (one.by_people is None) == (other.by_people is None)
    if one.by_people and other.by_people:
        assert (one.by_people.only_a, one.by_people.p) == (other.by_people.only_b, other.by_people.p)


@given(ANY, ANY)
def test_flips_are_those_that_differ_the_gravest_first(a: Labels, b: Labels) -> None:
    ids = flipped(a, b)
    found = contest(a, b, {})
    assert len(ids) == sum(count for (of_a, of_b), count in cells(found).items() if of_a != of_b)
    grave = [{a[id], b[id]} == {"GOOD", "BAD"} for id in ids]
    assert grave == sorted(grave, reverse=True)


# As scipy 1.17's binomtest(min(b, c), b + c).pvalue gives them.
TESTED = [
    (0, 0, 1.0),
    (1, 0, 1.0),
    (5, 5, 1.0),
    (0, 6, 0.03125),
    (2, 10, 0.03857421875),
    (15, 30, 0.035697803555194696),
    (59, 6, 4.964650327128616e-12),
]


@pytest.mark.parametrize(("only_a", "only_b", "p"), TESTED)
def test_the_chance_of_an_uneven_split_is_exact(only_a: int, only_b: int, p: float) -> None:
    assert mcnemar_p(only_a, only_b) == pytest.approx(p, rel=1e-12)


@given(st.integers(0, 3_000), st.integers(0, 3_000))
def test_it_is_a_chance_that_falls_with_the_difference(only_a: int, only_b: int) -> None:
    p = mcnemar_p(only_a, only_b)
    assert 0 <= p <= 1
    assert p == mcnemar_p(only_b, only_a)
    if only_a < only_b:
        assert p <= mcnemar_p(only_a + 1, only_b - 1)


def call(duration_ms: float, outcome: str = "answered", cost_usd: float | None = 0.001) -> JudgeCall:
    return JudgeCall(
        query_id="a",
        store_id="shop",
        called_at=NOW,
        model="m",
        rubric="r",
        outcome=outcome,  # type: ignore[arg-type]
        duration_ms=duration_ms,
        tokens_prompt=10,
        tokens_completion=2,
        cost_usd=cost_usd,
    )


def test_what_requests_took_is_summed_up() -> None:
    found = effort([call(300), call(100), call(9_000, "timed_out"), call(200)], labels=2)
    assert (found.calls, found.failed_calls, found.tokens_prompt, found.tokens_completion) == (4, 1, 40, 8)
    assert (found.cost_usd, found.unpriced_calls, found.cost_per_label_usd) == (0.004, 0, 0.002)
    assert found.latency_ms == Durations(p50=200, p95=300, p99=300, mean=200)


def test_a_price_that_is_not_known_is_not_made_up() -> None:
    some, none = effort([call(1), call(1, cost_usd=None)], labels=2), effort([call(1, cost_usd=None)], labels=1)
    assert (some.cost_usd, some.unpriced_calls, some.cost_per_label_usd) == (0.001, 1, None)
    assert (none.cost_usd, none.cost_per_label_usd) == (None, None)


def test_of_no_requests_there_is_no_latency() -> None:
    found = effort([], labels=0)
    assert (found.calls, found.cost_usd, found.cost_per_label_usd, found.latency_ms) == (0, 0, None, None)
