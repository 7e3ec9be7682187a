"""Who may ask a model: in the order of coming, within the limits of all, and slowly after trouble."""

import asyncio
from collections.abc import Callable, Sequence
from typing import cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from aura_analytics.clock import now
from aura_analytics.errors import JudgePaused, StoreUnavailable
from aura_analytics.evaluation import breaker, gate
from aura_analytics.evaluation.gate import Limits, StoreGate
from aura_analytics.events.records import CallOutcome
from aura_analytics.store import Store
from aura_analytics.store.allowance import DAY_MS, Level, granted
from aura_analytics.store.judging import Demand, Grant
from unit.evaluation.desk import PATIENCE_S, call, until

MODEL = "some:model"


class Ledger:
    """What a store keeps of the limits, in memory, by the arithmetic of the real ones."""

    def __init__(self) -> None:
        self.levels: dict[str, Level] = {}
        self.demands: list[Demand] = []
        self.grants: list[int] = []
        self.reserved_usd = 0.0
        self.error: Exception | None = None
        self.opened = asyncio.Event()
        self.opened.set()

    async def reserve(self, demand: Demand, *, now: int) -> Grant:
        """Take from what is left."""
        self.demands.append(demand)
        await self.opened.wait()
        await asyncio.sleep(0)
        if self.error:
            raise self.error
        grant, rows = granted(demand, self.levels, now)
        self.levels |= rows
        self.grants.append(grant.requests)
        self.reserved_usd += grant.requests * demand.cost_usd
        return grant


def known() -> breaker.Breaker:
    """The breaker of a model that has answered for long."""
    made = breaker.Breaker()
    for _ in range(breaker.FULL + 1):
        made.begun()
        made.answered()
    return made


def gate_of(
    ledger: Ledger,
    limits: Limits | None = None,
    patience_s: float = PATIENCE_S,
    make_breaker: Callable[[], breaker.Breaker] = known,
) -> StoreGate:
    return StoreGate(cast("Store", ledger), limits or Limits(), patience_s=patience_s, make_breaker=make_breaker)


async def admit_all(at: StoreGate, costs: Sequence[float], tokens: int = 100) -> list[bool | BaseException]:
    """Let one stand in line for each of these dollars; give what they were told."""
    async with asyncio.timeout(PATIENCE_S):
        asking = [at.admit(MODEL, tokens=tokens, cost_usd=cost) for cost in costs]
        return await asyncio.gather(*asking, return_exceptions=True)


def end(at: StoreGate, outcome: CallOutcome = "answered", retry_after_s: float | None = None) -> None:
    at.ended(call("q", outcome), retry_after_s)


@pytest.fixture
def ledger() -> Ledger:
    return Ledger()


# Limits


async def test_without_limits_nothing_is_reserved(ledger: Ledger) -> None:
    at = gate_of(ledger)
    assert await admit_all(at, [1.0] * 500) == [False] * 500
    assert ledger.demands == []


async def test_those_who_wait_are_reserved_for_together(ledger: Ledger) -> None:
    at = gate_of(ledger, Limits(budget_usd=100))
    assert await admit_all(at, [0.1] * 40) == [True] * 40
    assert [demand.requests for demand in ledger.demands] == [1, 16, 16, 7]


async def test_a_single_one_is_reserved_for_alone(ledger: Ledger) -> None:
    at = gate_of(ledger, Limits(rpm=6_000, tpm=1_000_000, budget_usd=100))
    assert await at.admit(MODEL, tokens=321, cost_usd=None)
    [demand] = ledger.demands
    assert demand == Demand(model=MODEL, requests=1, tokens=321, cost_usd=0.0, rpm=6_000, tpm=1_000_000, budget_usd=100)


async def test_first_come_first_served(ledger: Ledger) -> None:
    at = gate_of(ledger, Limits(rpm=60_000))
    came: list[int] = []

    async def one(number: int) -> None:
        await at.admit(MODEL, tokens=1, cost_usd=0)
        came.append(number)

    await asyncio.gather(*(one(number) for number in range(100)))
    assert came == list(range(100))


