"""The way of spans: what waits, what is let go of, what is counted."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from structlog.testing import capture_logs

from aura_analytics.telemetry.delivery import BATCH, MOST_WAITING, Delivery

PATIENCE_S = 20.0


class Gate(SpanExporter):
    """Takes spans when it is open, as a test says."""

    def __init__(self) -> None:
        self.took: list[int] = []
        self.may = threading.Event()
        self.came = threading.Event()
        self.answer: Callable[[], SpanExportResult] = lambda: SpanExportResult.SUCCESS

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self.came.set()
        self.may.wait()
        self.took.append(len(spans))
        return self.answer()

    def shutdown(self) -> None:
        self.may.set()


class Way:
    """A delivery, what it leads to, and spans to put in."""

    def __init__(self) -> None:
        self.gate = Gate()
        self.delivery = Delivery(self.gate, "listener")
        provider = TracerProvider(shutdown_on_exit=False)
        provider.add_span_processor(self.delivery)
        self._tracer = provider.get_tracer("tests")

    def put(self, many: int) -> None:
        for _ in range(many):
            self._tracer.start_span("work").end()

    def until(self, outcome: str, many: int) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while self.delivery.counts()[outcome] < many:
            assert time.monotonic() < deadline, self.delivery.counts()
            time.sleep(0.01)


@pytest.fixture
def way() -> Iterator[Way]:
    made = Way()
    yield made
    made.gate.may.set()
    made.delivery.stop(PATIENCE_S)


def test_what_is_put_in_is_sent_in_batches(way: Way) -> None:
    way.gate.may.set()
    way.put(BATCH + 1)
    way.until("sent", BATCH + 1)
    assert max(way.gate.took) <= BATCH
    assert way.delivery.counts() == {"sent": BATCH + 1, "refused": 0, "dropped": 0}


def test_what_doesn_t_get_through_makes_nobody_wait_and_is_bounded_and_counted(way: Way) -> None:
    way.put(BATCH)
    assert way.gate.came.wait(PATIENCE_S)  # one batch is on its way
    way.put(MOST_WAITING + 7)
    assert way.delivery.counts() == {"sent": 0, "refused": 0, "dropped": 7}
    way.gate.may.set()
    way.until("sent", BATCH + MOST_WAITING)
    way.put(1)
    way.until("sent", BATCH + MOST_WAITING + 1)


def test_spans_of_several_threads_are_all_counted(way: Way) -> None:
    way.gate.may.set()
    threads = [threading.Thread(target=way.put, args=(200,)) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    way.until("sent", 1_000)
    assert way.delivery.counts() == {"sent": 1_000, "refused": 0, "dropped": 0}


def test_whatever_the_exporter_does_the_thread_goes_on(way: Way) -> None:
    def stumble() -> SpanExportResult:
        raise RuntimeError("of the library")

    way.gate.answer = stumble
    way.gate.may.set()
    with capture_logs() as logged:
        way.put(1)
        way.until("refused", 1)
        way.gate.answer = lambda: SpanExportResult.SUCCESS
        way.put(1)
        way.until("sent", 1)
    assert [line["event"] for line in logged][:2] == ["traces_failed", "traces_not_sent"]


def test_the_end_sends_what_there_is(way: Way) -> None:
    way.gate.may.set()
    way.put(3)
    with capture_logs() as logged:
        way.delivery.stop(PATIENCE_S)
    assert way.delivery.counts() == {"sent": 3, "refused": 0, "dropped": 0}
    assert logged == []
    way.put(1)  # nobody is told any more
    assert way.delivery.counts() == {"sent": 3, "refused": 0, "dropped": 1}


def test_the_end_doesn_t_wait_for_who_says_nothing_and_counts_what_is_lost() -> None:
    way = Way()
    way.put(BATCH + 2)
    assert way.gate.came.wait(PATIENCE_S)
    with capture_logs() as logged:
        way.delivery.stop(0.01)
    assert way.delivery.counts() == {"sent": 0, "refused": 0, "dropped": BATCH + 2}
    assert [(line["event"], line["spans"]) for line in logged] == [("traces_lost", BATCH + 2)]
    way.delivery._thread.join(PATIENCE_S)
    assert way.delivery.counts() == {"sent": 0, "refused": 0, "dropped": BATCH + 2}
