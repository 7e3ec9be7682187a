"""How much a caller may send: so much on average, and so much at once.

A bucket a caller: it holds `burst` units, each request takes some, and it fills at `per_second`. What is kept of it is
one number, the moment at which it will be full (the generic cell rate algorithm, ITU-T I.371): a bucket that is full is
like one that was never seen, and needn't be kept. So the memory is bounded, whoever calls.

Each server counts for itself: behind a balancer with n of them, a caller gets up to n times as much. Those of one
PostgreSQL may count together (`aura_analytics.guard.shared_rate`).

The library `limits` isn't used: its storage in memory looks through all callers again and again while any of them calls
(side by side, at 20,000 callers, a request cost 95 µs with it and 5 µs here; with it, more with every further caller).
"""

import math
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Protocol

import msgspec

from aura_analytics.errors import TooManyRequests
from aura_analytics.guard.network import Address

# Buckets that are kept of one quota. Beyond it, those not used for longest are forgotten, as though full.
MOST_BUCKETS = 1 << 16
# Buckets that are looked at for being full when a new one is made.
SWEPT = 2
IPV4 = 4
# One household has all addresses that share these bits of IPv6's; counted one by one, nobody would ever be refused.
IPV6_SITE_BITS = 64


class Quota(msgspec.Struct, frozen=True, kw_only=True):
    """How much: `per_second` on average, `burst` at once. `name` and `unit` are told to the caller."""

    name: str
    per_second: float
    burst: int
    unit: str = "request"

    @property
    def window_s(self) -> int:
        """After this many seconds an empty bucket is full again."""
        return max(1, math.ceil(self.burst / self.per_second))


class Decision(msgspec.Struct, frozen=True):
    """Whether a request is taken by a quota, which `policy` tells as the header does, and for how many seconds its caller's bucket isn't full now.

    `retry_after_s` is 0 where it is taken.
    """

    quota: Quota
    policy: str
    taken: bool
    empty_s: float
    retry_after_s: int

    @property
    def remaining(self) -> int:
        """What the caller may send at once now, in units."""
        return max(0, math.floor(self.quota.burst - self.empty_s * self.quota.per_second + 1e-6))

    @property
    def full_after_s(self) -> int:
        """After how many seconds the caller has all of it again."""
        return math.ceil(self.empty_s)


class Counts(Protocol):
    """What counts by one quota."""

    quota: Quota

    async def decide(self, caller: str, cost: int = 1, *, now_s: float) -> Decision:
        """Take units for a caller, or none where there aren't enough; `now_s` is of a clock that only goes forward."""


class Limiter:
    """The buckets of one quota. Lives on the event loop, so it needs no lock."""

    def __init__(self, quota: Quota, *, most_buckets: int = MOST_BUCKETS) -> None:
        self.quota = quota
        self._policy = policy_of(quota)
        self._interval_s = 1 / quota.per_second
        self._capacity_s = quota.burst * self._interval_s
        self._slack_s = self._interval_s * 1e-6  # the sums of many parts of a second aren't exact
        self._most = most_buckets
        self._full_at: OrderedDict[str, float] = OrderedDict()

    def __len__(self) -> int:
        return len(self._full_at)

    async def decide(self, caller: str, cost: int = 1, *, now_s: float) -> Decision:
        """Take units for a caller."""
        return self.take(caller, cost, now_s=now_s)

    def take(self, caller: str, cost: int = 1, *, now_s: float) -> Decision:
        """Take units out of a caller's bucket, or none where there aren't enough.

        What costs more than a bucket holds is taken where it is full, and paid for afterwards: otherwise it never could
        be.

        Args:
            caller: whose bucket.
            cost: in units.
            now_s: the moment, by a clock that only goes forward.
        """
        full_at = max(self._full_at.get(caller, now_s), now_s)
        price_s = cost * self._interval_s
        lacking_s = full_at + price_s - now_s - max(self._capacity_s, price_s)
        if lacking_s > self._slack_s:
            return Decision(self.quota, self._policy, False, full_at - now_s, max(1, math.ceil(lacking_s)))  # noqa: FBT003 (not taken)
        if cost:
            full_at += price_s
            self._keep(caller, full_at, now_s)
        return Decision(self.quota, self._policy, True, full_at - now_s, 0)  # noqa: FBT003 (taken)

    def _keep(self, caller: str, full_at: float, now_s: float) -> None:
        buckets = self._full_at
        is_new = caller not in buckets
        buckets[caller] = full_at
        buckets.move_to_end(caller)
        if not is_new:
            return
        for _ in range(SWEPT):
            oldest = next(iter(buckets))
            if buckets[oldest] > now_s:
                break
            del buckets[oldest]
        if len(buckets) > self._most:
            buckets.popitem(last=False)


def caller_at(address: Address | None) -> str:
    """Name the bucket of an address; all addresses of one IPv6 site share one, and so do all unknown ones."""
    if address is None:
        return "unknown"
    if address.version == IPV4:
        return str(address)
    return f"{int(address) >> (128 - IPV6_SITE_BITS):x}::"


def headers(decisions: Sequence[Decision]) -> dict[str, str]:
    """Tell a caller what they have left, by the IETF's draft (draft-ietf-httpapi-ratelimit-headers, as of its 10th).

    Of older spellings (`X-RateLimit-…`, `RateLimit-Limit`) there are several that disagree on the form of the moment, so
    none is sent; `Retry-After`, which all clients know, goes with a refusal.
    """
    told = {
        "ratelimit-policy": ", ".join([one.policy for one in decisions]),
        "ratelimit": ", ".join([f'"{one.quota.name}";r={one.remaining};t={one.full_after_s}' for one in decisions]),
    }
    if wait_s := max([one.retry_after_s for one in decisions]):
        told["retry-after"] = str(wait_s)
    return told


def policy_of(quota: Quota) -> str:
    """Tell a quota as the header does."""
    unit = "" if quota.unit == "request" else f';qu="{quota.unit}"'
    return f'"{quota.name}";q={quota.burst}{unit};w={quota.window_s}'


def refuse(decisions: Sequence[Decision]) -> None:
    """See that all of them are taken.

    Raises:
        TooManyRequests: one isn't; it says when there is room again.
    """
    for one in decisions:
        if not one.taken:
            told: Mapping[str, str] = headers(decisions)
            raise TooManyRequests(
                f"more {one.quota.name} than {one.quota.per_second:g} a second, or {one.quota.burst:,} at once", told
            )
