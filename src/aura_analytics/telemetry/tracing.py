"""Traces from the begin of a process to its end, where the settings name somebody who listens."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Protocol

from aura_analytics.errors import SettingsError
from aura_analytics.logs import processed_by
from aura_analytics.settings import Settings
from aura_analytics.spans import Tracer, name_trace

# What has been traced by the end is still told within this time; what isn't by then is lost, and counted.
FLUSH_S = 3.0


class Counting(Protocol):
    """What becomes of spans."""

    def counts(self) -> Mapping[str, int]:
        """Count them since the start by what became of them: `sent`, `refused`, `dropped`."""


class Traces(Tracer, Counting, Protocol):
    """Begins spans, and counts what becomes of them."""


@asynccontextmanager
async def traced(settings: Settings, part: str) -> AsyncIterator[Traces | None]:
    """Trace until the end of the block, if the settings say where to; else there is nothing.

    Args:
        settings: the endpoint, what is sent along, and how much is traced.
        part: which part of the service this process is.

    Raises:
        SettingsError: OpenTelemetry isn't installed.
    """
    if not settings.otel_exporter_otlp_endpoint:
        yield None
        return
    check_installed(settings)
    from aura_analytics.telemetry.recorder import Recorder  # noqa: PLC0415 (an optional part)

    recorder = await asyncio.to_thread(Recorder, settings, part)
    with processed_by(name_trace):
        try:
            yield recorder
        finally:
            await asyncio.to_thread(recorder.stop, FLUSH_S)


def check_installed(settings: Settings) -> None:
    """See that what is asked for can be done.

    Raises:
        SettingsError: OpenTelemetry isn't installed.
    """
    if not settings.otel_exporter_otlp_endpoint:
        return
    try:
        import opentelemetry.exporter.otlp.proto.http  # noqa: PLC0415 (an optional part)
        import opentelemetry.sdk.trace  # noqa: F401, PLC0415 (the same)
    except ModuleNotFoundError as error:
        raise SettingsError(
            "OTEL_EXPORTER_OTLP_ENDPOINT needs an optional part: pip install 'aura-analytics[otel]'"
        ) from error
