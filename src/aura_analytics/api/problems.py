"""The one place where an error becomes an answer: RFC 9457 `application/problem+json`."""

from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any

import msgspec
import structlog
from fastapi.exceptions import RequestValidationError
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Scope

from aura_analytics.errors import AuraError, EventsRejected, ExtraMissing, ParameterError, StatisticsOff, Unavailable

BUG = 500
# What isn't the caller's fault and no bug either: it is told in its own words.
MEANT = (Unavailable, ExtraMissing, StatisticsOff)
MEDIA_TYPE = "application/problem+json"

log = structlog.get_logger()


class Problem(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is sent of an error. `code` stays the same from version to version, `detail` is for people."""

    type: str
    title: str
    status: int
    code: str
    detail: str | msgspec.UnsetType = msgspec.UNSET


def install(app: Starlette) -> None:
    """Make an application answer its errors this way."""
    for kind, handle in HANDLERS.items():
        app.add_exception_handler(kind, handle)


async def answer(scope: Scope, error: Exception) -> Response:
    """Answer any error of a request that no application is around."""
    handle = next(handle for kind, handle in HANDLERS.items() if isinstance(error, kind))
    return await handle(Request(scope), error)


def problem(
    status: int, *, code: str, title: str, detail: str | None, headers: dict[str, str] | None = None, **more: Any
) -> Response:
    """Make the answer. `more` are members of the problem's own; Any: whatever JSON can hold."""
    body = Problem(
        type=f"urn:aura-analytics:problem:{code}",
        title=title,
        status=status,
        code=code,
        detail=detail or msgspec.UNSET,
    )
    return Response(
        msgspec.json.encode(msgspec.to_builtins(body) | more),
        status_code=status,
        media_type=MEDIA_TYPE,
        headers=headers,
    )


async def on_aura_error(request: Request, error: Exception) -> Response:
    """Answer an error of ours, in its own words: those of the tree are written for people."""
    assert isinstance(error, AuraError)  # noqa: S101 (the registration above says so; this tells the type checker)
    request.scope.get("aura_facts", {})["code"] = error.code
    if error.status >= 500 and not isinstance(error, MEANT):
        log.error("unexpected_error", exc_info=error)
        return problem(error.status, code=error.code, title=error.title, detail=None)
    more: dict[str, Any] = {}
    if isinstance(error, EventsRejected):
        more = {"rejected": error.rejected, "accepted": 0, "duplicates": 0, "correlation_id": error.correlation_id}
    return problem(
        error.status, code=error.code, title=error.title, detail=str(error), headers=dict(error.headers), **more
    )


async def on_http_exception(_request: Request, error: Exception) -> Response:
    """Answer what the framework raises: no such path, no such method."""
    assert isinstance(error, HTTPException)  # noqa: S101 (see above)
    phrase = HTTPStatus(error.status_code).phrase
    detail = error.detail if error.detail != phrase else None
    headers = dict(error.headers) if error.headers else None
    return problem(
        error.status_code, code=phrase.lower().replace(" ", "_"), title=phrase, detail=detail, headers=headers
    )


async def on_unread_parameter(request: Request, error: Exception) -> Response:
    """Answer what the framework couldn't read as the endpoints do what they couldn't."""
    assert isinstance(error, RequestValidationError)  # noqa: S101 (see above)
    first = error.errors()[0]
    return await on_aura_error(request, ParameterError(f"{first['loc'][-1]}: {first['msg']}"))


async def on_disconnect(_request: Request, _error: Exception) -> Response:
    """Answer a caller that went away before its body was here: nobody reads it, and nothing was stored."""
    return problem(400, code="disconnected", title="The caller went away", detail=None)


async def on_bug(_request: Request, _error: Exception) -> Response:
    """Answer what must not happen. What it was stands in the log, and only there."""
    return problem(BUG, code="internal", title=AuraError.title, detail=None)


# By the kind of error, the most special first.
HANDLERS: dict[type[Exception], Callable[[Request, Exception], Awaitable[Response]]] = {
    AuraError: on_aura_error,
    RequestValidationError: on_unread_parameter,
    HTTPException: on_http_exception,
    ClientDisconnect: on_disconnect,
    Exception: on_bug,
}
