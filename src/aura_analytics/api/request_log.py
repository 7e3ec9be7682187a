"""The canonical line: one a request, with all that is known of it; and the correlation id that goes back."""

import contextlib
import random
import time
from urllib.parse import parse_qsl

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from aura_analytics.api.meter import Meter
from aura_analytics.guard.access import STORE_NAMES

log = structlog.get_logger()

HEADER = b"x-correlation-id"
LONGEST = 256
OF_A_PERSON = "/users/"
# So many of the stores that are asked for are named in the log.
MOST_STORES = 10


class RequestLog:
    """Plain ASGI around the whole service. Handlers add what they know to `scope["aura_facts"]`.

    Args:
        app: the service.
        meter: counts each request.
    """

    def __init__(self, app: ASGIApp, meter: Meter | None = None) -> None:
        self._app = app
        self._meter = meter or Meter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request and log it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        given = _given(scope)
        facts: dict[str, object] = {"given_correlation_id": given}
        scope["aura_facts"] = facts
        if b"store" in scope["query_string"]:
            facts["stores"] = _stores(scope["query_string"])
        minted = given or f"{random.getrandbits(64):016x}"

        async def send_noting(message: Message) -> None:
            if message["type"] == "http.response.start":
                facts["status"] = message["status"]
                own = facts["given_correlation_id"]
                correlation_id = own if isinstance(own, str) and _printable(own) else minted
                message["headers"] = [*message.get("headers", ()), (HEADER, correlation_id.encode())]
            await send(message)

        try:
            await self._app(scope, receive, send_noting)
        except Exception:  # the edge of a request: it was answered with 500, and this is its record
            log.exception("request_failed", method=scope["method"], path=_loggable(scope["path"]))
            if "status" not in facts:
                raise
        finally:
            own = facts.pop("given_correlation_id") or minted
            seconds = time.perf_counter() - started
            self._meter.note(scope, facts, seconds)
            duration_ms = round(seconds * 1000, 2)
            log.info(
                "request",
                correlation_id=own,
                method=scope["method"],
                path=_loggable(scope["path"]),
                duration_ms=duration_ms,
                **facts,
            )


def _loggable(path: str) -> str:
    """Leave out who a path names: a log outlives what is erased."""
    return f"{OF_A_PERSON}…" if path.startswith(OF_A_PERSON) else path


def _given(scope: Scope) -> str | None:
    for name, value in scope["headers"]:
        if name == HEADER:
            text: str = value.decode("latin-1").strip()
            return text if text and _printable(text) else None
    return None


def _stores(query_string: bytes) -> list[str]:
    """Give the stores that are asked for; a query string that can't be read asks for none."""
    with contextlib.suppress(ValueError):
        asked = parse_qsl(query_string.decode("latin-1"))
        return [value[:LONGEST] for name, value in asked if name in STORE_NAMES][:MOST_STORES]
    return []


def _printable(text: str) -> bool:
    """Whether a text may stand in a header and in a log: visible ASCII, not too long."""
    return len(text) <= LONGEST and text.isascii() and text.isprintable()
