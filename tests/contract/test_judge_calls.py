"""The requests to models: noted with what became of the work, and summed up."""

import math

import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st
from msgspec.structs import replace

from aura_analytics.store import Store
from aura_analytics.store.judging import AnsweredCalls, CallSums, Demand
from aura_analytics.store.port import Claim
from contract.backends import Backend
from contract.making import LATER, LEASE_MS, NOW, Watch, call, outcome, query, verdict
from trying import tried

DAY_MS = 86_400_000


async def claim_one(store: Store) -> Claim:
    """Store an interaction and claim it."""
    await store.append([query("a"), outcome("a")])
    [claim] = await store.claim_due(1, now=NOW, lease_ms=LEASE_MS)
    return claim


async def sums(store: Store, since: int = 0, until: int = LATER, store_id: str | None = None) -> list[CallSums]:
    return await store.judge_calls(since=since, until=until, store_id=store_id)


async def answered(store: Store, since: int = 0, until: int = LATER, store_id: str | None = None) -> AnsweredCalls:
    return await store.answered_calls(since=since, until=until, store_id=store_id)


def ranked(values: list[float], percent: int) -> float:
    """A percentile by its nearest rank."""
    return sorted(values)[math.ceil(percent * len(values) / 100) - 1]


async def test_without_requests_there_is_nothing_to_sum_up(store: Store) -> None:
    await store.note_calls([])
    assert await sums(store) == []
    assert await answered(store) == AnsweredCalls(interactions=0, p50_ms=None, p95_ms=None, p99_ms=None)
    assert await store.spent_usd(now=NOW) == 0.0


async def test_requests_are_summed_up_by_model_rubric_and_outcome(store: Store) -> None:
    await store.note_calls(
        [
            call("a", duration_ms=100.0, tokens_prompt=10, tokens_completion=1, cost_usd=0.25),
            call("b", duration_ms=300.0, tokens_prompt=20, tokens_completion=2),
            call("b", duration_ms=50.0, outcome="rate_limited", cost_usd=0.0),
            call("b", model="google:large", tokens_prompt=5, cost_usd=0.5),
            call("c", rubric="other:2"),
        ]
    )
    first, second, third, fourth = await sums(store)
    assert [(one.model, one.rubric, one.outcome, one.calls) for one in (first, second, third, fourth)] == [
        ("google:large", "default:1f", "answered", 1),
        ("google:tiny", "default:1f", "answered", 2),
        ("google:tiny", "default:1f", "rate_limited", 1),
        ("google:tiny", "other:2", "answered", 1),
    ]
    assert second == CallSums(
        model="google:tiny",
        rubric="default:1f",
        outcome="answered",
        calls=2,
        priced=1,
        timed=2,
        tokens_prompt=30,
        tokens_completion=3,
        cost_usd=0.25,
        duration_ms=400.0,
        p50_ms=100.0,
        p95_ms=300.0,
        p99_ms=300.0,
    )
    assert (third.priced, third.cost_usd) == (1, 0.0)
    assert (fourth.priced, fourth.cost_usd) == (0, 0.0)
    assert all(type(one.calls) is int and type(one.tokens_prompt) is int for one in (first, second, third, fourth))
    found = await answered(store)
    assert (found.interactions, found.p50_ms, found.p99_ms) == (3, 300.0, 500.0)


async def test_what_has_no_time_of_its_own_counts_for_no_percentile(store: Store) -> None:
    await store.note_calls([call("a", duration_ms=100.0), call("b", duration_ms=None), call("c", duration_ms=300.0)])
    await store.note_calls([call("d", model="google:large", duration_ms=None)])
    large, tiny = await sums(store)
    assert (tiny.calls, tiny.timed, tiny.duration_ms, tiny.p50_ms, tiny.p99_ms) == (3, 2, 400.0, 100.0, 300.0)
    assert (large.calls, large.timed, large.duration_ms, large.p50_ms) == (1, 0, 0.0, None)
    found = await answered(store)
    assert (found.interactions, found.p50_ms, found.p99_ms) == (4, 100.0, 300.0)


