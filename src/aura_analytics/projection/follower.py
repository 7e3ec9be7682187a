"""Following the feed: the columns stay at most a moment behind, and a reader waits for that moment.

It is over 400 lines: following, starting over and answering hang on one state, the phase, and are read together.
"""

import asyncio
import contextlib
import secrets
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import duckdb
import structlog

from aura_analytics.clock import Clock, now
from aura_analytics.errors import FeedLost, ProjectionUnavailable, StoreUnavailable, Unavailable
from aura_analytics.projection.columns import ColumnFile, State, is_damage
from aura_analytics.projection.coverage import DAY_MS
from aura_analytics.projection.port import Phase, ProjectionStatus, Verification
from aura_analytics.projection.question import Question
from aura_analytics.projection.reach import Reach
from aura_analytics.projection.rebuild import Rebuild
from aura_analytics.projection.renewal import Renewal
from aura_analytics.projection.unsettled import Unsettled
from aura_analytics.projection.upkeep import sessions_of
from aura_analytics.projection.verify import verify
from aura_analytics.store import Store
from aura_analytics.store.port import Changes, FeedPoint

log = structlog.get_logger()

Result = TypeVar("Result")

# Ids a transaction of the columns; more make it no cheaper an id, but a reader wait longer.
APPLY_IDS = 8_000
# Text that a step of it may hold, about, and how many ids the first one has.
STEP_TEXT = 16 << 20
FIRST_STEP = 256
# Nobody waiting, changes gather this long, since a large batch costs little more than a small one; a quarter of it where
# so much comes in that a reader would have to wait for it.
PACE_S = 1.0
MANY_IDS = 2_000
# How often another process's commits are looked for.
POLL_S = 0.25
# How often is looked again, while a reader waits, for what is committed but can't be told before another one's commit.
SETTLE_S = 0.005
# How often the store is told how far we have come, so that it can forget what all have; and that we are there, where
# nothing comes: who isn't heard of for days is taken for gone, and would start over.
ACKNOWLEDGE_S, IDLE_ACKNOWLEDGE_S = 5.0, 3_600.0
# How long a reader waits for the columns to catch up before it is told to come back.
PATIENCE_S = 10.0
# The same during a rebuild: a short one isn't worth a refusal, a long one takes minutes anyway.
REBUILD_PATIENCE_S = 3.0
QUESTIONS_AT_ONCE = 4
# How often is looked for stale cubes, and for hours whose sums the row database lacks.
TEND_S = 1.0


