"""Events in memory: those that wait for their batch, and the batch that is on its way."""

import time
from collections import deque
from threading import Condition, RLock

from aura_analytics.client.options import Options

Batch = list[bytes]


class Waiting:
    """A queue for many threads that track, and one that sends.

    `settling` is held by whoever decides what becomes of the batch on its way. It is another lock than the one that
    tracking needs, since whoever holds it may wait for the disk.
    """

    def __init__(self, options: Options) -> None:
        self._options = options
        self._changed = Condition()  # a signal's handler may track while its thread is in here
        self._lines: deque[tuple[bytes, float]] = deque()
        self._bytes = 0
        self._flying: Batch = []
        self._flying_bytes = 0
        self._landing = False
        self._hurries = 0
        self.settling = RLock()  # a signal's handler may close what its thread is closing
        self.closing = False
        self.over = False

    def put(self, line: bytes) -> bool:
        """Take an event; tell whether there was room."""
        with self._changed:
            if self.over or self._bytes + self._flying_bytes + len(line) > self._options.max_bytes:
                return False
            self._lines.append((line, time.monotonic()))
            self._bytes += len(line)
            if len(self._lines) == 1 or self._is_full():
                self._changed.notify_all()
            return True

    def next(self, until: float | None) -> Batch:
        """Wait for a batch that is due, at most until a moment (monotonic), or to the end; it is on its way then."""
        with self._changed:
            while not (self.over or self._is_due()):
                moments = [moment for moment in (until, self._due_at()) if moment is not None]
                if self.closing and not self._lines:
                    return []
                if until is not None and time.monotonic() >= until:
                    return []
                self._changed.wait(max(0.0, min(moments) - time.monotonic()) if moments else None)
            return [] if self.over else self._cut()

    def pause(self, seconds: float, *, while_closing: float) -> bool:
        """Wait; shorter at the end. Tells whether the batch on its way is still one's own."""
        until = time.monotonic() + seconds
        shorter = time.monotonic() + min(seconds, while_closing)
        with self._changed:
            while not self.over:
                left = (shorter if self.closing else until) - time.monotonic()
                if left <= 0:
                    return True
                self._changed.wait(left)
            return False

    def is_flying(self, batch: Batch) -> bool:
        """Whether a batch is still on its way, and nobody else has taken it over. Ask while `settling` is held."""
        return self._flying is batch

    def ended(self) -> None:
        """What becomes of the batch on its way is decided: nobody takes it over any more. Say so while `settling` is held."""
        with self._changed:
            self._flying, self._flying_bytes, self._landing = [], 0, True

    def landed(self) -> None:
        """Who had to know of it was told: who waits for the batch may go on."""
        with self._changed:
            self._flying, self._flying_bytes, self._landing = [], 0, False
            self._changed.notify_all()

    def resume(self) -> None:
        """Take back what was on its way with a thread that is no more."""
        with self.settling, self._changed:
            moment = time.monotonic()
            self._lines.extendleft((line, moment) for line in reversed(self._flying))
            self._bytes += self._flying_bytes
            self._flying, self._flying_bytes, self._landing = [], 0, False

    def is_empty(self) -> bool:
        """Whether nothing waits, and nothing is on its way."""
        return not (self._lines or self._flying or self._landing)

    def settled(self, timeout_s: float) -> bool:
        """Send all that is here now, whatever its age; wait for it, and tell whether it came to its end."""
        with self._changed:
            self._hurries += 1
            self._changed.notify_all()
            try:
                return self._changed.wait_for(self.is_empty, timeout_s)
            finally:
                self._hurries -= 1

    def close(self) -> None:
        """No pauses from now on."""
        with self._changed:
            self.closing = True
            self._changed.notify_all()

    def seize(self) -> Batch:
        """End it, and take all that is here, what is on its way too."""
        with self.settling, self._changed:
            self.over = True
            rest = [*self._flying, *(line for line, _ in self._lines)]
            self._lines.clear()
            self._flying, self._flying_bytes, self._bytes = [], 0, 0
            self._changed.notify_all()
            return rest

    def _is_full(self) -> bool:
        return len(self._lines) >= self._options.batch_events or self._bytes >= self._options.batch_bytes

    def _is_due(self) -> bool:
        due_at = self._due_at()
        return due_at is not None and (
            bool(self._hurries) or self.closing or self._is_full() or due_at <= time.monotonic()
        )

    def _due_at(self) -> float | None:
        return self._lines[0][1] + self._options.batch_age_s if self._lines else None

    def _cut(self) -> Batch:
        batch: Batch = []
        size = 0
        while self._lines and len(batch) < self._options.batch_events:
            line, _ = self._lines[0]
            if batch and size + len(line) > self._options.batch_bytes:
                break
            self._lines.popleft()
            batch.append(line)
            size += len(line)
        self._bytes -= size
        self._flying, self._flying_bytes = batch, size
        return batch
