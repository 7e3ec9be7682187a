"""Judges tried on interactions: each is asked about each, its failures are counted, its requests noted, pauses waited out."""

import asyncio
from collections.abc import Callable, Sequence

import pytest

from aura_analytics.errors import (
    JudgeAnswerInvalid,
    JudgeError,
    JudgePaused,
    JudgeRefused,
    JudgeUnavailable,
    StoreUnavailable,
)
from aura_analytics.evaluation import trial as trials
from aura_analytics.evaluation.judgement import Case, Judgement
from aura_analytics.evaluation.trial import Trial, cases, tried
from aura_analytics.events.records import CallOutcome, Interaction, JudgeCall, VoiceQuery
from contract.making import NOW, query

GOOD = Judgement("GOOD", "correct", 0.9, model="m", rubric="r@1")


def call(id: str, outcome: CallOutcome = "answered") -> JudgeCall:
    return JudgeCall(
        query_id=id, store_id="shop", called_at=NOW, model="m", rubric="r@1", outcome=outcome, duration_ms=1.0
    )


class Notes:
    """Where requests are noted; it may break."""

    def __init__(self, *, broken: bool = False) -> None:
        self.calls: list[JudgeCall] = []
        self._broken = broken

    async def note_calls(self, calls: Sequence[JudgeCall]) -> None:
        if self._broken:
            raise StoreUnavailable("gone")
        self.calls += calls


class Sayer:
    """A judge that says what it is told to, by the interaction's id; a model fails this precisely never."""

    name = "m"

    def __init__(self, say: Callable[[str, list[JudgeCall]], Judgement]) -> None:
        self._say = say
        self.asked: list[str] = []
        self.at_once = self.most = 0

    async def judge(self, case: Case, calls: list[JudgeCall]) -> Judgement:
        self.asked.append(case.interaction.query.id)
        self.at_once += 1
        self.most = max(self.most, self.at_once)
        await asyncio.sleep(0)
        self.at_once -= 1
        return self._say(case.interaction.query.id, calls)

    async def aclose(self) -> None:
        """Nothing to let go of."""


def kind(id: str, calls: list[JudgeCall]) -> Judgement:
    calls.append(call(id))
    return GOOD


def some(count: int) -> list[Case]:
    return [Case(Interaction(query=query(f"q{n}"))) for n in range(count)]


async def tried_once(say: Callable[[str, list[JudgeCall]], Judgement], count: int = 1) -> Trial:
    [found] = await tried(Notes(), [Sayer(say)], some(count), concurrency=1)
    return found


async def test_each_judge_is_asked_about_each_interaction() -> None:
    notes, a, b, told = Notes(), Sayer(kind), Sayer(kind), list[int]()
    found = await tried(notes, [a, b], some(20), concurrency=4, on_progress=told.append)
    assert [sorted(one.asked) for one in (a, b)] == [sorted(f"q{n}" for n in range(20))] * 2
    assert [len(one.judgements) for one in found] == [20, 20]
    assert [len(one.calls) for one in found] == [20, 20]
    assert len(notes.calls) == 40
    assert told == list(range(1, 41))


@pytest.mark.parametrize("concurrency", [1, 5])
async def test_no_more_are_asked_at_once_than_may(concurrency: int) -> None:
    judge = Sayer(kind)
    await tried(Notes(), [judge], some(30), concurrency=concurrency)
    assert judge.most == concurrency


@pytest.mark.parametrize(
    ("error", "outcome", "cause"),
    [
        (JudgeUnavailable("no"), "rate_limited", "rate_limited"),
        (JudgeUnavailable("no"), "timed_out", "timed_out"),
        (JudgeAnswerInvalid("no"), "blocked", "blocked"),
        (JudgeUnavailable("no"), None, "unavailable"),
        (JudgeRefused("no"), None, "refused"),
        (JudgeAnswerInvalid("no"), "answered", "invalid"),
        (JudgeError("no"), None, "failed"),
    ],
)
async def test_a_failure_is_counted_by_its_cause_and_its_requests_too(
    error: JudgeError, outcome: CallOutcome | None, cause: str
) -> None:
    def fail(id: str, calls: list[JudgeCall]) -> Judgement:
        calls += [] if outcome is None else [call(id, outcome)]
        raise error

    found = await tried_once(fail, 3)
    assert (found.judgements, dict(found.failures)) == ({}, {cause: 3})
    assert len(found.calls) == (0 if outcome is None else 3)


async def test_a_pause_is_waited_out() -> None:
    pauses = [0.01, 0.01]

    def rest(id: str, calls: list[JudgeCall]) -> Judgement:
        if pauses:
            raise JudgePaused("resting", pauses.pop())
        return kind(id, calls)

    found = await tried_once(rest)
    assert (list(found.judgements), dict(found.failures)) == (["q0"], {})


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (JudgePaused("no", 0.01, spent=True), "budget_spent"),
        (JudgePaused("no", trials.PATIENCE_S + 60), "paused"),
    ],
)
async def test_where_no_turn_comes_the_rest_is_not_asked_about(error: JudgePaused, cause: str) -> None:
    def stop(id: str, calls: list[JudgeCall]) -> Judgement:
        if id == "q0":
            return kind(id, calls)
        raise error

    judge = Sayer(stop)
    [found] = await tried(Notes(), [judge], some(10), concurrency=1)
    assert (list(found.judgements), dict(found.failures)) == (["q0"], {cause: 9})
    assert judge.asked == ["q0", "q1"]


async def test_one_that_is_stopped_doesn_t_stop_the_other() -> None:
    def stop(*_: object) -> Judgement:
        raise JudgePaused("no", 1, spent=True)

    a, b = await tried(Notes(), [Sayer(stop), Sayer(kind)], some(5), concurrency=2)
    assert (len(a.judgements), len(b.judgements)) == (0, 5)


async def test_requests_that_were_made_are_noted_also_where_it_is_stopped() -> None:
    notes, asked = Notes(), asyncio.Event()

    class Slow(Sayer):
        async def judge(self, case: Case, calls: list[JudgeCall]) -> Judgement:
            calls.append(call(case.interaction.query.id, "timed_out"))
            asked.set()
            await asyncio.Event().wait()
            raise AssertionError

    task = asyncio.create_task(tried(notes, [Slow(kind)], some(3), concurrency=1))
    await asked.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert [one.query_id for one in notes.calls] == ["q0"]


async def test_a_store_that_is_gone_ends_it() -> None:
    judge = Sayer(kind)
    with pytest.raises(StoreUnavailable):
        await tried(Notes(broken=True), [judge], some(50), concurrency=2)
    assert len(judge.asked) < 50


class Sessions:
    """Where sessions are stored."""

    def __init__(self) -> None:
        self.asked: list[tuple[int, int]] = []

    async def previous_turns(self, queries: Sequence[VoiceQuery], limit: int) -> dict[str, list[Interaction]]:
        self.asked.append((len(queries), limit))
        return {"q1": [Interaction(query=query("before"))]}


async def test_what_came_before_is_put_before_each(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trials, "BATCH", 2)
    sessions = Sessions()
    found = await cases(sessions, [one.interaction for one in some(3)], 4)
    assert sessions.asked == [(2, 4), (1, 4)]
    assert [[turn.query.id for turn in one.previous] for one in found] == [[], ["before"], []]


async def test_where_no_turns_are_wanted_none_are_looked_up() -> None:
    sessions = Sessions()
    assert len(await cases(sessions, [one.interaction for one in some(3)], 0)) == 3
    assert sessions.asked == []
