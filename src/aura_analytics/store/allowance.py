"""How much may be asked of a model: arithmetic over what is left of its minute and of the day's money.

Requests and tokens are kept in buckets that fill as time passes; a bucket that holds c and fills by r a minute
lets c + r through in it. The money is a sum for each day (UTC). All evaluators share these rows, so whoever works with
them holds them for themselves meanwhile.
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

import msgspec

from aura_analytics.events.records import JudgeCall
from aura_analytics.store.judging import Demand, Grant

MINUTE_MS = 60_000
DAY_MS = 86_400_000
# No two clocks are further apart than this; one that was so far ahead was wrong, and nobody waits until it is right.
APART_MS = 7_200_000
# The part of a minute's tokens that may be asked at once: three seconds' worth.
TOKENS_AT_ONCE = 1 / 20
# What sums and shares may be off by, being fractions of two. Less than any bucket gains in a millisecond.
DUST = 1e-9


class Level(msgspec.Struct, frozen=True):
    """What is left in a bucket, or was spent in a day, at a moment."""

    level: float
    at: int


class Bucket(msgspec.Struct, frozen=True):
    """A limit of a minute: what it holds at most, and by how much it fills in a minute."""

    capacity: float
    per_minute: float

    def filled(self, level: Level | None, now: int) -> Level:
        """Give what is left now; a clock that is behind another one takes nothing back and adds nothing."""
        if level is None or level.at - now > APART_MS:
            return Level(self.capacity, now)
        gained = max(0, now - level.at) * self.per_minute / MINUTE_MS
        return Level(min(self.capacity, level.level + gained), max(level.at, now))

    def fit(self, level: float, size: float) -> int:
        """Tell how many of a size may be taken; one that is larger than the bucket may be where it is full."""
        if size > self.capacity:
            return int(level >= self.capacity * (1 - DUST))
        return max(0, math.floor(level / size + DUST))

    def wait_ms(self, level: float, size: float) -> int:
        """Tell after how long one of a size may be taken."""
        lacking = min(size, self.capacity) * (1 - DUST) - level
        return max(0, math.ceil(lacking * MINUTE_MS / self.per_minute))


def requests_bucket(rpm: int) -> Bucket:
    """Let in no minute more than `rpm` requests through: c + r is `rpm` + 1, less what comes at its very end."""
    capacity = max(1, rpm // 60)
    return Bucket(capacity, rpm - capacity + 1)


def tokens_bucket(tpm: int) -> Bucket:
    """Let in no minute more than `tpm` tokens through, but for one request that is larger than the bucket."""
    capacity = tpm * TOKENS_AT_ONCE
    return Bucket(capacity, tpm - capacity)


def requests_of(model: str) -> str:
    """Name the row of a model's requests."""
    return f"requests:{model}"


def tokens_of(model: str) -> str:
    """Name the row of a model's tokens."""
    return f"tokens:{model}"


def spent_on(moment: int) -> str:
    """Name the row of a day's money, by a moment of it in epoch milliseconds."""
    return f"spent:{datetime.fromtimestamp(moment / 1000, UTC):%Y-%m-%d}"


def names_of(demand: Demand, now: int) -> list[str]:
    """Name the rows that a demand takes from, in the order in which they are to be held."""
    named = [(demand.rpm, requests_of(demand.model)), (demand.tpm, tokens_of(demand.model))]
    return [name for limit, name in named if limit is not None] + [spent_on(now)]


def granted(demand: Demand, levels: Mapping[str, Level], now: int) -> tuple[Grant, dict[str, Level]]:
    """Give what of a demand may be asked now, and the rows of `names_of` after that; `levels` are those that there are."""
    limits = [
        _Limit(name, bucket, size, bucket.filled(levels.get(name), now)) for name, bucket, size in _buckets(demand)
    ]
    money = _Money(demand, levels.get(spent_on(now), Level(0.0, now)).level)
    count = min([demand.requests, money.fit, *(limit.fit for limit in limits)])
    rows = {limit.name: limit.after(count) for limit in limits}
    rows[spent_on(now)] = Level(money.spent + count * demand.cost_usd, now)
    if count == demand.requests:
        return Grant(requests=count), rows
    waits = [limit.bucket.wait_ms(rows[limit.name].level, limit.size) for limit in limits]
    if money.fit <= count:
        waits.append(DAY_MS - now % DAY_MS)
    return Grant(requests=count, wait_ms=max(waits), spent=money.fit == 0), rows


class _Limit(msgspec.Struct, frozen=True):
    """A bucket's row, as it is now, and how much of it a request takes."""

    name: str
    bucket: Bucket
    size: float
    level: Level

    @property
    def fit(self) -> int:
        return self.bucket.fit(self.level.level, self.size)

    def after(self, count: int) -> Level:
        return Level(self.level.level - count * self.size, self.level.at)


class _Money(msgspec.Struct, frozen=True):
    """What the day has cost before a demand."""

    demand: Demand
    spent: float

    @property
    def fit(self) -> int:
        """Tell how many requests the rest pays; what costs nothing needs none."""
        demand = self.demand
        if demand.budget_usd is None or demand.cost_usd <= 0:
            return demand.requests
        return max(0, min(demand.requests, math.floor((demand.budget_usd - self.spent + DUST) / demand.cost_usd)))


def _buckets(demand: Demand) -> list[tuple[str, Bucket, float]]:
    """Give the limits of a demand's minute; a request of no tokens takes none."""
    found: list[tuple[str, Bucket, float]] = []
    if demand.rpm is not None:
        found.append((requests_of(demand.model), requests_bucket(demand.rpm), 1))
    if demand.tpm is not None and demand.tokens > 0:
        found.append((tokens_of(demand.model), tokens_bucket(demand.tpm), demand.tokens))
    return found


class Correction(msgspec.Struct, frozen=True):
    """By how much rows are wrong by what was reserved: tokens that are left, and dollars that were spent, by their names."""

    tokens: dict[str, float]
    usd: dict[str, float]


def correction_of(calls: Iterable[JudgeCall]) -> Correction:
    """Tell what requests took beyond what was reserved for each.

    One whose price isn't known leaves the money as it was expected; one that nothing was reserved for took no part of the
    minute's tokens: a batch has limits of its own.
    """
    tokens: dict[str, float] = defaultdict(float)
    usd: dict[str, float] = defaultdict(float)
    for call in calls:
        if call.reserved_tokens:
            tokens[tokens_of(call.model)] += call.reserved_tokens - call.tokens_prompt - call.tokens_completion
        if call.cost_usd is not None:
            usd[spent_on(call.called_at)] += call.cost_usd - call.reserved_usd
    return Correction(_changing(tokens), _changing(usd))


def _changing(amounts: Mapping[str, float]) -> dict[str, float]:
    """Leave out what changes nothing; in the order of their names, in which rows are held."""
    return {name: amount for name, amount in sorted(amounts.items()) if amount}
