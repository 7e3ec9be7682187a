"""A run keeps the judge busy, stores what comes as it comes, and loses nothing, whatever happens."""

import asyncio
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aura_analytics.errors import JudgeAnswerInvalid, JudgePaused, JudgeRefused, JudgeUnavailable, StoreUnavailable
from aura_analytics.evaluation import course
from aura_analytics.evaluation.judgement import Case, Judgement
from aura_analytics.events.records import CallOutcome, JudgeCall
from unit.evaluation.desk import (
    GOOD,
    Told,
    call,
    desk_of,
    evaluator,
    failing,
    ruled,
    saying,
    thinking,
    unclear,
    unclear_ones,
    until,
)


async def test_everything_is_labelled_and_the_run_ends() -> None:
    desk, _ = desk_of(*unclear_ones(300), ruled("r"))
    tally = await evaluator(desk, saying()).run()
    assert (tally.labels, tally.handled) == (Counter(GOOD=300, BAD=1), 301)
    assert all(len(verdicts) == 1 for verdicts in desk.labels.values())
    assert (len(desk.labels), len(desk.calls), desk.works) == (301, 300, {})


async def test_so_many_calls_are_in_flight_and_no_more() -> None:
    desk, _ = desk_of(*unclear_ones(200))
    opened = asyncio.Event()

    async def answer(case: Case, calls: list[JudgeCall]) -> Judgement:  # noqa: ARG001 (as `Judge` has it)
        await opened.wait()
        await asyncio.sleep(0)
        return GOOD

    judge = Told(answer)
    run = asyncio.create_task(evaluator(desk, judge, concurrency=7).run())
    await until(lambda: judge.flying == 7)
    opened.set()
    assert (await run).labelled == 200
    assert judge.most == 7


async def test_no_call_waits_for_another_one() -> None:
    """One that takes for ever has one place; through the others everything else goes."""
    desk, _ = desk_of(unclear("slow"), *unclear_ones(200))
    slow = asyncio.Event()

    async def answer(case: Case, calls: list[JudgeCall]) -> Judgement:  # noqa: ARG001 (as `Judge` has it)
        if case.interaction.query.id == "slow":
            await slow.wait()
        return GOOD

    run = asyncio.create_task(evaluator(desk, Told(answer), concurrency=2, batch_size=10).run())
    await until(lambda: len(desk.labels) == 200)
    assert not run.done()
    slow.set()
    assert (await run).labelled == 201


async def test_what_comes_while_a_call_takes_its_time_is_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(course, "LOOK_AGAIN_S", 0.001)
    desk, _ = desk_of(unclear("slow"))
    judge = thinking()
    run = asyncio.create_task(evaluator(desk, judge).run())
    await until(lambda: judge.flying == 1)
    desk.add(ruled("late"))
    await until(lambda: "late" in desk.labels)
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run


async def test_what_came_while_the_last_call_took_its_time_belongs_to_the_run() -> None:
    desk, _ = desk_of(unclear("slow"))

    async def answer(case: Case, calls: list[JudgeCall]) -> Judgement:  # noqa: ARG001 (as `Judge` has it)
        await until(lambda: desk.claimed == [1, 0])
        desk.add(ruled("late"))
        return GOOD

    assert (await evaluator(desk, Told(answer)).run()).labelled == 2


async def test_many_verdicts_are_one_commit() -> None:
    desk, _ = desk_of(*unclear_ones(1_000))
    await evaluator(desk, saying(), concurrency=50).run()
    assert sum(desk.groups) == 1_000
    assert len(desk.groups) < 100


async def test_progress_is_told_as_it_is_stored() -> None:
    desk, _ = desk_of(*unclear_ones(200))
    told: list[int] = []
    await evaluator(desk, saying(), batch_size=50).run(lambda tally: told.append(tally.handled))
    assert told == sorted(told)
    assert told[-1] == 200
    assert len(told) > 1


async def test_a_claim_looks_back_once_and_only_for_what_is_asked_about() -> None:
    desk, _ = desk_of(unclear("a", session="s"), ruled("b"), unclear("c"))
    judge = saying()
    await evaluator(desk, judge, session_turns=2).run()
    assert desk.looked_back == [["a", "c"]]
    assert [one.query.id for one in judge.cases["a"].previous] == ["before a"] * 2
    assert list(judge.cases["c"].previous) == []


async def test_without_turns_to_show_nobody_looks_back() -> None:
    desk, _ = desk_of(unclear("a", session="s"))
    judge = saying()
    await evaluator(desk, judge, session_turns=0).run()
    assert (desk.looked_back, list(judge.cases["a"].previous)) == ([], [])


async def test_what_has_waited_for_half_of_its_lease_goes_back() -> None:
    """It may belong to somebody else before it is answered."""
    desk, watch = desk_of(*unclear_ones(10))

    async def answer(case: Case, calls: list[JudgeCall]) -> Judgement:  # noqa: ARG001 (as `Judge` has it)
        watch.now += 3_000
        return GOOD

    tally = await evaluator(desk, Told(answer), concurrency=1, lease_ms=10_000).run()
    assert tally.labelled == 10
    assert all(len(verdicts) == 1 for verdicts in desk.labels.values())
    assert [found for found in desk.claimed if found] == [10, 8, 6, 4, 2]


