"""Rates that all servers of one PostgreSQL count together.

A caller's bucket lies in the database. A server takes a lease out of it, more than the one request needs, and serves from
that without asking again. How much it takes follows what the caller sends: a lease that is used up in time is followed by
one of twice the size, one that lapses by one of half; a caller who sends seldom has every request counted exactly.

How far off it may be: a lease lapses after `LEASE_S`, so that in any time a caller gets at most what `per_second` gives
in a second too much, however many servers there are. A lease is at most an eighth of what a second, or `burst`, has: so
much may lie unused at each server, for a second. Without the database each server counts for itself, as ever.
"""

import asyncio
import math
from collections import OrderedDict
from collections.abc import Callable
from functools import partial

import structlog

from aura_analytics.errors import SettingsError, StoreUnavailable
from aura_analytics.guard.rate import MOST_BUCKETS, Counts, Decision, Limiter, Quota, policy_of
from aura_analytics.settings import Settings
from aura_analytics.store.keys import KeyStore, RateStore

LEASE_S = 1.0
# A lease is at most this part of what a second, or all at once, gives.
PARTS = 8
# Who was refused is refused again without a question for so long, or until there is room.
REFUSED_S = 0.5
# The database has so long to answer; then a server counts for itself, and asks again after a pause.
ANSWER_S = 1.0
PAUSE_S = 5.0

log = structlog.get_logger()


def counting(settings: Settings, keys: KeyStore) -> Callable[[Quota], Counts]:
    """Give what makes counters.

    Raises:
        SettingsError: the servers are to count together, and there is no database that all of them reach.
    """
    if settings.rate_store == "memory":
        return Limiter
    if not isinstance(keys, RateStore):
        raise SettingsError("RATE_STORE=database needs PostgreSQL: a file has one server, which counts for itself")
    return partial(SharedLimiter, rates=keys)


class Lease:
    """What a server may still spend for a caller, in seconds of the quota's average."""

    def __init__(self) -> None:
        self.lock = asyncio.Lock()
        self.left_s = 0.0
        self.until = 0.0
        self.units = 1
        self.full_at = 0.0  # the bucket of all, by this server's timer
        self.refused_until = 0.0
        self.refused_s = math.inf  # what was too much

    def lapse(self, now_s: float, most: int) -> None:
        """Let go of what is over, and choose how much to take next."""
        if not self.until:
            return
        self.units = min(most, self.units * 2) if now_s < self.until else max(1, self.units // 2)
        if now_s >= self.until:
            self.left_s = 0.0


class SharedLimiter:
    """Counts by one quota together with other servers. Lives on the event loop."""

    def __init__(self, quota: Quota, *, rates: RateStore, most_leases: int = MOST_BUCKETS) -> None:
        self.quota = quota
        self._rates = rates
        self._most = most_leases
        self._policy = policy_of(quota)
        self._interval_s = 1 / quota.per_second
        self._capacity_s = quota.burst * self._interval_s
        self._largest = max(1, math.floor(min(quota.per_second * LEASE_S, quota.burst) / PARTS))
        self._leases: OrderedDict[str, Lease] = OrderedDict()
        self._alone = Limiter(quota)
        self._alone_until = 0.0

    async def decide(self, caller: str, cost: int = 1, *, now_s: float) -> Decision:
        """Take units for a caller, or none where there aren't enough."""
        if now_s < self._alone_until:
            return self._alone.take(caller, cost, now_s=now_s)
        lease = self._lease(caller)
        price_s = cost * self._interval_s
        if (known := self._known(lease, price_s, now_s)) is not None:
            return known
        async with lease.lock:
            # Who waited for the lock may be served by what another one brought.
            if (known := self._known(lease, price_s, now_s)) is not None:
                return known
            try:
                return await self._ask(lease, caller, price_s, now_s)
            except (StoreUnavailable, TimeoutError) as error:
                log.warning("rates_counted_alone", error=str(error) or "no answer in time", for_s=PAUSE_S)
                self._alone_until = now_s + PAUSE_S
                return self._alone.take(caller, cost, now_s=now_s)

    def _lease(self, caller: str) -> Lease:
        lease = self._leases.get(caller)
        if lease is None:
            lease = self._leases[caller] = Lease()
            if len(self._leases) > self._most:
                self._leases.popitem(last=False)
        else:
            self._leases.move_to_end(caller)
        return lease

    def _known(self, lease: Lease, price_s: float, now_s: float) -> Decision | None:
        """Decide without the database; None where only it knows."""
        if now_s < lease.refused_until and price_s >= lease.refused_s:
            return self._refusal(lease.full_at - now_s, price_s)
        if now_s < lease.until and price_s <= lease.left_s + 1e-9:
            lease.left_s -= price_s
            return self._taken(lease, now_s)
        return None

    async def _ask(self, lease: Lease, caller: str, price_s: float, now_s: float) -> Decision:
        lease.lapse(now_s, self._largest)
        wanted_s = max(price_s, min(lease.units * self._interval_s, self._capacity_s))
        async with asyncio.timeout(ANSWER_S):
            granted_s, full_in_s = await self._rates.take_rate(
                f"{self.quota.name}:{caller}", least_s=price_s, most_s=wanted_s, capacity_s=self._capacity_s
            )
        lease.full_at = now_s + full_in_s
        if not granted_s:
            lacking_s = full_in_s + price_s - max(self._capacity_s, price_s)
            # Until there is room for a whole lease, or every unit that comes in would be asked for by itself.
            pause_s = lacking_s + (lease.units - 1) * self._interval_s
            lease.refused_until, lease.refused_s = now_s + min(REFUSED_S, pause_s), price_s
            return self._refusal(full_in_s, price_s)
        lease.left_s += granted_s - price_s
        lease.until = now_s + LEASE_S
        lease.refused_until = 0.0
        return self._taken(lease, now_s)

    def _taken(self, lease: Lease, now_s: float) -> Decision:
        empty_s = max(0.0, lease.full_at - lease.left_s - now_s)
        return Decision(self.quota, self._policy, True, empty_s, 0)  # noqa: FBT003 (taken)

    def _refusal(self, full_in_s: float, price_s: float) -> Decision:
        lacking_s = full_in_s + price_s - max(self._capacity_s, price_s)
        return Decision(self.quota, self._policy, False, max(0.0, full_in_s), max(1, math.ceil(lacking_s)))  # noqa: FBT003 (not taken)
