"""The client: takes events from any thread, and sends them from one of its own."""

import atexit
import os
import weakref
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from threading import Lock, Thread, current_thread
from types import TracebackType
from typing import Self, Unpack

from aura_analytics.client.course import Course
from aura_analytics.client.event import Conversion, Kind, Outcome, Query, check, encoded, is_named, new_id
from aura_analytics.client.options import Drop, Options, Totals
from aura_analytics.client.spool import Spool
from aura_analytics.client.stderr import say
from aura_analytics.client.tally import Tally
from aura_analytics.client.waiting import Waiting
from aura_analytics.client.wire import Wire
from aura_analytics.errors import ParameterError

DEFAULTS = Options()

# Fields of the caller's own; they are kept with the record.
Own = Mapping[str, object]


class Client:
    """Sends events in the background. For any number of threads; a fork has one of its own, with nothing in it.

    Close it, use it in a `with`, or leave it to the end of the program: each sends what is left, for at most
    `Options.exit_timeout_s`, and puts the rest into the spool.

    Args:
        url: the service's.
        key: an API key that may ingest.
        secret: `whsec_…`, of a key made with `--signed`.
        spool: a folder for what can't be sent now; what processes left there that have ended is sent as well.
        options: what it keeps to.

    Raises:
        ParameterError: one of them can't be used.
    """

    def __init__(
        self,
        url: str,
        *,
        key: str = "",
        secret: str = "",
        spool: str | Path | None = None,
        options: Options = DEFAULTS,
    ) -> None:
        self._options = options
        self._wire = Wire(url, key=key, secret=secret, attempt_s=options.attempt_s, gzip_from=options.gzip_from_bytes)
        self._spool = Spool(Path(spool), max_bytes=options.max_spool_bytes) if spool is not None else None
        self._begin()
        os.register_at_fork(after_in_child=partial(_call, weakref.WeakMethod(self._forget)))
        atexit.register(self.close)
        if self._spool is not None:
            self._start()  # something may lie there from before

    def _begin(self) -> None:
        self._tally = Tally(self._options.on_drop)
        self._waiting = Waiting(self._options)
        self._course = Course(self._wire, self._spool, self._waiting, self._tally, self._options)
        self._starting = Lock()
        self._thread: Thread | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def track_query(self, *, own: Own | None = None, **fields: Unpack[Query]) -> str:
        """Track an utterance; give its id, which the outcome names. `own`: fields of your own, kept with the record."""
        given = fields.get("query_id")
        query_id = given if given is not None and is_named(given) else new_id()
        self._track("voice_query", {**fields, "query_id": query_id}, own)
        return query_id

    def track_outcome(self, *, own: Own | None = None, **fields: Unpack[Outcome]) -> None:
        """Track what became of a query."""
        self._track("voice_outcome", {**fields}, own)

    def track_conversion(self, *, own: Own | None = None, **fields: Unpack[Conversion]) -> None:
        """Track what was bought. The same order twice is one conversion; without an order each is one of its own."""
        named = is_named(fields.get("order_id")) or is_named(fields.get("conversion_id"))
        self._track("voice_conversion", {**fields, **({} if named else {"conversion_id": new_id()})}, own)

    def flush(self, timeout_s: float = 30.0) -> bool:
        """Send what was tracked before; wait, and tell whether all of it is with the service, in the spool, or given up."""
        if current_thread() is self._thread:
            return False  # `on_drop` asks: the thread can't wait for itself
        self._revive()
        return self._waiting.settled(timeout_s)

    def close(self, timeout_s: float | None = None) -> None:
        """Send what is left, for so long; what isn't sent by then goes into the spool, or is given up. Again: nothing."""
        waiting = self._waiting
        if waiting.over:
            return
        atexit.unregister(self.close)
        waiting.close()
        self._revive()
        waited_for = self._thread if self._thread is not current_thread() else None  # itself, where `on_drop` closes
        if waited_for is not None and waited_for.is_alive():
            waiting.settled(self._options.exit_timeout_s if timeout_s is None else timeout_s)
        self._course.keep_rest(waiting.seize())
        if waited_for is not None:
            waited_for.join(0.1)  # it may be in the middle of a request, which nobody needs any more
        if self._spool is not None:
            self._spool.close()

    @property
    def totals(self) -> Totals:
        """What became of the events so far."""
        return self._tally.totals

    def _track(self, kind: Kind, fields: Mapping[str, object], own: Own | None) -> None:
        self._tally.add(tracked=1)
        try:
            line = encoded(kind, fields, self._options.max_event_bytes, own)
            if self._options.debug:
                check(line)
        except ParameterError as error:
            self._tally.drop(Drop(reason="invalid", events=1, detail=str(error)))
            if self._options.debug:
                raise
            return
        if not self._waiting.put(line):
            detail = "the client is closed" if self._waiting.over else "too much waits already"
            self._tally.drop(Drop(reason="memory", events=1, detail=detail))
        elif not self._is_sending():
            self._start()

    def _is_sending(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    def _revive(self) -> None:
        """Have somebody send what is here, should the thread have come to an end, or never have begun."""
        if not (self._waiting.is_empty() or self._is_sending()):
            self._start()

    def _start(self) -> None:
        if not self._starting.acquire(blocking=False):
            return  # somebody is at it: another thread, or what this signal's handler has interrupted
        try:
            if not self._is_sending():
                arguments = (self._waiting, self._course, self._wire)
                thread = Thread(target=_run, args=arguments, name="aura-analytics", daemon=True)
                thread.start()
                self._thread = thread
        except (RuntimeError, MemoryError) as error:  # such as at the interpreter's end; close() keeps what waits
            say(f"no thread can be started: {error}")
        finally:
            self._starting.release()

    def _forget(self) -> None:
        """Begin anew in a fork: what is here is the parent's, who sends it."""
        self._wire.forget()
        if self._spool is not None:
            self._spool.forget()
        self._course.release()
        closed = self._waiting.over
        self._begin()
        if closed:  # and stays so: nothing at this process's end would send what it took
            self._waiting.seize()


def _run(waiting: Waiting, course: Course, wire: Wire) -> None:
    """Send until the end; first what a thread has left that is no more."""
    course.release()
    waiting.resume()
    while not waiting.over:
        batch = waiting.next(course.due_at())
        try:
            if batch:
                course.send(batch)
            elif waiting.closing:
                break
            else:
                course.drain()
        except BaseException as error:  # noqa: BLE001  # the thread's edge: whatever it was, `on_drop`'s exit too, it goes on
            course.fail(batch, error)
    course.release()
    wire.close()


def _call(method: "weakref.WeakMethod[Callable[[], None]]") -> None:
    if (there := method()) is not None:
        there()
