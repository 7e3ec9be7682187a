"""What may still be asked of a model: the limits hold for all servers together."""

import asyncio
from typing import Any

import pytest

from aura_analytics.store import Store
from aura_analytics.store.judging import Demand, Grant
from contract.making import NOW, call

DAY_MS = 86_400_000
TO_MIDNIGHT = DAY_MS - NOW % DAY_MS


def demand(requests: int = 1, **fields: Any) -> Demand:
    """A demand without limits, unless `fields` set some."""
    whole = {
        "model": "google:tiny",
        "tokens": 100,
        "cost_usd": 0.0,
        "rpm": None,
        "tpm": None,
        "budget_usd": None,
        **fields,
    }
    return Demand(requests=requests, **whole)


async def test_without_limits_all_of_it_is_granted(store: Store) -> None:
    assert await store.reserve(demand(1_000), now=NOW) == Grant(requests=1_000)


async def test_requests_come_back_as_time_passes(store: Store) -> None:
    one = demand(3, rpm=60)
    assert await store.reserve(one, now=NOW) == Grant(requests=1, wait_ms=1_000)
    assert await store.reserve(one, now=NOW + 999) == Grant(requests=0, wait_ms=1)
    assert await store.reserve(one, now=NOW + 1_000) == Grant(requests=1, wait_ms=1_000)


async def test_each_model_has_its_own_minute(store: Store) -> None:
    assert (await store.reserve(demand(rpm=1), now=NOW)).requests == 1
    assert (await store.reserve(demand(rpm=1), now=NOW)).requests == 0
    assert (await store.reserve(demand(rpm=1, model="google:large"), now=NOW)).requests == 1


async def test_a_clock_that_is_behind_gains_nothing(store: Store, other_store: Store) -> None:
    assert (await store.reserve(demand(rpm=1), now=NOW)).requests == 1
    assert (await other_store.reserve(demand(rpm=1), now=NOW - 3_600_000)).requests == 0
    assert (await store.reserve(demand(rpm=1), now=NOW + 59_999)).requests == 0
    assert (await store.reserve(demand(rpm=1), now=NOW + 60_000)).requests == 1


async def test_tokens_are_limited_and_given_back(store: Store) -> None:
    limited = demand(10, tokens=1_000, tpm=60_000)
    first = await store.reserve(limited, now=NOW)
    assert first.requests == 3
    assert first.wait_ms > 0
    assert (await store.reserve(limited, now=NOW)).requests == 0
    await store.note_calls([call(tokens_prompt=100, tokens_completion=50, reserved_tokens=1_000)] * 3)
    assert (await store.reserve(limited, now=NOW)).requests == 2


async def test_a_request_that_is_larger_than_what_a_moment_holds_is_made_all_the_same(store: Store) -> None:
    large = demand(2, tokens=50_000, tpm=60_000)
    grant = await store.reserve(large, now=NOW)
    assert grant.requests == 1
    assert (await store.reserve(large, now=NOW + grant.wait_ms - 1)).requests == 0
    assert (await store.reserve(large, now=NOW + grant.wait_ms)).requests == 1


async def test_what_nothing_was_reserved_for_takes_nothing_of_the_minute(store: Store) -> None:
    limited = demand(tokens=1_000, tpm=60_000)
    assert (await store.reserve(limited, now=NOW)).requests == 1
    await store.note_calls([call(tokens_prompt=1_000_000)])
    assert (await store.reserve(limited, now=NOW)).requests == 1


async def test_the_days_money_pays_for_as_many_as_fit(store: Store) -> None:
    priced = demand(10, cost_usd=0.1, budget_usd=0.3)
    assert await store.reserve(priced, now=NOW) == Grant(requests=3, wait_ms=TO_MIDNIGHT)
    assert await store.reserve(priced, now=NOW + 1) == Grant(requests=0, wait_ms=TO_MIDNIGHT - 1, spent=True)
    assert await store.spent_usd(now=NOW) == pytest.approx(0.3)
    assert (await store.reserve(demand(cost_usd=0.0, budget_usd=0.3), now=NOW)).requests == 1
    assert (await store.reserve(priced, now=NOW + TO_MIDNIGHT)).requests == 3


async def test_the_days_money_is_that_of_all_models(store: Store) -> None:
    assert (await store.reserve(demand(2, cost_usd=0.5, budget_usd=1.0), now=NOW)).requests == 2
    assert (await store.reserve(demand(model="google:large", cost_usd=0.5, budget_usd=1.0), now=NOW)).spent


async def test_what_was_cheaper_than_expected_leaves_money_for_more(store: Store) -> None:
    priced = demand(10, cost_usd=0.5, budget_usd=1.0)
    assert (await store.reserve(priced, now=NOW)).requests == 2
    await store.note_calls([call(cost_usd=0.25, reserved_usd=0.5)] * 2)
    assert (await store.reserve(priced, now=NOW)).requests == 1


async def test_what_cost_more_than_the_day_has_leaves_nothing(store: Store) -> None:
    priced = demand(cost_usd=0.5, budget_usd=1.0)
    await store.note_calls([call(cost_usd=7.0)])
    assert await store.reserve(priced, now=NOW) == Grant(requests=0, wait_ms=TO_MIDNIGHT, spent=True)


async def test_the_narrowest_limit_counts_and_the_others_keep_what_was_not_granted(store: Store) -> None:
    wide: dict[str, Any] = {"rpm": 6_000, "tpm": 1_000_000}
    assert (await store.reserve(demand(500, cost_usd=1.0, budget_usd=2.0, **wide), now=NOW)).requests == 2
    assert (await store.reserve(demand(500, **wide), now=NOW)).requests == 98


async def test_two_servers_together_get_no_more_than_there_is(store: Store, other_store: Store) -> None:
    asked = demand(7, cost_usd=0.25, rpm=6_000, budget_usd=10.0)
    rounds = [side.reserve(asked, now=NOW) for _ in range(8) for side in (store, other_store)]
    grants = await asyncio.gather(*rounds)
    assert sum(grant.requests for grant in grants) == 40
    assert await store.spent_usd(now=NOW) == await other_store.spent_usd(now=NOW) == 10.0
    rounds = [side.reserve(demand(7, rpm=6_000), now=NOW) for _ in range(12) for side in (store, other_store)]
    assert sum(grant.requests for grant in await asyncio.gather(*rounds)) == 60


async def test_two_servers_note_what_they_spent_side_by_side(store: Store, other_store: Store) -> None:
    noting = [side.note_calls([call(cost_usd=0.25)]) for _ in range(20) for side in (store, other_store)]
    await asyncio.gather(*noting)
    assert await store.spent_usd(now=NOW) == 10.0
