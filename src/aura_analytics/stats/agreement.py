"""How well two who label agree: the automatic label and the true one, which is a person's or a reference's.

Numbers out of numbers only; `stats.judging` asks for them.
"""

import math
from collections import Counter
from collections.abc import Iterable, Sequence

import msgspec

from aura_analytics.events.records import LABELS, Label
from aura_analytics.stats.proportion import Share, Z, share, wilson

# Of fewer pairs, what rests on many of them promises more than it keeps, so it isn't said. κ's interval needs more than
# others: `scripts/correction_coverage.py` measures what it holds.
LEAST_PAIRS = 30
LEAST_FOR_KAPPA = 100

Pair = tuple[Label, Label]
"""The automatic label, and the true one."""


class Confusion(msgspec.Struct, frozen=True):
    """How often which automatic label met which true one: a row for each automatic label, both in the order of LABELS."""

    rows: tuple[tuple[int, ...], ...]

    @property
    def pairs(self) -> int:
        """How many there are."""
        return sum(self.automatic)

    @property
    def agreed(self) -> int:
        """How many agree."""
        return sum(row[place] for place, row in enumerate(self.rows))

    @property
    def automatic(self) -> tuple[int, ...]:
        """How often each label was the automatic one."""
        return tuple(map(sum, self.rows))

    @property
    def truth(self) -> tuple[int, ...]:
        """How often each label was the true one."""
        return tuple(map(sum, zip(*self.rows, strict=True)))


class Kappa(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Agreement beyond chance: 1 is all, 0 what chance would give; the interval of 95 % is None for few pairs."""

    value: float
    low: float | None
    high: float | None


def confusion(pairs: Iterable[Pair]) -> Confusion:
    """Count pairs."""
    counts = Counter(pairs)
    return Confusion(tuple(tuple(counts[automatic, true] for true in LABELS) for automatic in LABELS))


def accuracy(found: Confusion) -> Share | None:
    """Give the share of the automatic labels that are true; None of no pairs."""
    return share(found.agreed, found.pairs)


def kappa(found: Confusion) -> Kappa | None:
    """Give Cohen's κ = (pₒ − pₑ)/(1 − pₑ): pₒ is the share that agrees, pₑ the share that would by chance.

    J. Cohen, A Coefficient of Agreement for Nominal Scales, Educational and Psychological Measurement 20 (1960). None
    where it isn't defined: of no pairs, and where both know only one and the same label.

    The interval is κ ± z·SE within −1…1, SE as in `_standard_error`. That is a statement about many pairs: of fewer than
    LEAST_FOR_KAPPA there is none. Where all agree SE is 0, however few they are; then the lower end is the κ of the lower end
    of the accuracy's own interval.
    """
    pairs = found.pairs
    if not pairs:
        return None
    observed = found.agreed / pairs
    by_chance = sum(row * column for row, column in zip(found.automatic, found.truth, strict=True)) / pairs**2
    if by_chance == 1:
        return None
    value = (observed - by_chance) / (1 - by_chance)
    if pairs < LEAST_FOR_KAPPA:
        return Kappa(value=value, low=None, high=None)
    if found.agreed == pairs:
        low, _ = wilson(observed, pairs)
        return Kappa(value=value, low=max(-1.0, (low - by_chance) / (1 - by_chance)), high=value)
    reach = Z * _standard_error(found, value, by_chance)
    return Kappa(value=value, low=max(-1.0, value - reach), high=min(1.0, value + reach))


def _standard_error(found: Confusion, value: float, by_chance: float) -> float:
    """Give the asymptotic standard error of κ, which doesn't suppose that κ is 0.

    J. L. Fleiss, J. Cohen, B. S. Everitt, Large Sample Standard Errors of Kappa and Weighted Kappa, Psychological Bulletin
    72 (1969), (13): with pᵢⱼ the shares of the matrix, pᵢ. and p.ᵢ those of its rows and columns,
    SE² = (Σᵢ pᵢᵢ(1 − (pᵢ. + p.ᵢ)(1−κ))² + (1−κ)² Σᵢ≠ⱼ pᵢⱼ(p.ᵢ + pⱼ.)² − (κ − pₑ(1−κ))²) / (n(1−pₑ)²).
    """
    pairs = found.pairs
    rows, columns = ([count / pairs for count in counts] for counts in (found.automatic, found.truth))
    rest = 1 - value
    terms = [
        count / pairs * ((1 - (rows[i] + columns[i]) * rest) if i == j else rest * (columns[i] + rows[j])) ** 2
        for i, row in enumerate(found.rows)
        for j, count in enumerate(row)
    ]
    variance = math.fsum([*terms, -((value - by_chance * rest) ** 2)])
    return math.sqrt(max(0.0, variance) / pairs) / (1 - by_chance)


def sampling_p(sampled: Sequence[int], others: Sequence[int]) -> float | None:
    """Give the chance that a random sample differs from all others as much as this one does, in up to three classes.

    K. Pearson's χ² test of homogeneity (1900). With one or two degrees of freedom, the distribution needs no table:
    erfc(√(χ²/2)) and exp(−χ²/2). None where either is smaller than LEAST_PAIRS; 1 where all are of one class.
    """
    if min(sum(sampled), sum(others)) < LEAST_PAIRS:
        return None
    classes = [(one, other) for one, other in zip(sampled, others, strict=True) if one + other]
    total = sum(sampled) + sum(others)
    chi2 = math.fsum(
        (count - (one + other) * size / total) ** 2 / ((one + other) * size / total)
        for one, other in classes
        for count, size in ((one, sum(sampled)), (other, sum(others)))
    )
    if len(classes) == 1:
        return 1.0
    return math.erfc(math.sqrt(chi2 / 2)) if len(classes) == 2 else math.exp(-chi2 / 2)
