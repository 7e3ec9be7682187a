"""A rate by a few true labels and many automatic ones, whose mistakes are taken out: prediction-powered inference.

A. N. Angelopoulos, S. Bates, C. Fannjiang, M. I. Jordan, T. Zrnic, Prediction-Powered Inference, Science 382 (2023), with
the tuning of A. N. Angelopoulos, J. C. Duchi, T. Zrnic, PPI++: Efficient Prediction-Powered Inference (2023). A mean of
zeros and ones needs four counts of them, so it is written out here; the tests hold it to the authors' own package.
"""

import msgspec

from aura_analytics.stats.agreement import LEAST_PAIRS
from aura_analytics.stats.proportion import wilson


class Counts(msgspec.Struct, frozen=True, kw_only=True):
    """What is known: of `pairs`, how many are BAD in truth, by the automatic label, and by both; and of the `others`."""

    pairs: int
    true: int
    automatic: int
    both: int
    others: int
    others_automatic: int


class Powered(msgspec.Struct, frozen=True, kw_only=True):
    """The paper's own quantities: the weight λ of the automatic labels, the estimate, and its variance."""

    weight: float
    estimate: float
    variance: float


class Corrected(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A rate with its 95 % interval, all 0…1.

    `weight` is λ: how far the automatic labels are relied on, 0 not at all and 1 as on people's. `worth`: how many people's
    labels alone would have told as much.
    """

    value: float
    low: float
    high: float
    pairs: int
    others: int
    weight: float
    worth: float


def corrected(counts: Counts) -> Corrected | None:
    """Give the corrected rate; None of fewer pairs than LEAST_PAIRS, or where there are no other automatic labels.

    The paper's interval, estimate ± z √variance, supposes that the estimate is normal, which of a few dozen zeros and ones
    it isn't: it covers too little, and with a judge whose mistakes the sample happens to miss, nearly nothing. So (1) the
    variance has one mistake more than was seen, λ²/n², and (2) the interval is Wilson's, for as many labels as would give a
    plain rate this exact, p(1−p) / variance: with λ = 0 it is the plain one. `scripts/correction_coverage.py` measures
    both.
    """
    if counts.pairs < LEAST_PAIRS or not counts.others:
        return None
    found = powered(counts)
    plain = counts.true / counts.pairs
    variance = found.variance + (found.weight / counts.pairs) ** 2
    # Where all or none are BAD in truth, λ is 0: nothing says how the automatic labels go with them.
    worth = plain * (1 - plain) / variance if 0 < plain < 1 else float(counts.pairs)
    value = min(1.0, max(0.0, found.estimate))
    low, high = wilson(value, worth)
    return Corrected(
        value=value, low=low, high=high, pairs=counts.pairs, others=counts.others, weight=found.weight, worth=worth
    )


def powered(counts: Counts, weight: float | None = None) -> Powered:
    """Give θ = λ·f̄ + (ȳ − λ·f̄ₙ): the rate of the automatic labels of all others, and what pairs say is wrong with it.

    Its variance is λ² var(f)/N + var(y − λf)/n.

    Args:
        counts: at least one pair, and one other.
        weight: λ; without it the one that makes the variance least, cov(y, f) / ((1 + n/N) var(f)), within 0…1.
    """
    pairs, others = counts.pairs, counts.others
    true, automatic, of_others = counts.true / pairs, counts.automatic / pairs, counts.others_automatic / others
    together = counts.both / pairs - true * automatic
    if weight is None:
        weight = _weight(counts, together)
    rectifier = _spread(true) + weight**2 * _spread(automatic) - 2 * weight * together
    return Powered(
        weight=weight,
        estimate=weight * of_others + true - weight * automatic,
        variance=weight**2 * _spread(of_others) / others + max(0.0, rectifier) / pairs,
    )


def _weight(counts: Counts, together: float) -> float:
    total = counts.pairs + counts.others
    spread = _spread((counts.automatic + counts.others_automatic) / total) * total / (total - 1)
    if not spread:
        return 0.0
    return min(1.0, max(0.0, together / ((1 + counts.pairs / counts.others) * spread)))


def _spread(rate: float) -> float:
    """Give the variance of zeros and ones."""
    return rate * (1 - rate)
