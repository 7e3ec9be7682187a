"""What may be asked of a model in a minute and in a day, whoever asks and however the clocks go."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aura_analytics.store.allowance import (
    DAY_MS,
    MINUTE_MS,
    Correction,
    Level,
    correction_of,
    granted,
    names_of,
    requests_bucket,
    spent_on,
    tokens_bucket,
)
from aura_analytics.store.judging import Demand, Grant
from contract.making import NOW, call

Levels = dict[str, Level]


def demand(requests: int = 1, **fields: Any) -> Demand:
    """A demand without limits, unless `fields` set some."""
    whole = {"model": "m", "tokens": 0, "cost_usd": 0.0, "rpm": None, "tpm": None, "budget_usd": None, **fields}
    return Demand(requests=requests, **whole)


def ask(levels: Levels, wanted: Demand, now: int) -> Grant:
    """Ask, and keep what is left."""
    grant, rows = granted(wanted, levels, now)
    levels |= rows
    return grant


# Somebody asks for a few after a pause, of any length up to beyond a minute.
asking = st.lists(
    st.tuples(st.one_of(st.integers(0, 50), st.integers(0, 70_000)), st.integers(1, 400)), min_size=1, max_size=120
)
rates = st.one_of(st.integers(1, 130), st.integers(1, 1_000_000))


@settings(max_examples=300, deadline=None)
@given(rpm=rates, asked=asking)
def test_in_no_minute_are_more_requests_granted_than_may_be(rpm: int, asked: list[tuple[int, int]]) -> None:
    levels: Levels = {}
    now = NOW
    given: list[tuple[int, int]] = []
    for pause, requests in asked:
        now += pause
        given.append((now, ask(levels, demand(requests, rpm=rpm), now).requests))
    for first, _ in given:
        assert sum(count for moment, count in given if first <= moment < first + MINUTE_MS) <= rpm


@settings(deadline=None)
@given(rpm=st.integers(1, 200))
def test_whoever_asks_as_soon_as_told_gets_almost_all_of_a_minute(rpm: int) -> None:
    levels: Levels = {}
    now, count = NOW, 0
    while now < NOW + 3 * MINUTE_MS:
        grant = ask(levels, demand(rpm, rpm=rpm), now)
        count += grant.requests
        now += max(1, grant.wait_ms)
    assert 3 * (rpm - rpm // 60) <= count <= 3 * rpm


@settings(deadline=None)
@given(limit=rates, pauses=st.lists(st.integers(-3_600_000, 3_600_000), min_size=1, max_size=20))
def test_a_clock_that_goes_back_and_forth_gains_no_more_than_its_furthest_moment(limit: int, pauses: list[int]) -> None:
    levels: Levels = {}
    for pause in pauses:
        ask(levels, demand(rpm=limit), NOW + pause)
    assert levels["requests:m"].at == NOW + max(pauses)
    before = levels["requests:m"].level
    ask(levels, demand(rpm=limit), NOW - 3_600_000)
    assert levels["requests:m"].level <= before


@pytest.mark.parametrize("limits", [{"rpm": 60}, {"tpm": 60_000, "tokens": 1_000}])
def test_a_clock_that_was_a_day_ahead_keeps_nobody_waiting_when_it_is_right_again(limits: dict[str, int]) -> None:
    levels: Levels = {}
    while ask(levels, demand(**limits), NOW + DAY_MS).requests:
        pass
    given = 0
    for second in range(60):
        grant, rows = granted(demand(**limits), levels, NOW + second * 1_000)
        if grant.requests:  # else nothing is stored
            levels, given = rows, given + grant.requests
    assert given > 50


@settings(deadline=None)
@given(
    tpm=st.integers(1, 10_000_000),
    asked=st.lists(st.tuples(st.integers(0, 20_000), st.integers(1, 50), st.integers(1, 5_000)), max_size=80),
)
def test_no_minute_sees_more_tokens_than_may_be_but_for_one_large_request(
    tpm: int, asked: list[tuple[int, int, int]]
) -> None:
    levels: Levels = {}
    now = NOW
    given: list[tuple[int, int]] = []
    for pause, requests, tokens in asked:
        now += pause
        given.append((now, tokens * ask(levels, demand(requests, tokens=tokens, tpm=tpm), now).requests))
    largest = max([tokens for _, _, tokens in asked], default=0)
    for first, _ in given:
        assert sum(taken for moment, taken in given if first <= moment < first + MINUTE_MS) <= tpm + largest


@settings(deadline=None)
@given(
    rpm=st.none() | rates,
    tpm=st.none() | st.integers(1, 1_000_000),
    tokens=st.integers(0, 100_000),
    taken=st.integers(1, 50),
)
def test_after_the_wait_more_may_be_had_and_not_before(
    rpm: int | None, tpm: int | None, tokens: int, taken: int
) -> None:
    levels: Levels = {}
    wanted = demand(100_000, rpm=rpm, tpm=tpm, tokens=tokens)
    for _ in range(taken):
        grant = ask(levels, wanted, NOW)
    if grant.requests == wanted.requests:
        assert grant.wait_ms == 0
        return
    assert grant.wait_ms > 0
    early, _ = granted(wanted, levels, NOW + grant.wait_ms - 1)
    late, _ = granted(wanted, levels, NOW + grant.wait_ms + 1)
    assert (early.requests, late.requests > 0) == (0, True)


@settings(deadline=None)
@given(
    budget=st.floats(0, 100),
    asked=st.lists(st.tuples(st.integers(1, 50), st.floats(0.001, 10)), max_size=60),
)
def test_a_day_never_costs_more_than_it_may(budget: float, asked: list[tuple[int, float]]) -> None:
    levels: Levels = {}
    expected = 0.0
    for requests, cost in asked:
        grant = ask(levels, demand(requests, cost_usd=cost, budget_usd=budget), NOW)
        expected += grant.requests * cost
        assert grant.spent == (grant.requests == 0)
        if grant.requests < requests:
            assert expected + cost > budget
            assert grant.wait_ms == DAY_MS - NOW % DAY_MS
    assert expected <= budget + 1e-6


def test_of_fractions_of_a_dollar_as_many_fit_as_on_paper() -> None:
    levels: Levels = {}
    grants = [ask(levels, demand(cost_usd=0.1, budget_usd=0.3), NOW).requests for _ in range(4)]
    assert grants == [1, 1, 1, 0]


def test_what_is_asked_for_nothing_takes_nothing() -> None:
    assert granted(demand(0, rpm=1, budget_usd=1.0, cost_usd=9.0), {}, NOW)[0].requests == 0
    assert granted(demand(5, cost_usd=0.0, budget_usd=0.0), {}, NOW)[0] == Grant(requests=5)


def test_a_limit_that_was_lowered_holds_at_once() -> None:
    levels: Levels = {}
    ask(levels, demand(rpm=6_000), NOW)
    assert levels["requests:m"].level == 99
    assert ask(levels, demand(99, rpm=60), NOW).requests == 1


def test_the_buckets_hold_what_a_minute_lets_through() -> None:
    for limit in (1, 59, 60, 120, 1_000_000):
        bucket = requests_bucket(limit)
        assert bucket.capacity + bucket.per_minute == limit + 1
        assert bucket.capacity >= 1
        bucket = tokens_bucket(limit)
        assert bucket.capacity + bucket.per_minute == pytest.approx(limit)


def test_the_rows_are_named_by_the_model_and_the_day() -> None:
    assert names_of(demand(rpm=1, tpm=1), 0) == ["requests:m", "tokens:m", "spent:1970-01-01"]
    assert names_of(demand(), DAY_MS) == ["spent:1970-01-02"]
    assert spent_on(DAY_MS - 1) == "spent:1970-01-01"
    _, rows = granted(demand(rpm=1, tpm=1, tokens=1), {}, NOW)
    assert sorted(rows) == sorted(names_of(demand(rpm=1, tpm=1), NOW))


def test_what_requests_took_beyond_what_was_expected_is_put_right() -> None:
    calls = [
        call(model="m", tokens_prompt=70, tokens_completion=10, reserved_tokens=100, cost_usd=0.25, reserved_usd=0.5),
        call(model="m", tokens_prompt=150, reserved_tokens=100, reserved_usd=0.5),
        call(model="n", tokens_prompt=9_000, cost_usd=0.75, called_at=NOW + DAY_MS),
    ]
    assert correction_of(calls) == Correction(
        tokens={"tokens:m": -30}, usd={spent_on(NOW): -0.25, spent_on(NOW + DAY_MS): 0.75}
    )
    assert correction_of([call(reserved_tokens=10, tokens_prompt=10)]) == Correction({}, {})
