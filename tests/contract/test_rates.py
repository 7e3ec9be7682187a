"""Buckets that the servers of one PostgreSQL share."""

import asyncio

import pytest

from aura_analytics.guard.rate import Quota
from aura_analytics.guard.shared_rate import SharedLimiter
from aura_analytics.store import Store
from aura_analytics.store.keys import RateStore


def rates(store: Store) -> RateStore:
    if not isinstance(store.keys, RateStore):
        pytest.skip("this database has one server")
    return store.keys


async def test_two_servers_take_out_of_one_bucket(store: Store, other_store: Store) -> None:
    both = [rates(store), rates(other_store)]
    taken = await asyncio.gather(
        *(both[n % 2].take_rate("k", least_s=100, most_s=100, capacity_s=1_000) for n in range(30))
    )
    assert sum(granted for granted, _ in taken) == 1_000
    assert max(full_in for _, full_in in taken) == pytest.approx(1_000, abs=30)
    assert (await both[0].take_rate("other", least_s=1, most_s=1, capacity_s=1_000))[0] == 1


async def test_as_much_is_taken_as_there_is(store: Store) -> None:
    one = rates(store)
    assert (await one.take_rate("k", least_s=1, most_s=600, capacity_s=1_000))[0] == 600
    assert (await one.take_rate("k", least_s=1, most_s=600, capacity_s=1_000))[0] == 1
    assert (await one.take_rate("k", least_s=600, most_s=600, capacity_s=1_000))[0] == 0
    granted, full_in = await one.take_rate("large", least_s=5_000, most_s=5_000, capacity_s=1_000)
    assert (granted, full_in) == (5_000, pytest.approx(5_000, abs=30))


async def test_two_limiters_let_in_no_more_than_one_would(store: Store, other_store: Store) -> None:
    quota = Quota(name="requests", per_second=0.001, burst=40)
    two = [SharedLimiter(quota, rates=rates(some)) for some in (store, other_store)]
    decided = await asyncio.gather(*(two[n % 2].decide("k", now_s=0.0) for n in range(100)))
    assert sum(decision.taken for decision in decided) == 40
