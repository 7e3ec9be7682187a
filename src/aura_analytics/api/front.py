"""The front door: `/ingest` by the shortest way, what has a path of its own there, everything else to the reading app.

What a framework does around a route (matching, two layers of error handling, copies of the scope) takes a tenth of the
time of a single event, and `/ingest` needs one path and one method.
"""

from collections.abc import Mapping
from http import HTTPStatus

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from aura_analytics.api import problems
from aura_analytics.api.cache import without_body
from aura_analytics.api.live import LIVE
from aura_analytics.api.tail import TAIL
from aura_analytics.guard.access import OTHER, methods_at, route_of

INGEST = "/ingest"


# They have no end, so that there is no head of the whole.
STREAMS = frozenset({LIVE, TAIL})


class Front:
    """Plain ASGI: sends each request to where it belongs, where the table of routes has its method; HEAD is GET's.

    Args:
        ingest: takes what comes in.
        reading: answers all that nobody else does.
        others: what is at a path of its own, and no business of the reading application.
    """

    def __init__(self, ingest: ASGIApp, reading: ASGIApp, others: Mapping[str, ASGIApp] | None = None) -> None:
        self._ingest = ingest
        self._reading = reading
        self._others = dict(others or {})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._reading(scope, receive, send)
            return
        if scope["path"] != INGEST:
            await self._elsewhere(scope, receive, send)
            return
        begun = False

        async def send_noting(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self._ingest(scope, receive, send_noting)
        except Exception as error:  # the process's edge for events: what went wrong is the answer
            if begun:
                raise
            answer = await problems.answer(scope, error)
            await answer(scope, receive, send)
            if answer.status_code == problems.BUG:  # for the log, which is further out
                raise

    async def _elsewhere(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request that isn't one of events."""
        if (refused := _refused(scope)) is not None:
            await refused(scope, receive, send)
            return
        if scope["method"] == "HEAD":
            scope, send = {**scope, "method": "GET"}, without_body(send)
        await self._others.get(scope["path"], self._reading)(scope, receive, send)


def _refused(scope: Scope) -> ASGIApp | None:
    """Give the answer to a method that isn't for this path; None where it is, or there is no such path."""
    method, path = scope["method"], scope["path"]
    allowed = methods_at(path)
    if "GET" in allowed and path not in STREAMS:
        allowed.append("HEAD")
    is_known = method in allowed or (method != "HEAD" and route_of(method, path) != OTHER)
    if is_known or not allowed:
        return None
    return problems.problem(
        HTTPStatus.METHOD_NOT_ALLOWED,
        code="method_not_allowed",
        title=HTTPStatus.METHOD_NOT_ALLOWED.phrase,
        detail=None,
        headers={"allow": ", ".join(sorted(allowed))},
    )
