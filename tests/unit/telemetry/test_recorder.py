"""Spans as OpenTelemetry's SDK records them, told to a real listener."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry import trace
from opentelemetry.semconv._incubating.attributes import db_attributes, gen_ai_attributes
from opentelemetry.semconv.attributes import error_attributes, http_attributes, url_attributes

import aura_analytics
from aura_analytics.evaluation.tracing import PROVIDERS
from aura_analytics.settings import Settings
from aura_analytics.telemetry.recorder import Recorder, sampler_of
from collector import Collector

TRACE, CALLER = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
PATIENCE_S = 20.0
NOWHERE = "http://127.0.0.1:9"
PACKAGE = Path(aura_analytics.__file__).parent
SOURCES = ("api/tracing.py", "evaluation/tracing.py", "store/tracing.py", "telemetry/recorder.py")


def recorder(endpoint: str, **settings: object) -> Recorder:
    return Recorder(Settings(otel_exporter_otlp_endpoint=endpoint, **settings), "tests")  # type: ignore[arg-type]


def header(flags: str) -> list[tuple[bytes, bytes]]:
    return [(b"host", b"h"), (b"traceparent", f"00-{TRACE}-{CALLER}-{flags}".encode())]


def test_a_span_is_told_with_all_that_belongs_to_it() -> None:
    with Collector() as collector:
        traces = recorder(f"{collector.endpoint}/")
        around = traces.begin("all", "server", {"n": 1}, headers=header("01"), start_ns=5)
        other = traces.begin("other", "internal", {})
        part = around.child("part", "client", {}, [other])
        other.link(part)
        part.note({"text": "x" * 1_000})
        part.end("timeout")
        part.note({"late": True})
        part.end()
        around.end()
        other.end()
        traces.stop(PATIENCE_S)
        [told] = collector.named("all")
        assert (told.trace_id, told.parent_id, told.kind, told.attributes) == (TRACE, CALLER, "server", {"n": 1})
        assert told.nanoseconds > 10**18  # since 1970
        [piece] = collector.named("part")
        assert (piece.parent_id, piece.links, piece.failed) == (told.span_id, [other.span_id], True)
        assert piece.attributes == {"text": "x" * 256, "error.type": "timeout"}
        assert collector.named("other")[0].links == [piece.span_id]
        assert traces.counts() == {"sent": 3, "refused": 0, "dropped": 0}


def test_nothing_is_global() -> None:
    before = trace.get_tracer_provider()
    traces = recorder(NOWHERE)
    assert trace.get_tracer_provider() is before
    traces.stop(0)


@pytest.mark.parametrize(
    ("sampler", "share", "of_none", "of_a_caller_who_traces", "of_one_who_doesn_t"),
    [
        ("parentbased_always_on", 0.0, True, True, False),
        ("parentbased_always_off", 1.0, False, True, False),
        ("parentbased_traceidratio", 0.0, False, True, False),
        ("parentbased_traceidratio", 1.0, True, True, False),
        ("always_on", 0.0, True, True, True),
        ("always_off", 1.0, False, False, False),
        ("traceidratio", 0.0, False, False, False),
        ("traceidratio", 1.0, True, True, True),
    ],
)
def test_what_is_traced_is_as_the_settings_have_it(
    sampler: str, share: float, *, of_none: bool, of_a_caller_who_traces: bool, of_one_who_doesn_t: bool
) -> None:
    traces = recorder(NOWHERE, otel_traces_sampler=sampler, otel_traces_sampler_arg=share)
    found = [traces.begin("all", "server", {}, headers=headers) for headers in ((), header("01"), header("00"))]
    assert [one.is_recorded for one in found] == [of_none, of_a_caller_who_traces, of_one_who_doesn_t]
    assert [one.child("part", "client", {}).is_recorded for one in found] == [one.is_recorded for one in found]
    assert found[1].trace_id == TRACE
    traces.stop(0)
    assert sampler_of(Settings(otel_traces_sampler=sampler))  # type: ignore[arg-type] # one of them


@pytest.fixture(scope="module")
def traces() -> Iterator[Recorder]:
    """One that tells nobody."""
    made = recorder(NOWHERE)
    yield made
    made.stop(0)


@given(st.binary(max_size=80), st.binary(max_size=80))
def test_a_header_that_is_none_begins_a_trace_of_its_own(traces: Recorder, parent: bytes, state: bytes) -> None:
    span = traces.begin("all", "server", {}, headers=[(b"traceparent", parent), (b"tracestate", state)])
    assert span.trace_id != "0" * 32
    assert span.is_recorded


def test_names_are_ours_or_the_conventions_own() -> None:
    known = {
        value
        for module in (http_attributes, url_attributes, error_attributes, db_attributes, gen_ai_attributes)
        for name, value in vars(module).items()
        if name.isupper()
    }
    used = {
        name
        for file in SOURCES
        for name in re.findall(r'"((?:[a-z_]+\.)+[a-z_]+)"', (PACKAGE / file).read_text("utf-8"))
    }
    assert {name for name in used if not name.startswith(("aura.", "service.", "gcp.", "aws.", "azure."))} <= known
    assert len(used & known) == 13
    assert set(PROVIDERS.values()) <= {one.value for one in gen_ai_attributes.GenAiProviderNameValues}
