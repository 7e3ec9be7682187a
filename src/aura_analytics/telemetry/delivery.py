"""The way of spans to whoever listens: held in memory, sent by a thread, and let go of rather than waited for.

The SDK has such a queue, too; it doesn't count what it lets go of, logs it span by span, and its end may take half a minute.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Mapping

import structlog
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

log = structlog.get_logger()

# So many spans wait at most; further ones are dropped until some are sent.
MOST_WAITING = 4_096
BATCH = 512
# After this time what there is is sent, however little.
EVERY_S = 1.0
# While nothing gets through, that is said this often.
SAY_S = 60.0


class Said(logging.Handler):
    """Keeps the last that the exporter says to the log: it says why only there, and says it often."""

    def __init__(self) -> None:
        super().__init__()
        self.last = ""

    def emit(self, record: logging.LogRecord) -> None:
        """Keep it."""
        self.last = record.getMessage()


class Delivery(SpanProcessor):
    """Takes spans that have ended and sends them.

    Args:
        exporter: sends them; only this thread waits for it.
        host: where to, for the log.
    """

    def __init__(self, exporter: SpanExporter, host: str) -> None:
        self._exporter = exporter
        self._host = host
        self._waiting: deque[ReadableSpan] = deque()
        self._sending = 0
        self._counts = {"sent": 0, "refused": 0, "dropped": 0}
        self._lock = threading.Lock()
        self._woken = threading.Event()
        self._ending = self._given_up = False
        self._said, self._said_at = Said(), -SAY_S
        self._failing = False
        self._lost_before = 0
        self._logger = logging.getLogger(type(exporter).__module__)
        self._logger.addHandler(self._said)
        self._logger.propagate = False
        self._thread = threading.Thread(target=self._run, name="aura-traces", daemon=True)
        self._thread.start()

    def on_end(self, span: ReadableSpan) -> None:
        """Take a span, or let go of it; nobody waits."""
        if span.context is None or not span.context.trace_flags.sampled:
            return
        with self._lock:
            if self._ending or len(self._waiting) >= MOST_WAITING:
                self._counts["dropped"] += 1
                return
            self._waiting.append(span)
            enough = len(self._waiting) >= BATCH
        if enough:
            self._woken.set()

    def counts(self) -> Mapping[str, int]:
        """Count spans by what became of them."""
        with self._lock:
            return dict(self._counts)

    def stop(self, within_s: float) -> None:
        """Send what there is, as far as that goes within a time; count the rest as dropped, and say so."""
        with self._lock:
            self._ending = True
        self._woken.set()
        self._thread.join(within_s)
        with self._lock:
            self._given_up = True
            left = len(self._waiting) + self._sending
            self._waiting.clear()
            self._counts["dropped"] += left
        self._exporter.shutdown()  # ends the pause between two tries
        self._logger.removeHandler(self._said)
        if lost := self._lost():
            log.warning("traces_lost", to=self._host, spans=lost)

    def _run(self) -> None:
        while not self._ending:
            self._woken.wait(EVERY_S)
            self._woken.clear()
            self._send()
        self._send()

    def _send(self) -> None:
        """Send all that waits, batch by batch."""
        while batch := self._taken():
            try:
                refused = self._exporter.export(batch) is not SpanExportResult.SUCCESS
            except Exception:  # the edge of the thread: the batch has its outcome, and the thread goes on
                log.exception("traces_failed", to=self._host)
                refused = True
            with self._lock:
                if self._given_up:  # it was counted already
                    return
                self._sending = 0
                self._counts["refused" if refused else "sent"] += len(batch)
            self._tell(refused=refused)

    def _taken(self) -> list[ReadableSpan]:
        with self._lock:
            batch = [self._waiting.popleft() for _ in range(min(BATCH, len(self._waiting)))]
            self._sending = len(batch)
        return batch

    def _lost(self) -> int:
        with self._lock:
            return self._counts["refused"] + self._counts["dropped"]

    def _tell(self, *, refused: bool) -> None:
        """Say when spans get lost, and when they don't any longer; not for each batch."""
        lost, moment = self._lost(), time.monotonic()
        if lost > self._lost_before and moment - self._said_at >= SAY_S:
            reason = self._said.last if refused else "more is traced than can be sent"
            log.warning("traces_not_sent", to=self._host, reason=reason, spans=lost - self._lost_before)
            self._said_at, self._lost_before = moment, lost
        elif self._failing and not refused:
            log.info("traces_sent_again", to=self._host, lost=lost)
            self._said_at = -SAY_S
        self._failing = refused
