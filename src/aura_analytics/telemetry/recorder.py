"""Spans, recorded by OpenTelemetry's SDK. Nothing of it is global: who is to trace is handed this."""

import contextlib
from collections.abc import Mapping, Sequence
from urllib.parse import urlsplit
from uuid import uuid4

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanLimits, TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON, ParentBased, Sampler, TraceIdRatioBased
from opentelemetry.trace import Link, SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from aura_analytics.settings import Settings
from aura_analytics.spans import MOST_LINKS, Attributes, Headers, Kind, Span
from aura_analytics.telemetry.delivery import Delivery
from aura_analytics.telemetry.endpoint import headers_of, traces_url
from aura_analytics.version import __version__

# One request to the endpoint, with what is tried again of it.
EXPORT_S = 5.0
# Of what a caller chooses, such as a correlation id, no more than this goes into a span.
MOST_ATTRIBUTES, LONGEST = 32, 256
KINDS: dict[Kind, SpanKind] = {
    "server": SpanKind.SERVER,
    "client": SpanKind.CLIENT,
    "internal": SpanKind.INTERNAL,
}
TRACE_HEADERS = frozenset({b"traceparent", b"tracestate"})
W3C = TraceContextTextMapPropagator()


class Recorded:
    """A span of OpenTelemetry's; implements `Span`."""

    __slots__ = ("_span", "_tracer", "context", "has_ended")

    def __init__(self, span: trace.Span, tracer: trace.Tracer) -> None:
        self._span = span
        self._tracer = tracer
        self.context = span.get_span_context()
        self.has_ended = False

    @property
    def trace_id(self) -> str:
        """Of the trace."""
        return f"{self.context.trace_id:032x}"

    @property
    def span_id(self) -> str:
        """Its own."""
        return f"{self.context.span_id:016x}"

    @property
    def traceparent(self) -> str:
        """Both, and whether they are recorded."""
        return f"00-{self.trace_id}-{self.span_id}-{self.context.trace_flags:02x}"

    @property
    def is_recorded(self) -> bool:
        """Whether it is going to be told."""
        return self.context.trace_flags.sampled

    def child(self, name: str, kind: Kind, attributes: Attributes, linked: Sequence[Span] = ()) -> "Recorded":
        """Begin a part of it."""
        links = [Link(one.context) for one in linked if isinstance(one, Recorded)]
        around = trace.set_span_in_context(self._span, Context())
        begun = self._tracer.start_span(name, around, KINDS[kind], attributes, links)
        return Recorded(begun, self._tracer)

    def link(self, other: Span) -> None:
        """Link it with another one."""
        if not self.has_ended and isinstance(other, Recorded):
            self._span.add_link(other.context)

    def note(self, attributes: Attributes) -> None:
        """Add what is known of it by now."""
        if not self.has_ended:
            self._span.set_attributes(attributes)

    def end(self, error: str | None = None) -> None:
        """End it, once."""
        if self.has_ended:
            return
        if error is not None:
            self._span.set_attribute("error.type", error)
            self._span.set_status(Status(StatusCode.ERROR))
        self._span.end()
        self.has_ended = True


class Recorder:
    """Records spans and has them sent; implements `Traces`.

    Args:
        settings: where to, what is sent along, and how much is traced.
        part: which part of the service this process is.
    """

    def __init__(self, settings: Settings, part: str) -> None:
        endpoint = settings.otel_exporter_otlp_endpoint
        headers = headers_of(settings.otel_exporter_otlp_headers)
        exporter = OTLPSpanExporter(endpoint=traces_url(endpoint), headers=headers, timeout=EXPORT_S)
        self._delivery = Delivery(exporter, urlsplit(endpoint).hostname or "")
        resource = Resource.create(
            {
                "service.name": settings.otel_service_name,
                "service.version": __version__,
                "service.instance.id": str(uuid4()),
                "aura.part": part,
            }
        )
        limits = SpanLimits(max_span_attributes=MOST_ATTRIBUTES, max_attribute_length=LONGEST, max_links=MOST_LINKS)
        self._provider = TracerProvider(sampler_of(settings), resource, shutdown_on_exit=False, span_limits=limits)
        self._provider.add_span_processor(self._delivery)
        self._tracer = self._provider.get_tracer("aura_analytics", __version__)

    def begin(
        self, name: str, kind: Kind, attributes: Attributes, *, headers: Headers = (), start_ns: int | None = None
    ) -> Recorded:
        """Begin what is part of nothing else here."""
        around = _taken_in(headers) if headers else Context()
        span = self._tracer.start_span(name, around, KINDS[kind], attributes, start_time=start_ns)
        return Recorded(span, self._tracer)

    def counts(self) -> Mapping[str, int]:
        """Count spans by what became of them."""
        return self._delivery.counts()

    def stop(self, within_s: float) -> None:
        """Send what there is, and let go of the rest."""
        self._delivery.stop(within_s)


def _taken_in(headers: Headers) -> Context:
    """Give the trace that a caller has handed on; what can't be read is none."""
    carried = {name.decode("latin-1"): value.decode("latin-1") for name, value in headers if name in TRACE_HEADERS}
    if not carried:
        return Context()
    with contextlib.suppress(ValueError):
        return W3C.extract(carried, Context())
    return Context()


def sampler_of(settings: Settings) -> Sampler:
    """Give what settles whether something is recorded."""
    named, share = settings.otel_traces_sampler, settings.otel_traces_sampler_arg
    roots = {"always_on": ALWAYS_ON, "always_off": ALWAYS_OFF, "traceidratio": TraceIdRatioBased(share)}
    root = roots[named.removeprefix("parentbased_")]
    return ParentBased(root) if named.startswith("parentbased_") else root
