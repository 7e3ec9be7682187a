"""What a rule measures. Numbers come from the statistics, so that an alarm and the page never disagree."""

from collections.abc import Callable, Sequence
from typing import Protocol

import msgspec

from aura_analytics.alerts.rule import SHARES, Rule
from aura_analytics.clock import Clock, now
from aura_analytics.stats import scope as scopes
from aura_analytics.stats.proportion import wilson
from aura_analytics.stats.reader import Reader
from aura_analytics.stats.summary import Summary, summary
from aura_analytics.store.port import QueueDepth


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """What was measured. `held` is what is held against the threshold: of a share, the lower end of its interval.

    `of`: how many interactions it is of. `value` and `held` are None where there was nothing to measure.
    """

    value: float | None
    held: float | None
    of: int = 0


class Rows(Protocol):
    """What is asked of the row database."""

    async def queue_depth(self, *, now: int) -> QueueDepth:
        """Count what waits to be labelled."""

    async def spent_usd(self, *, now: int) -> float:
        """Give what the day has cost by now."""


class Gauge:
    """Measures rules.

    Args:
        reader: asks the columns.
        store: the row database.
        budget_usd: what the judge may cost in a day; None is no limit.
        clock: the present.
    """

    def __init__(self, reader: Reader, store: Rows, *, budget_usd: float | None, clock: Clock = now) -> None:
        self._reader = reader
        self._store = store
        self._budget_usd = budget_usd
        self._clock = clock

    async def measure(self, rule: Rule) -> Measured:
        """Measure one rule.

        Raises:
            ProjectionUnavailable: the columns can't be read right now.
            StoreUnavailable: the row database can't be.
        """
        if rule.metric == "queue_age_s":
            moment = self._clock()
            since = (await self._store.queue_depth(now=moment)).since
            return _plain(0.0 if since is None else max(0.0, (moment - since) / 1000))
        if rule.metric == "budget_spent":
            if self._budget_usd is None:
                return Measured(value=None, held=None)
            return _plain(await self._store.spent_usd(now=self._clock()) / self._budget_usd)
        stores: Sequence[str] | None = None if rule.store is None else [rule.store]
        scope = scopes.parse({"period": rule.window, "store": stores}, now=self._reader.now)
        return of_summary(rule, await summary(self._reader, scope))


def of_summary(rule: Rule, found: Summary) -> Measured:
    """Give what a rule measures out of the figures of its window."""
    if rule.metric not in SHARES:
        value, of = found.p95_latency_ms, found.total_queries
        return Measured(value=value, held=value, of=of) if of >= rule.minimum else _nothing(of)
    hits, of = _SHARES[rule.metric](found)
    if of < rule.minimum:
        return _nothing(of)
    value = hits / of
    return Measured(value=value, held=wilson(value, of)[0], of=of)


def _labelled(found: Summary) -> int:
    return found.labels.good + found.labels.review + found.labels.bad


_SHARES: dict[str, Callable[[Summary], tuple[float, int]]] = {
    "error_rate": lambda found: (found.failed_queries, found.total_queries),
    "unanswered_rate": lambda found: (round(found.unanswered_rate * found.total_queries), found.total_queries),
    "bad_share": lambda found: (found.labels.bad, _labelled(found)),
}


def _plain(value: float) -> Measured:
    return Measured(value=value, held=value)


def _nothing(of: int) -> Measured:
    return Measured(value=None, held=None, of=of)
