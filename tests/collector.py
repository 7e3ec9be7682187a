"""One who listens to traces: a real server that speaks OTLP over HTTP, and does it badly where a test says so."""

import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar, Self

import msgspec
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span as WireSpan
from opentelemetry.proto.trace.v1.trace_pb2 import Status

KINDS = {
    WireSpan.SPAN_KIND_SERVER: "server",
    WireSpan.SPAN_KIND_CLIENT: "client",
    WireSpan.SPAN_KIND_INTERNAL: "internal",
}


class Told(msgspec.Struct, frozen=True):
    """A span as it was told. Any: what an attribute can be."""

    name: str
    kind: str
    trace_id: str
    span_id: str
    parent_id: str
    links: list[str]
    attributes: dict[str, Any]
    failed: bool
    part: str
    nanoseconds: int


class Collector:
    """The server. Use it in a `with`.

    Args:
        status: what it answers.
        stalls: whether it answers only when it ends.
    """

    def __init__(self, *, status: int = 200, stalls: bool = False) -> None:
        self.status = status
        self.headers: list[dict[str, str]] = []
        self.bodies = b""
        self.resources: list[dict[str, Any]] = []
        self._spans: list[Told] = []
        self._lock = threading.Lock()
        self._may_answer = threading.Event()
        if not stalls:
            self._may_answer.set()
        handler = type("Handler", (_Handler,), {"take": staticmethod(self._take)})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End it; who asks from now on is refused."""
        self._may_answer.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def endpoint(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    @property
    def spans(self) -> list[Told]:
        """What it was told by now."""
        with self._lock:
            return list(self._spans)

    def named(self, name: str, **attributes: Any) -> list[Told]:
        """The spans of a name that have these attributes, in which `_` stands for a dot."""
        return [
            span
            for span in self.spans
            if span.name == name
            and all(span.attributes.get(key.replace("__", ".")) == value for key, value in attributes.items())
        ]

    def _take(self, path: str, headers: dict[str, str], body: bytes) -> int:
        self._may_answer.wait()
        assert path == "/v1/traces"
        asked = ExportTraceServiceRequest.FromString(body)
        with self._lock:
            self.headers.append(headers)
            if self.status == 200:
                self.bodies += body
                for one in asked.resource_spans:
                    resource = {each.key: _value(each.value) for each in one.resource.attributes}
                    self.resources.append(resource)
                    self._spans += [_told(span, resource) for scope in one.scope_spans for span in scope.spans]
        return self.status


class _Handler(BaseHTTPRequestHandler):
    take: ClassVar[Callable[[str, dict[str, str], bytes], int]]
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        status = type(self).take(self.path, {name.lower(): value for name, value in self.headers.items()}, body)
        self.send_response(status)
        self.send_header("content-type", "application/x-protobuf")
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


def _told(span: WireSpan, resource: dict[str, Any]) -> Told:
    return Told(
        name=span.name,
        kind=KINDS[span.kind],
        trace_id=span.trace_id.hex(),
        span_id=span.span_id.hex(),
        parent_id=span.parent_span_id.hex(),
        links=[link.span_id.hex() for link in span.links],
        attributes={one.key: _value(one.value) for one in span.attributes},
        failed=span.status.code == Status.STATUS_CODE_ERROR,
        part=resource["aura.part"],
        nanoseconds=span.end_time_unix_nano - span.start_time_unix_nano,
    )


def _value(value: AnyValue) -> Any:  # Any: see `Told`
    return getattr(value, value.WhichOneof("value") or "string_value")