async def test_a_time_includes_both_its_ends_and_a_store_only_its_own(store: Store) -> None:
    await store.note_calls(
        [
            call("a", called_at=NOW - 1),
            call("b"),
            call("c", called_at=NOW + 5, store_id="other"),
            call("d", called_at=NOW + 6),
        ]
    )
    assert [one.calls for one in await sums(store, NOW, NOW + 5)] == [2]
    assert [one.calls for one in await sums(store, store_id="shop")] == [3]
    assert (await answered(store, NOW, NOW + 5)).interactions == 2
    assert (await answered(store, store_id="other")).interactions == 1
    assert await sums(store, store_id="nobody") == []


@tried(8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(durations=st.lists(st.floats(0, 1e6) | st.integers(0, 3).map(float), min_size=1, max_size=130))
async def test_percentiles_are_those_of_the_nearest_rank(backend: Backend, durations: list[float]) -> None:
    store = await backend.open(await backend.fresh(), clock=Watch())
    await store.note_calls([call(f"q{n}", duration_ms=duration) for n, duration in enumerate(durations)])
    expected = tuple(ranked(durations, percent) for percent in (50, 95, 99))
    [found] = await sums(store)
    together = await answered(store)
    assert (found.p50_ms, found.p95_ms, found.p99_ms) == expected
    assert (together.p50_ms, together.p95_ms, together.p99_ms) == expected
    assert found.duration_ms == pytest.approx(sum(durations))
    await backend.close(store)


@pytest.mark.parametrize("becomes", ["settled", "postponed", "given up", "lost"])
async def test_the_requests_are_noted_whatever_becomes_of_the_claim(store: Store, becomes: str) -> None:
    claim = await claim_one(store)
    calls = [call("a", cost_usd=0.5), call("a", outcome="timed_out", cost_usd=0.25)]
    if becomes == "settled":
        assert await store.settle([(claim, verdict("a"))], calls) == 1
    elif becomes == "postponed":
        await store.postpone(claim, error="busy", due_at=NOW, calls=calls)
    elif becomes == "given up":
        await store.give_up(claim, error="no", now=NOW, calls=calls)
    else:
        await store.release([claim], now=NOW)
        assert await store.settle([(claim, verdict("a"))], calls) == 0
    assert [(one.outcome, one.calls) for one in await sums(store)] == [("answered", 1), ("timed_out", 1)]
    assert await store.spent_usd(now=NOW) == 0.75


async def test_what_was_spent_is_that_of_the_day(store: Store) -> None:
    midnight = NOW - NOW % DAY_MS
    await store.note_calls([call(called_at=midnight - 1, cost_usd=1.0), call(called_at=midnight, cost_usd=2.0), call()])
    assert await store.spent_usd(now=midnight - 1) == 1.0
    assert await store.spent_usd(now=midnight) == await store.spent_usd(now=midnight + DAY_MS - 1) == 2.0
    assert await store.spent_usd(now=midnight + DAY_MS) == 0.0


async def test_what_was_reserved_is_put_right_when_the_request_is_noted(store: Store) -> None:
    demand = Demand(model="google:tiny", requests=2, tokens=100, cost_usd=0.5, rpm=None, tpm=60_000, budget_usd=None)
    assert (await store.reserve(demand, now=NOW)).requests == 2
    assert await store.spent_usd(now=NOW) == 1.0
    expected = call(reserved_tokens=100, reserved_usd=0.5)
    await store.note_calls([replace(expected, cost_usd=0.125, tokens_prompt=40, tokens_completion=10)])
    assert await store.spent_usd(now=NOW) == 0.625
    await store.note_calls([expected])
    assert await store.spent_usd(now=NOW) == 0.625, "where the price isn't known, what was expected stays"
