"""The circuit breaker of one model: when it may be asked, learnt from how asking went. Pure, but for a clock.

The libraries for it (aiobreaker, purgatory) know neither a Retry-After nor a slow return, and a key that is refused is
no outage: hence our own.
"""

import random
import time
from collections import deque
from collections.abc import Callable
from typing import Literal

Change = Literal["rests", "answers", "refused", "accepted"]

FAILURES = 5
"""So many passing failures in a row open it."""

REFUSALS = 3
"""So many refusals in a row are about the key, where it was accepted before; a single one may be about the request."""

FIRST_PAUSE_S, LONGEST_PAUSE_S = 5.0, 300.0
LONGEST_ASKED_S = 3_600.0
"""A provider that asks for more than this is asked again all the same."""

REFUSED_PAUSE_S = 60.0
FIRST_LIMIT = 4
"""In flight at the beginning, when nobody knows yet whether the key is any good."""

FULL = 64
"""From so many in flight on there is no limit."""

UNLIMITED = 1 << 30


class Breaker:
    """Closed, it lets everybody through. Open, nobody, for a while. Then one, and with each answer one more in flight.

    In flight so many grow as 1, 2, 4, …: with each round of answers they double. `answered`, `failed` and `refused`
    give what changed by it, if it did: `rests` (nobody is let through for a while), `answers` (there is no limit any
    more), `refused` (the key is wrong) and `accepted` (it is right again). Each is said once.

    Args:
        clock: seconds, of any beginning.
        jitter: gives from 0 to 1 by chance, so that many processes aren't back in the same moment.
        lost_after_s: what hasn't ended by then never will.
    """

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        jitter: Callable[[], float] = random.random,
        lost_after_s: float = 120.0,
    ) -> None:
        self._clock = clock
        self._jitter = jitter
        self._lost_after_s = lost_after_s
        self._in_flight: deque[float] = deque()  # since when, the oldest first
        self._limit: int | None = FIRST_LIMIT
        self._until = clock()
        self._failures = self._refusals = self._pauses = 0
        self._known = self._refused = self._rested = False

    @property
    def is_refused(self) -> bool:
        """Whether it is the key that keeps everybody away."""
        return self._refused

    def wait_s(self) -> float:
        """For how long nobody is let through; 0 where it is open to somebody, or only full."""
        return max(0.0, self._until - self._clock())

    def room(self) -> int:
        """How many requests may begin now."""
        if self.wait_s():
            return 0
        if self._limit is None:
            return UNLIMITED
        self._forget_lost()
        return max(0, self._limit - len(self._in_flight))

    def full_for_s(self) -> float:
        """After how long there is room even if nothing ends that is in flight."""
        return max(0.0, self._in_flight[0] + self._lost_after_s - self._clock()) if self._in_flight else 0.0

    def begun(self) -> None:
        """Take note of a request that begins; there was room for it."""
        self._in_flight.append(self._clock())

    def abandoned(self) -> None:
        """Take note of a request that ends without having said anything about the model."""
        if self._in_flight:
            self._in_flight.popleft()

    def answered(self) -> Change | None:
        """Take note of an answer, whatever it is worth."""
        self.abandoned()
        if self.wait_s():
            return None  # it was asked before the trouble began
        self._failures = self._refusals = 0
        self._known = True
        was_refused, self._refused = self._refused, False
        closes = self._widen()
        if was_refused:
            return "accepted"
        return "answers" if closes else None

    def failed(self, retry_after_s: float | None = None) -> Change | None:
        """Take note of a passing failure, and of how long the provider wants to be left alone."""
        self.abandoned()
        if retry_after_s:
            self._rest(min(retry_after_s, LONGEST_ASKED_S) * (1 + 0.1 * self._jitter()))
        elif self.wait_s():
            return None  # it was asked before the trouble began
        else:
            self._failures += 1
            if self._limit != 1 and self._failures < FAILURES:
                return None
            longest = min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2.0 ** min(self._pauses, 30))
            self._pauses += 1
            self._rest(longest * (0.75 + 0.25 * self._jitter()))
        rested, self._rested = self._rested, True
        return None if rested else "rests"

    def refused(self) -> Change | None:
        """Take note that the key, the model or the request wasn't accepted."""
        self.abandoned()
        if self.wait_s():
            return None
        self._refusals += 1
        if self._known and not self._refused and self._limit != 1 and self._refusals < REFUSALS:
            return None
        was_refused, self._refused = self._refused, True
        self._rest(REFUSED_PAUSE_S * (1 + 0.1 * self._jitter()))
        return None if was_refused else "refused"

    def _rest(self, pause_s: float) -> None:
        self._until = max(self._until, self._clock() + pause_s)
        self._limit, self._failures = 1, 0

    def _widen(self) -> bool:
        """Let one more be in flight; tell whether there is no limit any more, after a rest."""
        if self._limit is None:
            return False
        self._limit += 1
        if self._limit <= FULL:
            return False
        rested, self._rested = self._rested, False
        self._limit, self._pauses = None, 0
        return rested

    def _forget_lost(self) -> None:
        while self._in_flight and self._in_flight[0] + self._lost_after_s <= self._clock():
            self._in_flight.popleft()
