"""Judges tried on stored interactions, none of whose labels change: what each says, and what it took."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

import msgspec

from aura_analytics.errors import JudgeAnswerInvalid, JudgeError, JudgePaused, JudgeRefused, JudgeUnavailable
from aura_analytics.evaluation.judgement import Case, Judge, Judgement
from aura_analytics.events.records import Interaction, JudgeCall, VoiceQuery

# How many queries are looked up at once for what came before them.
BATCH = 500
# For so long is a pause of the judges waited out, at one interaction; then the rest isn't asked about.
PATIENCE_S = 600.0
# Nobody asks again within this, however short a pause was said to be.
LEAST_PAUSE_S = 0.05


class Notes(Protocol):
    """Where requests are noted."""

    async def note_calls(self, calls: Sequence[JudgeCall]) -> None:
        """Note requests to a model that belong to no claim."""


class Turns(Protocol):
    """Where sessions are stored."""

    async def previous_turns(self, queries: Sequence[VoiceQuery], limit: int) -> dict[str, list[Interaction]]:
        """Give for each query, by its id, up to `limit` interactions that came before it in its session."""


class Trial(msgspec.Struct, kw_only=True):
    """What a judge said, by the interactions' ids; why it didn't, by the cause; all requests; and why it stopped."""

    judgements: dict[str, Judgement] = msgspec.field(default_factory=dict)
    failures: Counter[str] = msgspec.field(default_factory=Counter)
    calls: list[JudgeCall] = msgspec.field(default_factory=list)
    stopped: str | None = None


async def cases(turns: Turns, interactions: Sequence[Interaction], limit: int) -> list[Case]:
    """Put before each interaction up to `limit` turns that came before it in its session."""
    found: list[Case] = []
    for start in range(0, len(interactions), BATCH):
        batch = interactions[start : start + BATCH]
        before = await turns.previous_turns([one.query for one in batch], limit) if limit else {}
        found += [Case(one, before.get(one.query.id, ())) for one in batch]
    return found


async def tried(
    notes: Notes,
    judges: Sequence[Judge],
    cases: Iterable[Case],
    *,
    concurrency: int,
    on_progress: Callable[[int], None] = lambda _: None,
) -> list[Trial]:
    """Have each judge judge each case, in turns, so that a provider's good and bad minutes meet all alike.

    Args:
        notes: where requests are noted as they end, also where this is stopped halfway.
        judges: answer with a trial each, in their order.
        cases: what is judged.
        concurrency: how many are asked at once, of all judges together.
        on_progress: told after each judgement or failure how many there were.

    Raises:
        StoreUnavailable: requests can't be noted, or the limits can't be read.
    """
    trials = [Trial() for _ in judges]
    left = ((judge, trial, case) for case in cases for judge, trial in zip(judges, trials, strict=True))
    done = 0

    async def work() -> None:
        nonlocal done
        for judge, trial, case in left:
            await _try(notes, judge, trial, case)
            done += 1
            on_progress(done)

    tasks = [asyncio.create_task(work()) for _ in range(concurrency)]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    return trials


async def _try(notes: Notes, judge: Judge, trial: Trial, case: Case) -> None:
    if trial.stopped is not None:
        trial.failures[trial.stopped] += 1
        return
    calls: list[JudgeCall] = []
    try:
        trial.judgements[case.interaction.query.id] = await _patiently(judge, case, calls)
    except JudgePaused as error:
        trial.stopped = _cause(error, [])
        trial.failures[trial.stopped] += 1
    except JudgeError as error:
        trial.failures[_cause(error, calls)] += 1
    finally:
        trial.calls += calls
        if calls:
            await notes.note_calls(calls)


async def _patiently(judge: Judge, case: Case, calls: list[JudgeCall]) -> Judgement:
    """Ask, and wait out pauses, but not the end of the day."""
    clock = asyncio.get_running_loop().time
    until = clock() + PATIENCE_S
    while True:
        try:
            return await judge.judge(case, calls)
        except JudgePaused as error:
            if error.spent or clock() + error.retry_after_s > until:
                raise
            await asyncio.sleep(max(LEAST_PAUSE_S, error.retry_after_s))


def _cause(error: JudgeError, calls: Sequence[JudgeCall]) -> str:
    """Say why there is no judgement: how the last request ended, or why there was none."""
    if calls and calls[-1].outcome != "answered":
        return calls[-1].outcome
    match error:
        case JudgePaused():
            return "budget_spent" if error.spent else "paused"
        case JudgeUnavailable():
            return "unavailable"
        case JudgeRefused():
            return "refused"
        case JudgeAnswerInvalid():
            return "invalid"
        case _:
            return "failed"