async def test_a_slow_judge_is_not_claimed_for_beforehand() -> None:
    desk, _ = desk_of(*unclear_ones(5_000))
    judge = thinking()
    run = asyncio.create_task(evaluator(desk, judge, batch_size=10_000, concurrency=30).run())
    await until(lambda: judge.flying == 30)
    assert desk.claimed == [60]
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run


@pytest.mark.parametrize("error", [StoreUnavailable("away"), RuntimeError("a bug")])
async def test_an_error_ends_the_run_and_the_work_goes_back(error: Exception) -> None:
    desk, _ = desk_of(*unclear_ones(20))

    async def answer(case: Case, calls: list[JudgeCall]) -> Judgement:  # noqa: ARG001 (as `Judge` has it)
        desk.broken = error
        return GOOD

    with pytest.raises(type(error)):
        await evaluator(desk, Told(answer)).run()
    held = [work for work in desk.works.values() if work.lease is not None]
    assert (len(desk.works), desk.labels, held) == (20, {}, [])


async def test_a_bug_of_the_judge_ends_the_run_and_the_work_goes_back() -> None:
    desk, _ = desk_of(*unclear_ones(20))
    with pytest.raises(ZeroDivisionError):
        await evaluator(desk, failing(ZeroDivisionError())).run()
    assert [work.lease for work in desk.works.values()] == [None] * 20


ENDS: list[tuple[Exception | None, list[CallOutcome]]] = [
    (None, ["answered"]),
    (None, ["unavailable", "answered"]),
    (JudgeUnavailable("away"), ["unavailable"] * 3),
    (JudgeUnavailable("too many", 7.0), ["rate_limited"] * 3),
    (JudgeAnswerInvalid("nonsense"), ["invalid"] * 2),
    (JudgeRefused("wrong key"), ["refused"]),
    (JudgePaused("it rests", 40.0), []),
    (JudgePaused("it rests", 40.0), ["unavailable"]),
]


@settings(deadline=None, max_examples=50)
@given(st.lists(st.sampled_from(range(len(ENDS))), min_size=1, max_size=60), st.integers(1, 20), st.integers(1, 9))
async def test_whatever_the_judge_does_each_ends_once_and_every_request_is_noted(
    story: list[int], batch: int, concurrency: int
) -> None:
    desk, watch = desk_of(*unclear_ones(25))
    made: list[JudgeCall] = []
    ends = iter(story)

    async def answer(case: Case, calls: list[JudgeCall]) -> Judgement:
        error, outcomes = ENDS[next(ends, 0)]
        calls += [call(case.interaction.query.id, outcome) for outcome in outcomes]
        made.extend(calls)
        await asyncio.sleep(0)
        if error:
            raise error
        return GOOD

    working = evaluator(desk, Told(answer), batch_size=batch, concurrency=concurrency, max_attempts=2)
    for _ in range(100):
        await working.run()
        assert all(work.lease is None for work in desk.works.values())
        assert all(work.attempts < 2 for work in desk.works.values())
        watch.now += 60_000
        if not desk.works:
            break
    assert set(desk.labels) | set(desk.failed) == {f"q{n}" for n in range(25)}
    assert not set(desk.labels) & set(desk.failed)
    assert all(len(verdicts) == 1 for verdicts in desk.labels.values())
    assert Counter(desk.calls) == Counter(made)


async def test_a_hearing_may_take_longer_than_a_lease() -> None:
    desk, watch = desk_of(unclear("slow"))
    heard = asyncio.Event()

    async def answer(case: Case, calls: list[JudgeCall]) -> Judgement:  # noqa: ARG001 (as `Judge` has it)
        await heard.wait()
        return GOOD

    judge = Told(answer)
    run = asyncio.create_task(evaluator(desk, judge, lease_ms=40).run())
    await until(lambda: judge.flying == 1)
    for _ in range(3):
        watch.now += 30
        await until(lambda: desk.works["slow"].due_at == watch.now + 40)
    heard.set()
    assert (await run).labelled == 1
    assert judge.asked == ["slow"]


async def test_one_that_is_claimed_anew_while_it_is_heard_is_labelled_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """As after a machine slept: the lease was over before anybody could prolong it."""
    monkeypatch.setattr(course, "LOOK_AGAIN_S", 0.001)
    desk, watch = desk_of(unclear("slow"))
    heard = asyncio.Event()

    async def answer(case: Case, calls: list[JudgeCall]) -> Judgement:
        calls.append(call(case.interaction.query.id))
        await heard.wait()
        return GOOD

    judge = Told(answer)
    run = asyncio.create_task(evaluator(desk, judge).run())
    await until(lambda: judge.flying == 1)
    watch.now += 300_000
    await until(lambda: judge.flying == 2)
    heard.set()
    await run
    assert len(desk.labels["slow"]) == 1
    assert (len(desk.calls), desk.works) == (2, {})
