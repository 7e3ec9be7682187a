"""Traces from begin to end of a process: none where nobody listens, and a line where a part is missing."""

import sys

import pytest
import structlog
from structlog.testing import capture_logs

from aura_analytics.errors import SettingsError
from aura_analytics.settings import Settings
from aura_analytics.spans import name_trace, surrounded_by
from aura_analytics.telemetry.endpoint import headers_of, traces_url
from aura_analytics.telemetry.tracing import check_installed, traced
from collector import Collector


async def test_without_a_listener_there_is_nothing() -> None:
    before = list(structlog.get_config()["processors"])
    async with traced(Settings(), "tests") as traces:
        assert traces is None
        assert structlog.get_config()["processors"] == before


async def test_what_was_traced_is_told_by_the_end_and_lines_name_their_trace_meanwhile() -> None:
    before = list(structlog.get_config()["processors"])
    with Collector() as collector:
        async with traced(Settings(otel_exporter_otlp_endpoint=collector.endpoint), "tests") as traces:
            assert traces is not None
            with surrounded_by(traces.begin("work", "internal", {})) as span, capture_logs([name_trace]) as logged:
                structlog.get_logger().info("line")
            assert structlog.get_config()["processors"] == [name_trace, *before]
        assert [one.span_id for one in collector.named("work")] == [span.span_id]
    assert logged[0]["span_id"] == span.span_id
    assert structlog.get_config()["processors"] == before


async def test_a_missing_part_is_said_in_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)
    check_installed(Settings())
    with pytest.raises(SettingsError, match=r"aura-analytics\[otel\]"):
        async with traced(Settings(otel_exporter_otlp_endpoint="http://127.0.0.1:9"), "tests"):
            pass


def test_the_endpoint_is_that_of_all_signals() -> None:
    assert traces_url("http://h:4318/") == traces_url("http://h:4318") == "http://h:4318/v1/traces"
    assert traces_url("https://h/prefix") == "https://h/prefix/v1/traces"


def test_headers_are_read_as_the_specification_writes_them() -> None:
    assert headers_of("Api-Key=a%3Db%2Cc, x = y=z,") == {"api-key": "a=b,c", "x": "y=z"}
    assert headers_of("") == {}
