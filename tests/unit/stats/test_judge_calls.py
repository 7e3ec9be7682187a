"""What the judge cost: what must hold of any requests. The requests themselves, out of a real store: tests/unit/api."""

from collections import Counter
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aura_analytics.errors import ParameterError
from aura_analytics.events.records import CallOutcome
from aura_analytics.stats.judge_calls import DAY_MS, JudgeCalls, ModelSpending, judge_calls
from aura_analytics.stats.scope import Scope
from aura_analytics.store.judging import AnsweredCalls, CallSums
from aura_analytics.store.port import QueueDepth
from contract.making import NOW

OUTCOMES: tuple[CallOutcome, ...] = get_args(CallOutcome)


class Rows:
    """A row database that has some requests."""

    def __init__(self, sums: list[CallSums], *, since: int | None = None) -> None:
        self.sums = sums
        self.asked: list[tuple[int, int, str | None]] = []
        self._since = since

    async def judge_calls(self, *, since: int, until: int, store_id: str | None) -> list[CallSums]:
        self.asked.append((since, until, store_id))
        return self.sums

    async def answered_calls(self, *, since: int, until: int, store_id: str | None) -> AnsweredCalls:
        self.asked.append((since, until, store_id))
        answered = sum(one.calls for one in self.sums if one.outcome == "answered")
        ms = 100.0 if answered else None
        return AnsweredCalls(interactions=answered, p50_ms=ms, p95_ms=ms, p99_ms=ms)

    async def queue_depth(self, *, now: int) -> QueueDepth:
        assert now == NOW
        return QueueDepth(due=1, waiting=2, failed=3, since=self._since)

    async def spent_usd(self, *, now: int) -> float:
        assert now == NOW
        return 0.25


@st.composite
def sums(draw: st.DrawFn) -> list[CallSums]:
    """Any requests, in one row for each model, rubric and outcome."""
    keys = st.tuples(st.sampled_from("ab"), st.sampled_from("rs"), st.sampled_from(OUTCOMES))
    found = []
    for model, rubric, outcome in draw(st.lists(keys, unique=True, max_size=20)):
        calls = draw(st.integers(1, 1_000))
        priced = draw(st.integers(0, calls))
        row = CallSums(
            model=model,
            rubric=rubric,
            outcome=outcome,
            calls=calls,
            priced=priced,
            timed=calls,
            tokens_prompt=draw(st.integers(0, 10**9)),
            tokens_completion=draw(st.integers(0, 10**9)),
            cost_usd=draw(st.floats(0, 1_000)) if priced else 0.0,
            duration_ms=100.0 * calls,
            p50_ms=100.0,
            p95_ms=100.0,
            p99_ms=100.0,
        )
        found.append(row)
    return found


async def told(rows: Rows, scope: Scope | None = None, budget_usd: float | None = None) -> JudgeCalls:
    return await judge_calls(rows, scope or Scope(), budget_usd=budget_usd, now=NOW)


@given(sums())
async def test_the_models_add_up_to_the_whole(requests: list[CallSums]) -> None:
    found = await told(Rows(requests))
    models = found.by_model
    for name in ("calls", "answered", "tokens_prompt", "tokens_completion", "unpriced_calls"):
        assert getattr(found, name) == sum(getattr(one, name) for one in models), name
    assert found.cost_usd is None or found.cost_usd == pytest.approx(sum(one.cost_usd or 0 for one in models))
    failures = sum((Counter(one.failures) for one in models), Counter[str]())
    assert found.failures == dict(failures)
    assert found.answered + sum(found.failures.values()) == found.calls
    assert [one.calls for one in models] == sorted((one.calls for one in models), reverse=True)


@given(sums())
async def test_a_price_that_is_not_known_is_not_made_up(requests: list[CallSums]) -> None:
    found = await told(Rows(requests))
    every: list[JudgeCalls | ModelSpending] = [found, *found.by_model]
    for one in every:
        assert (one.cost_usd is None) == (one.calls > 0 and one.unpriced_calls == one.calls)
        assert (one.cost_per_label_usd is None) == (one.answered == 0 or one.unpriced_calls > 0)
        assert (one.latency_ms is None) == (one.answered == 0)


async def test_the_window_and_the_store_are_asked_for() -> None:
    rows = Rows([])
    found = await told(rows, Scope(start=5, end=9, stores=("shop",), period="custom"))
    assert rows.asked == [(5, 9, "shop")] * 2
    assert (found.store_id, found.start, found.end, found.queue, found.today) == ("shop", 5, 9, None, None)


@pytest.mark.parametrize(("since", "age"), [(None, None), (NOW - 5_000, 5_000), (NOW + 5_000, 0)])
async def test_what_waits_has_an_age(since: int | None, age: int | None) -> None:
    queue = (await told(Rows([], since=since))).queue
    assert queue is not None
    assert (queue.due, queue.waiting, queue.failed, queue.oldest_age_ms) == (1, 2, 3, age)


async def test_the_day_ends_at_midnight_utc() -> None:
    today = (await told(Rows([]), budget_usd=2.0)).today
    assert today is not None
    assert (today.spent_usd, today.budget_usd) == (0.25, 2.0)
    assert NOW < today.resets_at <= NOW + DAY_MS
    assert today.resets_at % DAY_MS == 0


@pytest.mark.parametrize("scope", [Scope(intents=("find",)), Scope(labels=("BAD",)), Scope(stores=("a", "b"))])
async def test_what_no_request_has_can_t_choose(scope: Scope) -> None:
    with pytest.raises(ParameterError):
        await told(Rows([]), scope)
