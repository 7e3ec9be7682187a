"""What becomes of a batch: sent, tried again, kept in the spool, or given up. Runs in the thread that sends."""

import random
import time
from collections.abc import Callable, Generator, Iterable, Sequence
from functools import partial

from aura_analytics.client.options import Drop, Options, Reason
from aura_analytics.client.segment import Segment
from aura_analytics.client.spool import Spool, SpoolFull
from aura_analytics.client.stderr import described
from aura_analytics.client.tally import Tally
from aura_analytics.client.waiting import Batch, Waiting
from aura_analytics.client.wire import Answer, Message, Wire

# How often the spool's folder is looked into for what processes left that have ended since.
LOOK_S = 60.0
# Whatever Retry-After says, after this it is worth a try.
LONGEST_WAIT_S = 3_600.0
PAUSE_WHILE_CLOSING_S = 0.1
# What ends a batch.
DONE = frozenset({"taken", "wrong"})


class Course:
    """Brings batches to their end.

    Args:
        wire: posts.
        spool: keeps, if there is one.
        waiting: where batches come from.
        tally: counts.
        options: what it keeps to.
    """

    def __init__(self, wire: Wire, spool: Spool | None, waiting: Waiting, tally: Tally, options: Options) -> None:
        self._wire = wire
        self._spool = spool
        self._waiting = waiting
        self._tally = tally
        self._options = options
        self._failures = 0
        self._away_until = 0.0
        self._look_at = 0.0
        self._drain_at = 0.0
        self._segment: Segment | None = None
        self._batches: Generator[Batch] | None = None
        self._unsent: Batch | None = None

    def due_at(self) -> float | None:
        """When the spool is to be looked after (monotonic)."""
        if self._spool is None:
            return None
        return max(self._away_until, self._drain_at, 0.0 if self._segment else self._look_at)

    def send(self, batch: Batch) -> None:
        """Bring a batch to its end."""
        if self._spool is not None and time.monotonic() < self._away_until:
            self._settle(batch, partial(self._keep, self._spool, batch))
            return
        message, begun = Message(), time.monotonic()
        while True:
            answer = self._deliver(batch, message)
            if answer.kind in DONE:
                self._failures = 0
                self._settle(batch, partial(self._count, batch, answer))
                return
            pause = self._note_away(answer)
            if self._spool is not None:
                self._settle(batch, partial(self._keep, self._spool, batch))
                return
            if answer.kind == "refused":
                self._settle(batch, partial(self._counted, "refused", len(batch), answer.detail))
                return
            if time.monotonic() + pause - begun > self._options.retry_for_s:
                self._settle(batch, partial(self._counted, "undelivered", len(batch), answer.detail))
                return
            if not self._waiting.pause(pause, while_closing=PAUSE_WHILE_CLOSING_S):
                return  # somebody else has taken it over

    def fail(self, batch: Batch, error: BaseException) -> None:
        """End a batch that failed in a way that nobody thought of; without one, it was the spool that failed.

        A spool's file that failed is left alone for a while. What is tracked meanwhile goes to the service all the same.
        """
        until = time.monotonic() + self._options.longest_pause_s
        if batch and self._spool is not None:
            if self._settle(batch, partial(self._keep, self._spool, batch)):
                self._away_until = until
        elif batch:
            self._settle(batch, partial(self._counted, "undelivered", len(batch), described(error)))
        elif self._spool is not None and self._segment is not None:
            self._spool.pass_over(self._segment.path, error)
            self._tell_of(self._spool)
        else:
            self._tell(
                self._counted("spool", 0, f"the spool can't be read, and is tried again later: {described(error)}")
            )
        self.release()
        self._drain_at = until

    def drain(self) -> None:
        """Send one batch of the spool, if there is one and the service is there."""
        if self._spool is None or time.monotonic() < (self.due_at() or 0.0):
            return
        batch = self._unsent or self._next_spooled(self._spool)
        if batch is None:
            return
        answer = self._deliver(batch, Message())
        if answer.kind in DONE:
            self._failures = 0
            self._unsent = None
            self._tell(self._count(batch, answer))
        else:
            self._unsent = batch
            self._note_away(answer)

    def keep_rest(self, rest: Batch) -> None:
        """At the end: keep what is left, or give it up."""
        if not rest:
            return
        if self._spool is not None:
            self._tell(self._keep(self._spool, rest))
        else:
            self._tell(self._counted("undelivered", len(rest), "the program ended"))

    def release(self) -> None:
        """Leave the rest of a file to whoever comes; in a fork, to the parent."""
        segment, self._segment = self._segment, None
        self._batches = self._unsent = None  # those of the file come again; it has the file open, too
        if segment is not None:
            segment.release()

    def _next_spooled(self, spool: Spool) -> Batch | None:
        if self._segment is None:
            self._segment = spool.claim()
            self._tell_of(spool)
            if self._segment is None:
                self._look_at = time.monotonic() + LOOK_S
                return None
            self._batches = self._cut(self._segment.events())
        batch = next(self._batches, None) if self._batches else None
        if batch is None:
            if self._segment.damaged:
                detail = f"lines of {self._segment.path} are damaged"
                self._tell(self._counted("spool", self._segment.damaged, detail))
            self._segment.remove()
            self._segment = None
        return batch

    def _cut(self, lines: Iterable[bytes]) -> Generator[Batch]:
        batch: Batch = []
        size = 0
        for line in lines:
            if batch and (len(batch) >= self._options.batch_events or size + len(line) > self._options.batch_bytes):
                yield batch
                batch, size = [], 0
            batch.append(line)
            size += len(line)
        if batch:
            yield batch

    def _deliver(self, batch: Sequence[bytes], message: Message) -> Answer:
        """Post a batch; in halves where it is too large."""
        answer = self._wire.post(batch, message)
        if answer.kind != "large":
            return answer
        if len(batch) == 1:
            return Answer(kind="wrong", rejected=1, detail=answer.detail)
        half, rejected, detail = len(batch) // 2, 0, ""
        for part in (batch[:half], batch[half:]):
            answer = self._deliver(part, Message())
            if answer.kind not in DONE:
                return answer  # the whole goes again: what was taken of it is known there by its ids
            rejected += answer.rejected
            detail = answer.detail if answer.rejected else detail
        return Answer(kind="taken", rejected=rejected, detail=detail)

    def _note_away(self, answer: Answer) -> float:
        """Say for how long nobody is to be asked; it doubles, and half of it is chance."""
        pause = min(self._options.longest_pause_s, self._options.first_pause_s * 2.0 ** min(self._failures, 30))
        pause = max(pause * random.uniform(0.5, 1), min(answer.after_s, LONGEST_WAIT_S))  # noqa: S311  # no secret
        self._failures += 1
        self._away_until = time.monotonic() + pause
        return pause

    def _settle(self, batch: Batch, end: Callable[[], Drop | None]) -> bool:
        """Bring a batch to its end, and tell whether it hadn't come to it, nor had somebody else taken it over.

        Who is told of it may take his time, or close the client: so nothing is held while he is told.
        """
        with self._waiting.settling:
            if not self._waiting.is_flying(batch):
                return False
            drop = end()
            self._waiting.ended()
        try:
            self._tell(drop)
        finally:
            self._waiting.landed()
        return True

    def _count(self, batch: Batch, answer: Answer) -> Drop | None:
        self._tally.add(delivered=len(batch) - answer.rejected)
        return self._counted("rejected", answer.rejected, answer.detail) if answer.rejected else None

    def _keep(self, spool: Spool, batch: Batch) -> Drop | None:
        try:
            spool.append(batch)
        except SpoolFull as error:
            return self._counted("spool", len(batch), str(error))
        self._tally.add(spooled=len(batch))
        self._look_at = 0.0
        return None

    def _counted(self, reason: Reason, events: int, detail: str) -> Drop:
        self._tally.add(dropped=events)
        return Drop(reason=reason, events=events, detail=detail)

    def _tell(self, drop: Drop | None) -> None:
        if drop is not None:
            self._tally.tell(drop)

    def _tell_of(self, spool: Spool) -> None:
        for detail in spool.complaints():
            self._tell(self._counted("spool", 0, detail))
