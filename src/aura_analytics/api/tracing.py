"""The trace of a request: one span around all of it, in the words of OpenTelemetry's conventions for HTTP.

What it says is what the log may say, and less: the route and not the path, which may name somebody; no text, no key, no
address.
"""

from starlette.types import ASGIApp, Receive, Scope, Send

from aura_analytics.api.meter import METHODS, OUTCOMES
from aura_analytics.guard.access import route_of
from aura_analytics.spans import Span, Tracer, Value, surrounded_by

# What asks these asks again and again, and nobody looks for it.
UNTRACED = frozenset({"/health", "/metrics"})
OTHER = "_OTHER"


class Traced:
    """Plain ASGI around the service and its log.

    Args:
        app: the service; it leaves in `scope` what it knows of a request.
        tracer: begins its span.
    """

    def __init__(self, app: ASGIApp, tracer: Tracer) -> None:
        self._app = app
        self._tracer = tracer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http" or scope["path"] in UNTRACED:
            await self._app(scope, receive, send)
            return
        with surrounded_by(self._begun(scope)) as span:
            try:
                await self._app(scope, receive, send)
            finally:
                _note(span, scope)

    def _begun(self, scope: Scope) -> Span:
        method, route = scope["method"], route_of(scope["method"], scope["path"])
        shown = method if method in METHODS else OTHER
        known: dict[str, Value] = {"http.request.method": shown, "url.scheme": scope["scheme"]}
        if route == "other":
            name = "HTTP" if shown == OTHER else shown
        else:
            known["http.route"] = route
            name = f"{shown} {route}"
        return self._tracer.begin(name, "server", known, headers=scope["headers"])


def _note(span: Span, scope: Scope) -> None:
    """Add how it ended."""
    if not span.is_recorded:
        return
    facts = scope.get("aura_facts", {})
    known: dict[str, Value] = {}
    if isinstance(correlation_id := scope.get("aura_correlation_id"), str):
        known["aura.correlation_id"] = correlation_id
    if isinstance(status := facts.get("status"), int):
        known["http.response.status_code"] = status
    if isinstance(code := facts.get("code"), str):
        known["aura.code"] = code
    for outcome in OUTCOMES:
        if isinstance(count := facts.get(outcome), int):
            known[f"aura.ingest.{outcome}"] = count
    span.note(known)
    if isinstance(status, int) and status >= 500:
        span.end(str(status))
