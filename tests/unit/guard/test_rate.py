"""Buckets: never more than was promised, never less, and never more memory."""

import math
import re
import tracemalloc
from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aura_analytics.errors import TooManyRequests
from aura_analytics.guard.rate import Decision, Limiter, Quota, caller_at, headers, refuse

TEN = Quota(name="requests", per_second=2, burst=10)


def taken(limiter: Limiter, times: int, *, at: float, caller: str = "a") -> int:
    return sum(limiter.take(caller, now_s=at).taken for _ in range(times))


def said(decision: Decision) -> tuple[bool, int, int, int]:
    return decision.taken, decision.remaining, decision.full_after_s, decision.retry_after_s


def test_a_burst_is_taken_and_no_more() -> None:
    assert taken(Limiter(TEN), 30, at=100) == 10


def test_it_fills_at_its_rate_and_not_over_its_brim() -> None:
    limiter = Limiter(TEN)
    taken(limiter, 10, at=100)
    assert taken(limiter, 30, at=101.5) == 3
    assert taken(limiter, 30, at=1_000) == 10


def test_callers_don_t_share() -> None:
    limiter = Limiter(TEN)
    taken(limiter, 10, at=100)
    assert taken(limiter, 10, at=100, caller="b") == 10


def test_a_decision_says_what_is_left() -> None:
    limiter = Limiter(TEN)
    assert said(limiter.take("a", now_s=5)) == (True, 9, 1, 0)
    taken(limiter, 9, at=5)
    assert said(limiter.take("a", now_s=5)) == (False, 0, 5, 1)


@given(
    st.integers(1, 50),
    st.sampled_from([0.1, 1, 3, 7, 1_000]),
    st.lists(st.tuples(st.floats(0, 20), st.integers(0, 20)), max_size=80),
)
def test_in_no_time_more_than_was_promised(burst: int, per_second: float, steps: list[tuple[float, int]]) -> None:
    limiter = Limiter(Quota(name="requests", per_second=per_second, burst=burst))
    now, took = 1_000.0, [(1_000.0, 0)]
    for pause, wanted in steps:
        now += pause
        cost = min(wanted, burst)
        if limiter.take("a", cost, now_s=now).taken:
            took.append((now, cost))
    for index, (start, _) in enumerate(took):
        total = 0
        for moment, cost in took[index:]:
            total += cost
            assert total <= burst + (moment - start) * per_second + 0.01


@given(st.integers(1, 50), st.sampled_from([0.1, 1, 3, 7]), st.lists(st.integers(1, 20), max_size=60))
def test_who_waits_as_long_as_told_is_taken(burst: int, per_second: float, costs: list[int]) -> None:
    limiter = Limiter(Quota(name="requests", per_second=per_second, burst=burst))
    now = 7.0
    for cost in costs:
        decision = limiter.take("a", cost, now_s=now)
        if not decision.taken:
            now += decision.retry_after_s
            assert limiter.take("a", cost, now_s=now).taken


@given(st.lists(st.tuples(st.floats(0, 5), st.integers(0, 12)), max_size=40))
def test_what_is_said_to_be_left_is_there(steps: list[tuple[float, int]]) -> None:
    limiter, now = Limiter(TEN), 50.0
    for pause, cost in steps:
        now += pause
        left = limiter.take("a", cost, now_s=now).remaining
        assert 0 <= left <= 10
        if left:
            assert limiter.take("a", left, now_s=now).taken


def test_what_is_larger_than_a_burst_is_taken_when_nothing_is_owed_and_paid_for_later() -> None:
    limiter = Limiter(TEN)
    assert limiter.take("a", 100, now_s=0).taken
    refused = limiter.take("a", now_s=0)
    assert (refused.taken, refused.retry_after_s) == (False, 46)
    assert not limiter.take("a", 100, now_s=49).taken
    assert limiter.take("a", 100, now_s=50).taken


def test_a_million_callers_take_no_more_memory_than_many() -> None:
    limiter = Limiter(Quota(name="requests", per_second=0.001, burst=10), most_buckets=1_000)
    for number in range(20_000):
        limiter.take(str(number), now_s=number / 1_000_000)
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        for number in range(20_000, 120_000):
            limiter.take(str(number), now_s=number / 1_000_000)
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(limiter) == 1_000
    assert after - before < 500_000


def test_full_buckets_are_forgotten_before_anybody_s() -> None:
    limiter = Limiter(TEN, most_buckets=100)
    taken(limiter, 10, at=0, caller="busy")
    for number in range(10_000):
        limiter.take(str(number), now_s=number / 1_000)
        limiter.take("busy", now_s=number / 1_000)
    assert len(limiter) <= 100
    assert taken(limiter, 10, at=10, caller="busy") <= 1


@pytest.mark.parametrize(
    ("one", "other", "shared"),
    [
        ("192.0.2.1", "192.0.2.2", False),
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", True),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
        ("0.0.0.1", "::1", False),
    ],
)
def test_an_ipv6_site_is_one_caller(one: str, other: str, shared: bool) -> None:
    assert (caller_at(ip_address(one)) == caller_at(ip_address(other))) == shared


def test_an_unknown_address_is_a_caller_too() -> None:
    assert caller_at(None) == caller_at(None)


EVENTS = Quota(name="events", per_second=1_000, burst=50_000, unit="events")


def test_a_caller_is_told_as_the_draft_says() -> None:
    decisions = [Limiter(TEN).take("a", now_s=1), Limiter(EVENTS).take("a", 100, now_s=1)]
    assert headers(decisions) == {
        "ratelimit-policy": '"requests";q=10;w=5, "events";q=50000;qu="events";w=50',
        "ratelimit": '"requests";r=9;t=1, "events";r=49900;t=1',
    }


def test_who_is_refused_is_told_when_to_come_back() -> None:
    limiter = Limiter(TEN)
    refuse([limiter.take("a", 10, now_s=1)])
    with pytest.raises(TooManyRequests, match="2 a second, or 10 at once") as refused:
        refuse([limiter.take("a", 4, now_s=1)])
    assert refused.value.headers["retry-after"] == "2"
    assert re.fullmatch(r'"requests";r=0;t=5', refused.value.headers["ratelimit"])


@given(st.floats(0.001, 10_000), st.integers(1, 1_000_000))
def test_the_window_is_a_whole_number_of_seconds_that_keeps_to_the_rate(per_second: float, burst: int) -> None:
    window_s = Quota(name="requests", per_second=per_second, burst=burst).window_s
    assert window_s >= 1
    assert math.isclose(burst / per_second, window_s, abs_tol=1.001)
