"""Group commit: what waits is committed together, then each is answered.

A commit costs a flush of the server's disk and two round trips, however much it holds. So while one transaction is on its
way, requests gather, and the next takes all of them. A few lanes do this side by side, each with a connection of its own.
"""

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import psycopg
from psycopg import AsyncConnection, errors

from aura_analytics.clock import Clock
from aura_analytics.errors import QueueFull, StoreUnavailable
from aura_analytics.events.records import Storable
from aura_analytics.spans import Span, current
from aura_analytics.store.postgres.append import append
from aura_analytics.store.postgres.connection import TOO_LONG, prepare, translated
from aura_analytics.store.tracing import group_commit

# A transaction takes no more once it holds this many events.
GROUP_EVENTS = 4_096
LANES = 2
# A transaction that isn't through by then won't be; the connection is given up with it.
COMMIT_S = 20.0
# A transaction that lost to another one is tried again this often.
TRIES = 4
# A transaction that takes longer is a sign that something is wrong.
SLOW_S = 5.0
# For how long it is told that one has failed; then somebody has to look again.
REMEMBERED_S = 3.0


class Job(msgspec.Struct, frozen=True, eq=False):
    """The events of one call, whoever waits for them, and what they are traced as a part of."""

    events: Sequence[Storable]
    answer: asyncio.Future[list[bool]]
    around: Span | None


