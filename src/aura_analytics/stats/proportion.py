"""A share of some trials, and what it may be in truth."""

import math

import msgspec

# The 97.5 % quantile of the normal distribution: all intervals are of 95 %.
Z = 1.959963984540054


class Share(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A share of `of` trials, and the 95 % interval that the true one lies in; all 0…1."""

    value: float
    low: float
    high: float
    of: int


def share(hits: int, of: int) -> Share | None:
    """Give a share with its interval; None where nothing was tried."""
    if not of:
        return None
    value = hits / of
    low, high = wilson(value, of)
    return Share(value=value, low=low, high=high, of=of)


def wilson(value: float, of: float) -> tuple[float, float]:
    """Give the score interval of a share, which keeps its coverage for few trials and for shares near 0 and 1.

    E. B. Wilson, Probable Inference, the Law of Succession, and Statistical Inference, JASA 22 (1927): with z the normal
    quantile, (p + z²/2n ± z √(p(1−p)/n + z²/4n²)) / (1 + z²/n).

    Args:
        value: the share p, 0…1.
        of: the number n of trials, above 0; not a whole number where trials are only worth as many.
    """
    below = 1 + Z * Z / of
    middle = (value + Z * Z / (2 * of)) / below
    reach = Z / below * math.sqrt(value * (1 - value) / of + Z * Z / (4 * of * of))
    # The formula's ends lie within 0…1 and around the value; rounding must not say otherwise.
    return min(max(middle - reach, 0.0), value), max(min(middle + reach, 1.0), value)