async def test_a_turn_that_comes_soon_is_waited_for(ledger: Ledger) -> None:
    at = gate_of(ledger, Limits(rpm=600))  # ten at once, and ten a second
    ledger.levels[f"requests:{MODEL}"] = Level(0.0, now())
    assert await admit_all(at, [0.0] * 3) == [True] * 3
    assert 0 in ledger.grants


async def test_a_turn_that_comes_late_is_not(ledger: Ledger) -> None:
    at = gate_of(ledger, Limits(rpm=60), patience_s=0.05)
    ledger.levels[f"requests:{MODEL}"] = Level(-600.0, now())
    told = await admit_all(at, [0.0] * 3)
    assert all(isinstance(one, JudgePaused) and not one.spent and 590 < one.retry_after_s < 700 for one in told)
    assert len(ledger.demands) == 1, "what the first is told holds for all"


async def test_a_line_that_is_too_long_is_left(ledger: Ledger) -> None:
    at = gate_of(ledger, Limits(rpm=300), patience_s=0.1)  # five at once, and five a second
    told = await admit_all(at, [0.0] * 50)
    assert 0 < told.count(True) < 50
    late = [one for one in told if isinstance(one, JudgePaused)]
    assert len(late) == 50 - told.count(True)
    assert all(one.retry_after_s > 0 for one in late)


async def test_the_money_of_a_day_is_spent_and_nobody_asks_again(ledger: Ledger) -> None:
    at = gate_of(ledger, Limits(budget_usd=1.0))
    told = await admit_all(at, [0.3] * 10)
    assert told[:3] == [True] * 3
    left_s = (DAY_MS - now() % DAY_MS) / 1000
    for one in told[3:]:
        assert isinstance(one, JudgePaused)
        assert one.spent
        assert left_s - 60 < one.retry_after_s <= left_s + 1
    demands = len(ledger.demands)
    with pytest.raises(JudgePaused, match="spent"):
        await at.admit(MODEL, tokens=1, cost_usd=0.3)
    assert len(ledger.demands) == demands


async def test_each_model_has_its_own_line(ledger: Ledger) -> None:
    at = gate_of(ledger, Limits(rpm=60))
    await at.admit("some:model", tokens=1, cost_usd=0)
    await at.admit("other:model", tokens=1, cost_usd=0)
    assert [demand.model for demand in ledger.demands] == ["some:model", "other:model"]


async def test_a_database_that_is_away_is_told(ledger: Ledger) -> None:
    at = gate_of(ledger, Limits(rpm=60))
    ledger.error = StoreUnavailable("away")
    told = await admit_all(at, [0.0] * 3)
    assert [type(one) for one in told] == [StoreUnavailable] * 3
    ledger.error = None
    assert await at.admit(MODEL, tokens=1, cost_usd=0)


@settings(deadline=None)
@given(
    st.lists(st.floats(0, 0.05), min_size=1, max_size=120),
    st.floats(0.01, 2),
    st.sets(st.integers(0, 119)),
)
async def test_what_was_let_through_was_reserved_and_hardly_more(
    costs: list[float], budget_usd: float, cancelled: set[int]
) -> None:
    """However large each is, and whoever leaves the line: never over the money, and what is lost is a block at most."""
    ledger = Ledger()
    at = gate_of(ledger, Limits(budget_usd=budget_usd))
    asking = [asyncio.create_task(at.admit(MODEL, tokens=1, cost_usd=cost)) for cost in costs]
    await asyncio.sleep(0)
    for number, task in enumerate(asking):
        if number in cancelled:
            task.cancel()
    told = await asyncio.gather(*asking, return_exceptions=True)
    let_through = sum(cost for cost, one in zip(costs, told, strict=True) if one is True)
    assert let_through <= ledger.reserved_usd + 1e-6
    assert ledger.reserved_usd <= budget_usd + 1e-6
    if not cancelled and all(one is True for one in told):
        assert ledger.reserved_usd <= let_through + gate.BLOCK * max(costs) + 1e-6


# Leaving the line


async def test_who_leaves_the_line_holds_up_nobody(ledger: Ledger) -> None:
    at = gate_of(ledger, Limits(rpm=60_000))
    ledger.opened.clear()
    first, *others = [asyncio.create_task(at.admit(MODEL, tokens=1, cost_usd=0)) for _ in range(5)]
    await asyncio.sleep(0)
    first.cancel()
    others[1].cancel()
    ledger.opened.set()
    told = await asyncio.gather(first, *others, return_exceptions=True)
    kinds = [one if one is True else type(one) for one in told]
    assert kinds == [asyncio.CancelledError, True, asyncio.CancelledError, True, True]


