"""Two judges over the same interactions: how often they agree, where they don't, and which of them people are with."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence

import msgspec

from aura_analytics.events.records import LABELS, JudgeCall, Label
from aura_analytics.stats.agreement import Kappa, accuracy, confusion, kappa
from aura_analytics.stats.judge_calls import Durations
from aura_analytics.stats.metrics import COST_DIGITS
from aura_analytics.stats.proportion import Share, share

Labels = Mapping[str, Label]
"""Labels by the ids of their interactions."""


class Effort(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What one judge's requests took.

    `cost_usd` is that of the requests whose price is known, None where it is of none; `cost_per_label_usd`: what all cost,
    failed ones too, for each label that was given; None where a price isn't known. `latency_ms` is that of the answered
    requests.
    """

    calls: int
    failed_calls: int
    tokens_prompt: int
    tokens_completion: int
    cost_usd: float | None
    unpriced_calls: int
    cost_per_label_usd: float | None
    latency_ms: Durations | None


class Flip(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """How many of those that the one judge gave the label `a` got the label `b` from the other."""

    a: Label
    b: Label
    count: int


class ByPeople(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Both judges by people's labels, of the interactions that all three labelled.

    `only_a` are those that the one alone labelled as people did, `only_b` the other alone. `p`: how likely the two numbers
    lie as far apart if neither judge is better.
    """

    pairs: int
    accuracy_a: Share
    accuracy_b: Share
    only_a: int
    only_b: int
    p: float


class Contest(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Two judges over the same interactions; `pairs` are those that both labelled, and all rests on them.

    `flips` has a line for each two labels, also the same ones. What nothing can be said of is None.
    """

    pairs: int
    agreement: Share | None
    kappa: Kappa | None
    flips: list[Flip]
    by_people: ByPeople | None


def contest(a: Labels, b: Labels, people: Labels) -> Contest:
    """Hold two judges against each other, and against people's labels where there are any."""
    both = sorted(a.keys() & b.keys())
    matrix = confusion((a[id], b[id]) for id in both)
    return Contest(
        pairs=matrix.pairs,
        agreement=accuracy(matrix),
        kappa=kappa(matrix),
        flips=[
            Flip(a=of_a, b=of_b, count=count)
            for of_a, row in zip(LABELS, matrix.rows, strict=True)
            for of_b, count in zip(LABELS, row, strict=True)
        ],
        by_people=_by_people([(a[id], b[id], people[id]) for id in both if id in people]),
    )


def _by_people(labels: Sequence[tuple[Label, Label, Label]]) -> ByPeople | None:
    right = Counter((of_a == true, of_b == true) for of_a, of_b, true in labels)
    only_a, only_b = right[True, False], right[False, True]
    of_a, of_b = (share(right[True, True] + only, len(labels)) for only in (only_a, only_b))
    if of_a is None or of_b is None:
        return None
    return ByPeople(
        pairs=len(labels),
        accuracy_a=of_a,
        accuracy_b=of_b,
        only_a=only_a,
        only_b=only_b,
        p=mcnemar_p(only_a, only_b),
    )


def mcnemar_p(only_a: int, only_b: int) -> float:
    """Give the exact two-sided p of McNemar's test: what a fair coin gives so uneven a split of those that differ.

    Q. McNemar, Note on the Sampling Error of the Difference Between Correlated Proportions or Percentages, Psychometrika 12
    (1947); with the binomial distribution in place of χ², since often few differ: min(1, 2 Σᵢ₌₀ᵏ C(n, i) / 2ⁿ), where n
    is how many differ and k the smaller part of them. Whole numbers up to the division, so that nothing is rounded.
    """
    differing = only_a + only_b
    term, tail = 1, 1
    for place in range(min(only_a, only_b)):
        term = term * (differing - place) // (place + 1)
        tail += term
    return min(1.0, 2 * tail / (1 << differing))


def flipped(a: Labels, b: Labels) -> list[str]:
    """Give the ids of those that the two labelled differently: first those from GOOD to BAD or back, else by their ids."""
    differing = [id for id in a.keys() & b.keys() if a[id] != b[id]]

    def place(of: str) -> tuple[int, str]:
        return -abs(LABELS.index(a[of]) - LABELS.index(b[of])), of

    return sorted(differing, key=place)


def effort(calls: Sequence[JudgeCall], labels: int) -> Effort:
    """Sum up one judge's requests, by which it gave so many labels."""
    answered = sorted(one.duration_ms for one in calls if one.outcome == "answered" and one.duration_ms is not None)
    prices = [one.cost_usd for one in calls if one.cost_usd is not None]
    cost = round(math.fsum(prices), COST_DIGITS)
    return Effort(
        calls=len(calls),
        failed_calls=len(calls) - len(answered),
        tokens_prompt=sum(one.tokens_prompt for one in calls),
        tokens_completion=sum(one.tokens_completion for one in calls),
        cost_usd=cost if prices or not calls else None,
        unpriced_calls=len(calls) - len(prices),
        cost_per_label_usd=cost / labels if labels and len(prices) == len(calls) else None,
        latency_ms=_durations(answered),
    )


def _durations(observed: Sequence[float]) -> Durations | None:
    """Give the percentiles of durations in their order, by the nearest rank."""
    if not observed:
        return None
    p50, p95, p99 = (observed[-(-percent * len(observed) // 100) - 1] for percent in (50, 95, 99))
    return Durations(p50=p50, p95=p95, p99=p99, mean=math.fsum(observed) / len(observed))
