"""Whether a label's confidence is the chance that it is true."""

import math
from collections import defaultdict
from collections.abc import Sequence

import msgspec

BINS = 10

Judged = tuple[float, bool]
"""A confidence, 0…1, and whether its label was true."""


class Bin(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The labels whose confidence lies from `low` to below `high` (1 lies in the last): how sure, and how often true."""

    low: float
    high: float
    count: int
    confidence: float
    accuracy: float


class Calibration(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """How far confidences are from the truth.

    `ece` is how many hundredths confidence and accuracy lie apart in a bin, on average; `brier` also rewards being sure.
    Both are 0 at best. `bins` leaves out those that are empty.
    """

    labels: int
    ece: float
    brier: float
    bins: list[Bin]


def calibration(judged: Sequence[Judged]) -> Calibration | None:
    """Compare confidences with the truth; None of no labels.

    The expected calibration error is Σ nᵦ/n |accuracyᵦ − confidenceᵦ| over ten bins of equal width: M. P. Naeini,
    G. F. Cooper, M. Hauskrecht, Obtaining Well Calibrated Probabilities Using Bayesian Binning, AAAI 2015. The Brier score
    is the mean of (confidence − truth)²: G. W. Brier, Verification of Forecasts Expressed in Terms of Probability, Monthly
    Weather Review 78 (1950).
    """
    if not judged:
        return None
    gathered: dict[int, list[Judged]] = defaultdict(list)
    for confidence, is_true in judged:
        gathered[min(BINS - 1, int(confidence * BINS))].append((confidence, is_true))
    bins = [_bin(place, inside) for place, inside in sorted(gathered.items())]
    return Calibration(
        labels=len(judged),
        ece=math.fsum(one.count * abs(one.accuracy - one.confidence) for one in bins) / len(judged),
        brier=math.fsum((confidence - is_true) ** 2 for confidence, is_true in judged) / len(judged),
        bins=bins,
    )


def _bin(place: int, inside: Sequence[Judged]) -> Bin:
    return Bin(
        low=place / BINS,
        high=(place + 1) / BINS,
        count=len(inside),
        confidence=math.fsum(confidence for confidence, _ in inside) / len(inside),
        accuracy=sum(is_true for _, is_true in inside) / len(inside),
    )