# Trouble


async def test_after_an_outage_they_come_back_one_two_four(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(breaker, "FIRST_PAUSE_S", 0.02)
    at = gate_of(ledger)
    assert await admit_all(at, [0.0] * breaker.FAILURES) == [False] * breaker.FAILURES
    with capture_logs() as logged:
        for _ in range(breaker.FAILURES):
            end(at, "unavailable")
        waiting = [asyncio.create_task(at.admit(MODEL, tokens=1, cost_usd=0)) for _ in range(127)]
        flying: list[int] = []
        while sum(flying) < 127:
            flying.append(await let_in(waiting, sum(flying)))
            for _ in range(flying[-1]):
                end(at)
    assert flying == [1, 2, 4, 8, 16, 32, 64]
    assert [line["event"] for line in logged] == ["judge_rests", "judge_answers"]


async def let_in(waiting: Sequence[asyncio.Task[bool]], before: int) -> int:
    """Wait until more are let in than before, and all of them; tell how many."""
    await until(lambda: sum(one.done() for one in waiting) > before)
    for _ in range(1_000):
        await asyncio.sleep(0)
    return sum(one.done() for one in waiting) - before


async def test_a_longer_rest_is_not_waited_for(ledger: Ledger) -> None:
    at = gate_of(ledger)
    await at.admit(MODEL, tokens=1, cost_usd=0)
    end(at, "rate_limited", 60.0)
    told = await admit_all(at, [0.0] * 10)
    assert all(isinstance(one, JudgePaused) and 59 < one.retry_after_s < 67 for one in told)


async def test_who_waits_is_told_when_a_longer_rest_begins(ledger: Ledger) -> None:
    at = gate_of(ledger, make_breaker=breaker.Breaker)
    first = await admit_all(at, [0.0] * breaker.FIRST_LIMIT)
    waiting = asyncio.create_task(admit_all(at, [0.0] * 10))
    await asyncio.sleep(0)
    end(at, "rate_limited", 60.0)
    assert [type(one) for one in await waiting] == [JudgePaused] * 10
    assert first == [False] * breaker.FIRST_LIMIT


async def test_a_wrong_key_is_said_once_and_asked_with_no_more(ledger: Ledger) -> None:
    at = gate_of(ledger, make_breaker=breaker.Breaker)
    with capture_logs() as logged:
        assert await admit_all(at, [0.0] * breaker.FIRST_LIMIT) == [False] * breaker.FIRST_LIMIT
        waiting = asyncio.create_task(admit_all(at, [0.0] * 100))
        await asyncio.sleep(0)
        for _ in range(breaker.FIRST_LIMIT):
            end(at, "refused")
        told = await waiting
    assert all(isinstance(one, JudgePaused) and not one.spent and one.retry_after_s > 50 for one in told)
    assert [line["event"] for line in logged] == ["judge_refused"]


async def test_a_key_that_is_right_again_is_said_once(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(breaker, "REFUSED_PAUSE_S", 0.02)
    at = gate_of(ledger, make_breaker=breaker.Breaker)
    with capture_logs() as logged:
        for outcome in ("refused", "refused", "refused", "answered", "answered"):
            await may_ask(at)
            end(at, outcome)
    assert [line["event"] for line in logged] == ["judge_refused", "judge_accepted"]


async def may_ask(at: StoreGate) -> None:
    """Ask until it may be."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            try:
                await at.admit(MODEL, tokens=1, cost_usd=0)
            except JudgePaused as error:
                await asyncio.sleep(error.retry_after_s)
            else:
                return


@pytest.mark.parametrize("outcome", ["answered", "invalid", "cut_off", "blocked"])
async def test_a_bad_answer_is_one_all_the_same(ledger: Ledger, outcome: CallOutcome) -> None:
    at = gate_of(ledger, make_breaker=breaker.Breaker)
    for _ in range(100):
        await at.admit(MODEL, tokens=1, cost_usd=0)
        end(at, outcome)
    assert await admit_all(at, [0.0] * 100) == [False] * 100
