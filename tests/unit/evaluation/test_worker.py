"""The evaluator that watches: it goes on whatever happens, and gives back what it has when it is stopped."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import cast

import pytest

from aura_analytics.errors import StoreUnavailable
from aura_analytics.evaluation import worker
from aura_analytics.evaluation.judgement import Judgement
from aura_analytics.evaluation.worker import Evaluator
from aura_analytics.events.records import Interaction, Verdict
from aura_analytics.store import Store
from aura_analytics.store.port import Claim
from contract.making import query

PATIENCE_S = 10.0


class Queue:
    """What an evaluator needs of a store: batches that are due, and what becomes of them.

    Args:
        batches: of ids, one a claim; an error is raised in its place.
        gate: where there is one, a claim is answered only when it is set.
    """

    def __init__(self, *batches: Sequence[str] | Exception, gate: asyncio.Event | None = None) -> None:
        self._batches = list(batches)
        self._gate = gate
        self.asked = 0
        self.settled: list[str] = []
        self.released: list[str] = []
        self.release_hangs = False

    async def claim_due(self, limit: int, *, now: int, lease_ms: int) -> list[Claim]:  # noqa: ARG002 (as `Store` has it)
        """Give the next batch."""
        self.asked += 1
        if self._gate:
            await self._gate.wait()
        batch = self._batches.pop(0) if self._batches else []
        if isinstance(batch, Exception):
            raise batch
        return [Claim(interaction=Interaction(query=query(id)), lease="l", attempts=1) for id in batch]

    async def settle(self, verdicts: Sequence[tuple[Claim, Verdict]]) -> int:
        """Note them."""
        self.settled += [claim.query_id for claim, _ in verdicts]
        return len(verdicts)

    async def release(self, claims: Sequence[Claim], *, now: int) -> None:  # noqa: ARG002 (as `Store` has it)
        """Note them."""
        if self.release_hangs:
            await asyncio.Event().wait()
        self.released += [claim.query_id for claim in claims]


class Thinking:
    """A judge that never comes to an end."""

    name = "thinking"

    async def judge(self, interaction: Interaction) -> Judgement:  # noqa: ARG002 (as `Judge` has it)
        """Think."""
        await asyncio.Event().wait()
        raise AssertionError

    async def aclose(self) -> None:
        """Have nothing to close."""


def evaluator(queue: Queue, judge: Thinking | None = None) -> Evaluator:
    return Evaluator(cast("Store", queue), judge)


@asynccontextmanager
async def watching(queue: Queue, judge: Thinking | None = None, interval_s: float = 0.001) -> AsyncIterator[None]:
    """An evaluator at work; stopped at the end, and waited for."""
    task = asyncio.create_task(evaluator(queue, judge).watch(interval_s))
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await asyncio.wait_for(task, PATIENCE_S)


async def until(look: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not look():  # noqa: ASYNC110 (polls what the evaluator does)
            await asyncio.sleep(0.001)


async def test_it_looks_again_and_again() -> None:
    queue = Queue(["a"], [], ["b"], [], [], ["c"])
    async with watching(queue):
        await until(lambda: queue.settled == ["a", "b", "c"])


@pytest.mark.parametrize("error", [StoreUnavailable("away"), RuntimeError("a bug")])
async def test_no_error_ends_it(error: Exception) -> None:
    queue = Queue(error, error, ["a"])
    async with watching(queue):
        await until(lambda: queue.settled == ["a"])


async def test_where_there_is_more_it_does_not_wait() -> None:
    queue = Queue(*[[f"{n}"] for n in range(100)])
    async with watching(queue, interval_s=86_400):
        await until(lambda: len(queue.settled) == 100)


async def test_those_that_began_together_do_not_stay_together(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 50:
            raise asyncio.CancelledError

    monkeypatch.setattr(asyncio, "sleep", sleep)
    with pytest.raises(asyncio.CancelledError):
        await evaluator(Queue()).watch(60)
    assert len(set(pauses)) > 40
    assert all(54 <= pause <= 66 for pause in pauses)


async def test_what_is_not_labelled_when_it_is_stopped_goes_back() -> None:
    queue = Queue(["a", "b"])
    async with watching(queue, Thinking()):
        await until(lambda: queue.asked == 1)
    assert queue.released == ["a", "b"]


async def test_a_claim_that_comes_when_it_was_stopped_goes_back_too() -> None:
    gate = asyncio.Event()
    queue = Queue(["a"], gate=gate)
    task = asyncio.create_task(evaluator(queue).watch(1))
    await until(lambda: queue.asked == 1)
    task.cancel()
    await asyncio.sleep(0)
    gate.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (queue.settled, queue.released) == ([], ["a"])


async def test_a_database_that_hangs_does_not_hold_up_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "RELEASE_S", 0.01)
    queue = Queue(["a"])
    queue.release_hangs = True
    async with watching(queue, Thinking()):
        await until(lambda: queue.asked == 1)
    assert queue.released == []
