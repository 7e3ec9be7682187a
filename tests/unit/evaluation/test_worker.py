"""The evaluator that watches: it goes on whatever happens, and gives back what it has when it is stopped."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest
from structlog.testing import capture_logs

from aura_analytics.errors import StoreUnavailable
from aura_analytics.evaluation import course
from unit.evaluation.desk import PATIENCE_S, Desk, Told, desk_of, evaluator, ruled, thinking, unclear, until


@asynccontextmanager
async def watching(desk: Desk, judge: Told | None = None, interval_s: float = 0.001) -> AsyncIterator[None]:
    """An evaluator at work; stopped at the end, and waited for."""
    task = asyncio.create_task(evaluator(desk, judge).watch(interval_s))
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await asyncio.wait_for(task, PATIENCE_S)


async def test_it_looks_again_and_again() -> None:
    desk, _ = desk_of()
    async with watching(desk):
        for id in "abc":
            desk.add(ruled(id))
            await until(lambda: id in desk.labels)  # noqa: B023 (looked at before the next one)


@pytest.mark.parametrize("error", [StoreUnavailable("away"), RuntimeError("a bug")])
async def test_no_error_ends_it(error: Exception) -> None:
    desk, _ = desk_of(ruled("a"))
    desk.broken = error
    event = "evaluation_waits" if isinstance(error, StoreUnavailable) else "evaluation_failed"
    with capture_logs() as logged:
        async with watching(desk):
            await until(lambda: [line["event"] for line in logged].count(event) > 1)
            desk.broken = None
            await until(lambda: "a" in desk.labels)


async def test_where_there_is_more_it_does_not_wait() -> None:
    desk, _ = desk_of(*(ruled(f"q{n}") for n in range(1_000)))
    async with watching(desk, interval_s=86_400):
        await until(lambda: len(desk.labels) == 1_000)
    assert max(desk.claimed) == 50


async def test_it_says_what_it_did() -> None:
    desk, _ = desk_of(ruled("a"), unclear("b"))
    with capture_logs() as logged:
        async with watching(desk):
            await until(lambda: bool(logged))
    told = {"labelled": 2, "BAD": 1, "REVIEW": 1, "postponed": 0, "paused": 0, "left": 0, "failed": 0}
    assert logged == [{"event": "evaluation", "log_level": "info", **told}]


async def test_it_says_what_it_did_when_it_is_stopped_too() -> None:
    desk, _ = desk_of(unclear("a"), ruled("b"))
    with capture_logs() as logged:
        async with watching(desk, thinking()):
            await until(lambda: "b" in desk.labels)
    assert [(line["event"], line["labelled"]) for line in logged] == [("evaluation", 1)]


async def test_those_that_began_together_do_not_stay_together(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []
    watching, doze = asyncio.current_task, asyncio.sleep
    mine = watching()

    async def sleep(seconds: float) -> None:
        if watching() is not mine:  # servers of other tests sleep in loops of their own
            return await doze(seconds)
        pauses.append(seconds)
        if len(pauses) == 50:
            raise asyncio.CancelledError
        return None

    monkeypatch.setattr(asyncio, "sleep", sleep)
    desk, _ = desk_of()
    with pytest.raises(asyncio.CancelledError):
        await evaluator(desk, None).watch(60)
    assert len(set(pauses)) > 40
    assert all(54 <= pause <= 66 for pause in pauses)


async def test_what_is_not_labelled_when_it_is_stopped_goes_back() -> None:
    desk, watch = desk_of(unclear("a"), unclear("b"), ruled("c"))
    judge = thinking()
    async with watching(desk, judge):
        await until(lambda: judge.flying == 2)
    assert {id: (work.lease, work.attempts) for id, work in desk.works.items()} == {"a": (None, 0), "b": (None, 0)}
    assert all(work.due_at == watch.now for work in desk.works.values())
    assert list(desk.labels) == ["c"]
    assert sorted(call.query_id for call in desk.calls) == ["a", "b"], "they were made, and cost"


async def test_a_claim_that_comes_when_it_was_stopped_goes_back_too() -> None:
    desk, _ = desk_of(ruled("a"))
    desk.gate = asyncio.Event()
    task = asyncio.create_task(evaluator(desk, None).watch(1))
    await asyncio.sleep(0.01)
    task.cancel()
    await asyncio.sleep(0)
    desk.gate.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (desk.claimed, desk.labels, desk.works["a"].lease) == ([1], {}, None)


async def test_a_database_that_hangs_does_not_hold_up_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(course, "RELEASE_S", 0.01)
    desk, _ = desk_of(unclear("a"))
    desk.hangs = True
    judge = thinking()
    async with watching(desk, judge):
        await until(lambda: judge.flying == 1)
    assert desk.works["a"].lease is not None
