"""The one thread that writes: what waits is committed together, then each is answered.

A commit costs a flush of the disk, however much it holds. So while one transaction is being flushed, requests gather, and
the next transaction takes all of them. A job is answered only after the commit that holds it.
"""

import asyncio
import contextlib
import sqlite3
import threading
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

import msgspec

from aura_analytics.clock import Clock
from aura_analytics.errors import QueueFull, StoreUnavailable
from aura_analytics.events.records import Storable
from aura_analytics.spans import Span, current
from aura_analytics.store.sqlite.append import append
from aura_analytics.store.sqlite.connection import translated
from aura_analytics.store.tracing import group_commit

# A transaction takes no more once it holds this many events: while it is written, those that were answered send the next.
GROUP_EVENTS = 8_192

Result = TypeVar("Result")


def _file_at(path: Path) -> tuple[int, int] | None:
    """Tell which file lies at a path now: what is written to one that was removed is lost."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def touch(connection: sqlite3.Connection) -> None:
    """Write a page as it is: only so is a full disk noticed."""
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    connection.execute(f"PRAGMA user_version = {version}")


class Job(msgspec.Struct, frozen=True, eq=False):
    """One thing to be written: events, or a function of the connection; and what it is traced as a part of.

    Any: the function's own result.
    """

    events: Sequence[Storable]
    change: Callable[[sqlite3.Connection], Any] | None
    answer: asyncio.Future[Any]
    around: Span | None


Answer = tuple[Job, Any, Exception | None]


class Writer(threading.Thread):
    """Writes jobs in group commits. `append`, `change` and the answers live on the event loop, the rest on this thread."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        path: Path,
        *,
        clock: Clock,
        grace_ms: int,
        most_waiting: int,
        committed: Callable[[], None],
    ) -> None:
        super().__init__(name="aura-writer", daemon=True)
        self._connection = connection
        self._path = path
        self._file = _file_at(path)
        self.failing = False
        self._clock = clock
        self._grace_ms = grace_ms
        self._most_waiting = most_waiting
        self._committed = committed
        self._loop = asyncio.get_running_loop()
        self._jobs: SimpleQueue[list[Job] | None] = SimpleQueue()
        self._gathered: list[Job] = []
        self._taken: deque[Job] = deque()
        self._going_on = True
        self._waiting = 0
        self._closed = False

    async def append(self, events: Sequence[Storable]) -> list[bool]:
        """Store events; see `Store.append`."""
        if self._waiting and self._waiting + len(events) > self._most_waiting:
            raise QueueFull(f"{self._waiting} events wait for the disk; nothing of this request was stored")
        news: list[bool] = await self._submit(events, None)
        return news

    async def change(self, change: Callable[[sqlite3.Connection], Result]) -> Result:
        """Run a function inside of the next transaction; it runs again if another job spoiled the first try."""
        result: Result = await self._submit((), change)
        return result

    def is_misplaced(self) -> bool:
        """Whether the file that is written to no longer lies at its path."""
        return _file_at(self._path) != self._file

    async def stop(self) -> None:
        """Write what was submitted, then end the thread and close its connection."""
        if not self._closed:
            self._closed = True
            self._hand_over()
            self._jobs.put(None)
        await asyncio.to_thread(self.join)

    def _submit(
        self, events: Sequence[Storable], change: Callable[[sqlite3.Connection], Any] | None
    ) -> asyncio.Future[Any]:
        if self._closed:
            raise StoreUnavailable("the service is stopping", trouble="stopping")
        job = Job(events, change, self._loop.create_future(), current())
        self._waiting += len(events)
        if not self._gathered:
            self._loop.call_soon(self._hand_over)
        self._gathered.append(job)
        return job.answer

    def _hand_over(self) -> None:
        """Give the thread all that one turn of the event loop brought, at once: one wake-up, and a larger transaction."""
        jobs, self._gathered = self._gathered, []
        self._jobs.put(jobs)

    def _answer(self, answers: list[Answer]) -> None:
        """Tell the callers, on the event loop. One that went away stays unanswered; its events are stored all the same."""
        for job, result, error in answers:
            self._waiting -= len(job.events)
            if job.answer.done():
                continue
            if error is None:
                job.answer.set_result(result)
            else:
                job.answer.set_exception(error)
        self._committed()

    def run(self) -> None:
        """Write until `stop`; then bring the log home into the database, so that the file alone is whole."""
        going_on = True
        while going_on:
            jobs, going_on = self._take()
            if jobs:
                answers = self._write(jobs)
                self._loop.call_soon_threadsafe(self._answer, answers)
        with contextlib.suppress(sqlite3.Error):  # a reader of another process may hold the log; then it stays
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        self._connection.close()

    def _take(self) -> tuple[list[Job], bool]:
        """Wait for a job, then take what waits, up to a group; tell whether to go on."""
        while self._going_on and not self._taken:
            self._fetch(block=True)
        while self._going_on and self._fetch(block=False):
            pass
        jobs: list[Job] = []
        size = 0
        while self._taken and size < GROUP_EVENTS:
            jobs.append(self._taken.popleft())
            size += len(jobs[-1].events)
        return jobs, self._going_on or bool(self._taken)

    def _fetch(self, *, block: bool) -> bool:
        """Move what was handed over to what is taken; tell whether there was anything."""
        try:
            gathered = self._jobs.get(block)
        except Empty:
            return False
        if gathered is None:
            self._going_on = False
        else:
            self._taken.extend(gathered)
        return True

    def _write(self, jobs: list[Job]) -> list[Answer]:
        """Commit jobs together; where one of them spoils it, each by itself, so that only that one fails."""
        try:
            with group_commit("sqlite", [job.around for job in jobs], events=sum(len(job.events) for job in jobs)):
                results = self._commit(jobs)
            self.failing = False
        except StoreUnavailable as error:
            self.failing = True
            return [(job, None, error) for job in jobs]
        except Exception as error:  # noqa: BLE001 (the edge of the writer's loop: every job gets its outcome, and the loop goes on)
            if len(jobs) == 1:
                return [(jobs[0], None, error)]
            return [answer for job in jobs for answer in self._write([job])]
        return [(job, result, None) for job, result in zip(jobs, results, strict=True)]

    def _commit(self, jobs: list[Job]) -> list[Any]:
        if self.is_misplaced():
            raise StoreUnavailable("the database's file was removed or replaced; start the service again")
        with translated():
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                results = self._apply(jobs)
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise
        return results

    def _apply(self, jobs: list[Job]) -> list[Any]:
        """Apply all events as one batch, then the other changes, and hand each job its own part of the result."""
        events = [event for job in jobs for event in job.events]
        news = append(self._connection, events, now=self._clock(), grace_ms=self._grace_ms) if events else []
        results: list[Any] = []
        start = 0
        for job in jobs:
            if job.change is not None:
                results.append(job.change(self._connection))
            else:
                results.append(news[start : start + len(job.events)])
                start += len(job.events)
        return results