class Lane:
    """One connection that writes group after group. A broken one is replaced when the next group comes."""

    def __init__(self, conninfo: str, *, clock: Clock, grace_ms: int) -> None:
        self.began: float | None = None  # when the transaction began that is on its way
        self._conninfo = conninfo
        self._clock = clock
        self._grace_ms = grace_ms
        self._connection: AsyncConnection[Any] | None = None  # Any: a row is a tuple

    async def write(self, events: Sequence[Storable]) -> list[bool]:
        """Store events and commit.

        Raises:
            StoreUnavailable: nothing of it is stored, or it can't be known; the events may come again.
        """
        self.began = time.monotonic()
        try:
            with translated():
                return await self._try(events)
        finally:
            self.began = None

    async def _try(self, events: Sequence[Storable]) -> list[bool]:
        for attempt in range(1, TRIES + 1):
            lay_idle = self._connection is not None
            try:
                return await self._attempt(events)
            except (errors.DeadlockDetected, errors.SerializationFailure):
                if attempt == TRIES:
                    raise
            except psycopg.OperationalError:
                # A connection that lay idle while the server was started anew tells so only when it is used.
                if not lay_idle or self._connection is not None:
                    raise
        raise AssertionError("the last try returns or raises")

    async def _attempt(self, events: Sequence[Storable]) -> list[bool]:
        done = False
        try:
            async with asyncio.timeout(COMMIT_S):
                connection = await self._connected()
                news = await append(connection, events, now=self._clock(), grace_ms=self._grace_ms)
            done = True
        finally:
            if not done:
                await self._recover()
        return news

    async def _connected(self) -> AsyncConnection[Any]:
        if self._connection is None:
            self._connection = await AsyncConnection.connect(self._conninfo, autocommit=True)
            await prepare(self._connection)
        return self._connection

    async def _recover(self) -> None:
        """Leave a transaction that failed; a connection that can't even do that is closed."""
        connection = self._connection
        if connection is None:
            return
        try:
            async with asyncio.timeout(1):
                await connection.rollback()
        except (psycopg.Error, TimeoutError):
            await self.close()
        else:
            if connection.closed:
                await self.close()

    async def close(self) -> None:
        """Let go of the connection."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(psycopg.Error):
                await connection.close()


class Writer:
    """Takes events from any number of tasks and hands them to its lanes in groups."""

    def __init__(self, lanes: Sequence[Lane], *, most_waiting: int, committed: Callable[[], None]) -> None:
        self._lanes = lanes
        self._most_waiting = most_waiting
        self._committed = committed
        self._jobs: deque[Job] = deque()
        self._came = asyncio.Event()
        self._waiting = 0
        self._closed = False
        self._failed: tuple[float, StoreUnavailable] | None = None  # the last time, unless one went well since
        self._tasks = [asyncio.create_task(self._run(lane), name="aura-writer") for lane in lanes]

    def append(self, events: Sequence[Storable]) -> asyncio.Future[list[bool]]:
        """Submit events; the answer comes once they are durable.

        Raises:
            QueueFull: more events wait than may.
            StoreUnavailable: the store is closed.
        """
        if self._closed:
            raise StoreUnavailable("the service is stopping", trouble="stopping")
        if self._waiting and self._waiting + len(events) > self._most_waiting:
            raise QueueFull(f"{self._waiting} events wait for the database; nothing of this request was stored")
        job = Job(events, asyncio.get_running_loop().create_future(), current())
        self._waiting += len(events)
        self._jobs.append(job)
        self._came.set()
        return job.answer

    @property
    def failing(self) -> bool:
        """Whether the last transaction failed, or one did for want of room and nobody has looked since."""
        return self._failed is not None

    def complain(self) -> None:
        """Say what is wrong with writing.

        Raises:
            StoreUnavailable: a transaction has just failed, or takes long.
        """
        now = time.monotonic()
        if any(lane.began is not None and now - lane.began > SLOW_S for lane in self._lanes):
            raise StoreUnavailable(TOO_LONG, trouble="slow")
        if self._failed is not None and now - self._failed[0] < REMEMBERED_S:
            error = self._failed[1]
            raise StoreUnavailable(str(error), trouble=error.trouble)

    def forgive(self) -> None:
        """Forget what went wrong: somebody has seen that it goes again."""
        self._failed = None

    async def stop(self) -> None:
        """Write what was submitted, then close the connections."""
        self._closed = True
        self._came.set()
        await asyncio.gather(*self._tasks)
        for lane in self._lanes:
            await lane.close()

    async def _run(self, lane: Lane) -> None:
        while True:
            await self._came.wait()
            jobs = self._take()
            if jobs:
                await self._write(lane, jobs)
            elif self._closed:
                return
            else:
                self._came.clear()

    def _take(self) -> list[Job]:
        """Take what waits, up to a group."""
        jobs: list[Job] = []
        size = 0
        while self._jobs and size < GROUP_EVENTS:
            jobs.append(self._jobs.popleft())
            size += len(jobs[-1].events)
        return jobs

    async def _write(self, lane: Lane, jobs: list[Job]) -> None:
        """Commit jobs together; where one of them spoils it, each by itself, so that only that one fails."""
        try:
            events = [event for job in jobs for event in job.events]
            with group_commit("postgresql", [job.around for job in jobs], events=len(events)):
                news = await lane.write(events)
        except StoreUnavailable as error:
            self._failed = (time.monotonic(), error)
            self._fail(jobs, error)
        except Exception as error:  # noqa: BLE001 (the edge of the writer's loop: every job gets its outcome, and the loop goes on)
            if len(jobs) == 1:
                self._fail(jobs, error)
                return
            for job in jobs:
                await self._write(lane, [job])
        else:
            # On a disk that is full, what fits into a page that is there still goes well: that says nothing of the rest.
            if self._failed is None or self._failed[1].trouble != "full":
                self.forgive()
            self._answer(jobs, news)

    def _answer(self, jobs: list[Job], news: list[bool]) -> None:
        """Tell the callers. One that went away stays unanswered; its events are stored all the same."""
        start = 0
        for job in jobs:
            self._waiting -= len(job.events)
            if not job.answer.done():
                job.answer.set_result(news[start : start + len(job.events)])
            start += len(job.events)
        self._committed()

    def _fail(self, jobs: list[Job], error: Exception) -> None:
        for job in jobs:
            self._waiting -= len(job.events)
            if not job.answer.done():
                job.answer.set_exception(error)
