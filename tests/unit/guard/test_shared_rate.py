"""Rates of several servers together: never more than may be, but for what a lease lasts; no question for each request."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aura_analytics.errors import SettingsError, StoreUnavailable
from aura_analytics.guard.rate import Limiter, Quota
from aura_analytics.guard.shared_rate import LEASE_S, PARTS, SharedLimiter, counting
from aura_analytics.settings import Settings
from aura_analytics.store.keys import RateStore
from unit.guard.house import House

QUOTA = Quota(name="requests", per_second=100, burst=100)


class Buckets:
    """What the database does, in memory; `now_s` is its clock."""

    def __init__(self) -> None:
        self.full_at: dict[str, float] = {}
        self.now_s = 0.0
        self.asked = 0
        self.away = False

    async def take_rate(self, bucket: str, *, least_s: float, most_s: float, capacity_s: float) -> tuple[float, float]:
        self.asked += 1
        if self.away:
            raise StoreUnavailable("away for a test")
        full_at = max(self.full_at.get(bucket, 0.0), self.now_s)
        for price_s in (most_s, least_s):
            if full_at + price_s - self.now_s <= max(capacity_s, price_s) + 1e-6:
                self.full_at[bucket] = full_at + price_s
                return price_s, full_at + price_s - self.now_s
        return 0.0, full_at - self.now_s


def servers(buckets: RateStore, count: int = 2, quota: Quota = QUOTA) -> list[SharedLimiter]:
    return [SharedLimiter(quota, rates=buckets) for _ in range(count)]


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(1, 30), st.floats(0, 0.3)), max_size=200))
async def test_no_more_is_taken_than_may_be_but_for_what_a_lease_lasts(steps: list[tuple[int, int, float]]) -> None:
    buckets = Buckets()
    three = servers(buckets, 3)
    taken: list[tuple[float, int]] = []
    for server, cost, pause_s in steps:
        buckets.now_s += pause_s
        if (await three[server].decide("k", cost, now_s=buckets.now_s)).taken:
            taken.append((buckets.now_s, cost))
    for start, _ in taken:
        for end, _ in taken:
            if end >= start:
                got = sum(cost for at, cost in taken if start <= at <= end)
                assert got <= QUOTA.burst + QUOTA.per_second * (end - start + LEASE_S) + 1e-6


async def test_who_sends_much_costs_few_questions_and_gets_all_of_it() -> None:
    buckets = Buckets()
    two = servers(buckets)
    taken = 0
    for number in range(4_000):  # ten seconds at four times of what may be
        buckets.now_s = number / 400
        taken += (await two[number % 2].decide("k", now_s=buckets.now_s)).taken
    may = QUOTA.burst + QUOTA.per_second * 10
    assert may * (1 - 2 / PARTS) <= taken <= may + QUOTA.per_second * LEASE_S
    assert buckets.asked < 4_000 / 4


async def test_who_sends_seldom_is_counted_exactly() -> None:
    buckets = Buckets()
    [one] = servers(buckets, 1, Quota(name="requests", per_second=0.001, burst=4))
    decided = [await one.decide("k", now_s=float(second)) for second in range(0, 60, 10)]
    assert [decision.taken for decision in decided] == [True] * 4 + [False] * 2
    assert [decision.remaining for decision in decided[:4]] == [3, 2, 1, 0]
    assert decided[4].retry_after_s > 900


async def test_what_is_more_than_all_at_once_is_taken_where_nothing_was_and_paid_for_afterwards() -> None:
    buckets = Buckets()
    [one] = servers(buckets, 1)
    assert (await one.decide("k", 1_000, now_s=0.0)).taken
    assert not (await one.decide("k", 1, now_s=0.0)).taken


async def test_who_is_refused_is_refused_again_without_a_question() -> None:
    buckets = Buckets()
    [one] = servers(buckets, 1)
    assert (await one.decide("k", 100, now_s=0.0)).taken
    for _ in range(50):
        assert not (await one.decide("k", 50, now_s=0.0)).taken
    assert buckets.asked == 2


async def test_many_at_once_are_served_by_one_lease() -> None:
    buckets = Buckets()
    [one] = servers(buckets, 1)
    decided = await asyncio.gather(*(one.decide("k", now_s=0.0) for _ in range(120)))
    assert sum(decision.taken for decision in decided) == QUOTA.burst
    assert buckets.asked < 30


async def test_without_the_database_each_server_counts_for_itself() -> None:
    buckets = Buckets()
    [one] = servers(buckets, 1)
    buckets.away = True
    decided = [await one.decide("k", 60, now_s=0.0) for _ in range(2)]
    assert [decision.taken for decision in decided] == [True, False]
    assert buckets.asked == 1


async def test_a_file_has_one_server_which_counts_for_itself(house: House) -> None:
    assert counting(Settings(), house.store.keys) is Limiter
    with pytest.raises(SettingsError, match="RATE_STORE"):
        counting(Settings(rate_store="database"), house.store.keys)
