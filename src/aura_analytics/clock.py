"""The time, in the unit that the whole service counts in. Tests hand in a clock of their own."""

import time
from collections.abc import Callable

Clock = Callable[[], int]
"""A function that gives the present moment in epoch milliseconds."""


def now() -> int:
    """Give the present moment in epoch milliseconds."""
    return time.time_ns() // 1_000_000