class Projection:
    """The columns of one store, kept up to date while it runs.

    Args:
        store: what to follow; it must be open.
        path: the columns' file, which belongs to this process then; None keeps them in memory.
        memory_mb: what DuckDB may take.
        threads: how many threads one question may use.
        attribution_ms: how long before a conversion the interaction may lie that it is owed to.
        clock: the present.
    """

    def __init__(
        self,
        store: Store,
        path: Path | None,
        *,
        memory_mb: int = 512,
        threads: int = 2,
        attribution_ms: int = DAY_MS,
        clock: Clock = now,
    ) -> None:
        self._store, self._clock = store, clock
        self._path, self._memory_mb, self._threads = path, memory_mb, threads
        self._columns = ColumnFile(path, memory_mb=memory_mb, threads=threads, attribution_ms=attribution_ms)
        self._writing = ThreadPoolExecutor(1, thread_name_prefix="aura-columns")
        self._tending = ThreadPoolExecutor(1, thread_name_prefix="aura-cubes")
        self._asking = ThreadPoolExecutor(QUESTIONS_AT_ONCE, thread_name_prefix="aura-stats")
        self._wake, self._moved = asyncio.Event(), asyncio.Condition()
        self._hurried, self._step = 0, FIRST_STEP
        self._unsettled, self._renewal = Unsettled(), Renewal(self._columns)
        self._phase: Phase = "starting"
        self._progress = 0.0
        self._follower = f"columns-{secrets.token_hex(4)}"
        self._reach = Reach()
        self._acknowledged = self._point
        self._applied_at, self._taken, self._behind, self._acknowledged_at = 0, 0, False, 0.0
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Open the file and begin to follow; a rebuild, where one is due, goes on in the background.

        Raises:
            ProjectionOwned: the file belongs to another process.
        """
        state = await self._write(self._columns.open)
        self._store.on_commit(self._wake.set)
        self._tasks = [
            asyncio.create_task(self._run(state), name="projection"),
            asyncio.create_task(self._tend(), name="cubes"),
        ]

    async def stop(self) -> None:
        """Stop following and let go of the file."""
        for task in self._tasks:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        await self._tell("stopped")
        with contextlib.suppress(StoreUnavailable):
            if self._path is None:
                await self._store.forget_follower(self._follower)
            elif self._point != self._acknowledged:
                await self._acknowledge()
        await asyncio.to_thread(self._asking.shutdown)
        await asyncio.to_thread(self._tending.shutdown)
        await self._write(self._columns.close)
        await asyncio.to_thread(self._writing.shutdown)

    async def status(self) -> ProjectionStatus:
        """Tell where the columns are."""
        return ProjectionStatus(phase=self._phase, progress=self._progress, position=self._point.position)

    async def caught_up(self, *, staleness_ms: int = 0) -> FeedPoint:
        """Wait until the columns hold all that was committed when this was called; give the point they stand at.

        Args:
            staleness_ms: columns that were whole this recently will do.

        Raises:
            ProjectionUnavailable: they are being rebuilt, or don't catch up in time.
        """
        if self._phase == "following" and staleness_ms and self._clock() - self._applied_at <= staleness_ms:
            return self._point
        head = await self._store.feed_head()
        if self._phase == "following" and not await self._reach.is_known(self._store):  # put back from a copy meanwhile
            await self.rebuild()
        if self._holds(head):
            return self._point
        patience_s = PATIENCE_S if self._phase == "following" else REBUILD_PATIENCE_S
        self._hurried += 1
        self._wake.set()
        try:
            async with asyncio.timeout(patience_s), self._moved:
                await self._moved.wait_for(lambda: self._holds(head))
        except TimeoutError as error:
            raise ProjectionUnavailable(self._why_not(), retry_after_s=2) from error
        finally:
            self._hurried -= 1
        return self._point

    async def built(self, on_progress: Callable[[float], None] | None = None) -> None:
        """Wait for the end of a rebuild, however long it takes.

        Args:
            on_progress: told now and then what share is done.
        """
        async with self._moved:
            while self._phase in ("starting", "rebuilding"):
                if on_progress:
                    on_progress(self._progress)
                await self._moved.wait()

    async def ask(
        self, question: Question, *, staleness_ms: int = 0
    ) -> list[tuple[Any, ...]]:  # Any: what a cell can be
        """Answer a question with all that was committed when it came.

        Raises:
            ProjectionUnavailable: not now.
        """
        await self.caught_up(staleness_ms=staleness_ms)
        return await self.ask_now(question)

    async def ask_now(self, question: Question) -> list[tuple[Any, ...]]:  # Any: what a cell can be
        """Answer a question with what the columns hold at this moment.

        Raises:
            ProjectionUnavailable: the file turned out to be damaged; it is being rebuilt.
        """
        if self._phase != "following":
            raise ProjectionUnavailable("the statistics are being rebuilt", retry_after_s=2)
        asked = partial(self._columns.ask, self._columns.generation, question)
        try:
            return await asyncio.get_running_loop().run_in_executor(self._asking, asked)
        except duckdb.OutOfMemoryException as error:
            raise ProjectionUnavailable(
                "that is more than the statistics' memory holds; ask for less, or raise STATS_MEMORY_MB"
            ) from error
        except duckdb.Error as error:
            if not is_damage(error):
                raise
            log.warning("columns_damaged", error=type(error).__name__)
            await self.rebuild()
            raise ProjectionUnavailable("the statistics are being rebuilt", retry_after_s=2) from error

    async def verify(self, *, rebuild: bool = False) -> Verification:
        """Compare rows and columns, after building the columns anew where asked."""
        if rebuild:
            await self.rebuild()
            await self.built()
        return await verify(self._store, self)

    async def rebuild(self) -> None:
        """Throw the columns away and start over in the background."""
        if self._phase != "rebuilding":
            self._phase, self._progress = "rebuilding", 0.0
            self._wake.set()

    async def renew(self) -> None:
        """Leave no byte in the file of what was erased; it would be done by itself a moment later."""
        await self._renewal.renew(self._write, self._aside, at_once=True)

    @property
    def _point(self) -> FeedPoint:
        return self._reach.point

    def _holds(self, head: FeedPoint) -> bool:
        return self._phase == "following" and self._point.position >= head.position

    def _why_not(self) -> str:
        if self._phase == "following":
            return "the statistics can't keep up with what comes in"
        return f"the statistics are being rebuilt; {self._progress:.0%} are done"

    async def _run(self, state: State | None) -> None:
        """Follow until cancelled. What fails is logged and tried again: readers are told meanwhile."""
        whole = False
        while True:
            try:
                if not whole:
                    whole = state is not None and await self._take_over(state)
                    state = None
                if not whole:
                    await self._rebuild()
                    whole = True
                await self._follow()
                whole = False
            except StoreUnavailable as error:
                log.warning("projection_waits", error=str(error))
                await asyncio.sleep(POLL_S)
            except FeedLost as error:
                log.warning("feed_lost", error=str(error))
                self._phase, whole, state = "rebuilding", False, None
            except Exception:  # the edge of the follower's loop: whatever it is, rebuilding the copy is the cure
                log.exception("projection_failed")
                self._phase, whole, state = "rebuilding", False, None
                await asyncio.sleep(POLL_S)

    async def _take_over(self, state: State) -> bool:
        """Go on from what a file holds, if it is a whole copy of this database and the feed goes on from there."""
        if not state.complete or state.identity != await self._store.identity():
            return False
        reach = Reach(state.point, state.ahead)
        if not await reach.is_known(self._store) or self._phase == "rebuilding":
            return False
        self._follower, self._reach = state.follower, reach
        await self._tell("following")
        return True

    async def _rebuild(self) -> None:
        """Fill an empty table from a snapshot; what changes meanwhile comes over the feed afterwards."""
        self._progress = 0.0
        await self._tell("rebuilding")
        started = time.perf_counter()
        point = await self._store.feed_start()
        await self._store.acknowledge(self._follower, point, now=self._clock())
        await self._write(self._columns.begin, await self._store.identity(), self._follower, point)
        rebuild = Rebuild(
            self._store, self._path, memory_mb=self._memory_mb, threads=self._threads, progress=self._tell_progress
        )
        done = await rebuild.fill_all(self._columns, self._write)
        await self._write(self._columns.complete)
        self._reach = Reach(point).begun(await self._store.feed_head())  # the snapshots are later than the point
        await self._write(partial(self._columns.apply, ahead=self._reach.ahead), (), (), point)
        await self._catch_up()
        self._progress = 1.0
        log.info("projection_rebuilt", interactions=done, seconds=round(time.perf_counter() - started, 2))
        await self._tell("following")

    async def _tell_progress(self, share: float) -> None:
        self._progress = share
        await self._tell("rebuilding")

    async def _follow(self) -> None:
        """Take changes as they come, until a rebuild is asked for."""
        while self._phase == "following":
            self._wake.clear()
            await self._catch_up()
            await self._acknowledge_now_and_then()
            await self._rest()

    async def _rest(self) -> None:
        """Let changes gather; a reader ends the rest at once."""
        if self._behind and self._hurried:
            await asyncio.sleep(SETTLE_S)
            return
        until = time.monotonic() + (PACE_S / 4 if self._taken >= MANY_IDS else PACE_S)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(POLL_S):
                await self._wake.wait()
        while not self._hurried and self._phase == "following" and (left := until - time.monotonic()) > 0:
            self._wake.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(left):
                    await self._wake.wait()

    async def _catch_up(self) -> None:
        """Take all that was committed when this began; what comes meanwhile gathers for the next time."""
        self._taken = 0
        if not await self._reach.is_known(self._store):
            raise FeedLost("the feed isn't the one that was followed")
        head = await self._store.feed_head()
        while self._point.position < head.position:
            changes = await self._store.changes(self._point, APPLY_IDS)
            if changes.upto == self._point:  # what is committed can't be told yet: something before it still may be
                break
            await self._apply(changes)
            self._taken += len(changes.query_ids)
            await self._tell()
        self._behind = self._point.position < head.position
        if not self._behind:
            self._applied_at = self._clock()

    async def _apply(self, changes: Changes) -> None:
        """Take changes in steps that hold little text; only the last one moves the point, so a step may come twice."""
        ids = changes.query_ids
        begun, done = self._reach.begun(changes.upto), self._reach.done(changes.upto)
        self._reach = begun
        conversions = await self._store.conversion_rows(changes.conversion_ids) if changes.conversion_ids else []
        if gone := set(changes.conversion_ids) - {row[0] for row in conversions}:
            apply = partial(self._columns.apply, gone_conversions=list(gone), ahead=begun.ahead)
            await self._write(apply, (), (), begun.point)
        while ids:
            step, ids = ids[: self._step], ids[self._step :]
            rows = await self._store.wide_rows(step)
            size = sum(len(cell) for row in rows for cell in row if isinstance(cell, str)) + 1
            self._step = max(16, min(APPLY_IDS, len(step) * STEP_TEXT // size, 4 * self._step))
            around = await self._store.surroundings(step, sessions_of(rows))
            reach, last = (begun, ()) if ids else (done, conversions)
            apply = partial(self._columns.apply, ahead=reach.ahead)
            self._unsettled.touch(await self._write(apply, step, rows, reach.point, last, around))
        if not changes.query_ids:
            await self._write(partial(self._columns.apply, ahead=done.ahead), (), (), done.point, conversions)
        self._reach = done

    async def _tend(self) -> None:
        """Settle cubes and publish hours beside the feed; what fails is logged and tried again, for nothing is lost."""
        tended: FeedPoint | None = None
        while True:
            try:
                point = self._point
                if self._phase == "following" and (point != tended or self._unsettled.is_any):
                    await self._settle()
                    await self._publish()
                    tended = point
                await self._renewal.renew(self._write, self._aside)
            except Unavailable as error:
                log.warning("tending_waits", error=str(error))
            except Exception:  # the edge of this loop: cubes that stay stale cost time, and never a number
                log.exception("tending_failed")
            await asyncio.sleep(TEND_S)

    async def _settle(self) -> None:
        """Compute the cubes anew that have lain still."""
        generation = self._columns.generation
        self._unsettled.note(*await self._aside(self._columns.stale, generation))
        while (ready := self._unsettled.take()) and self._phase == "following":
            await self._aside(self._columns.settle, generation, ready)

    async def _publish(self) -> None:
        """Write the sums of the hours that changed back to the row database; columns in memory are somebody's guests."""
        while self._path is not None and self._phase == "following":
            generation = self._columns.generation
            publication = await self._aside(self._columns.publication, generation)
            if not publication.hours:
                return
            await self._store.save_hourly(publication.sums)
            await self._aside(self._columns.published, generation, publication)

    async def _aside(self, work: Callable[..., Result], *arguments: Any) -> Result:  # Any: the work's own
        return await asyncio.get_running_loop().run_in_executor(self._tending, work, *arguments)

    async def _acknowledge_now_and_then(self) -> None:
        pause_s = IDLE_ACKNOWLEDGE_S if self._point == self._acknowledged else self._renewal.pause_s(ACKNOWLEDGE_S)
        if time.monotonic() - self._acknowledged_at >= pause_s:
            await self._acknowledge()

    async def _acknowledge(self) -> None:
        await self._store.acknowledge(self._follower, self._point, now=self._clock())
        self._acknowledged, self._acknowledged_at = self._point, time.monotonic()

    async def _tell(self, phase: Phase | None = None) -> None:
        """Tell those that wait that something has moved; a rebuild that is asked for meanwhile keeps its phase."""
        if phase is not None:
            self._phase = phase
        async with self._moved:
            self._moved.notify_all()

    async def _write(self, change: Callable[..., Result], *arguments: Any) -> Result:  # Any: the change's own
        return await asyncio.get_running_loop().run_in_executor(self._writing, change, *arguments)
