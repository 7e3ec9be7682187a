"""The front door: `/ingest` by the shortest way, what has a path of its own there, everything else to the reading app.

What a framework does around a route (matching, two layers of error handling, copies of the scope) takes a tenth of the
time of a single event, and `/ingest` needs one path and one method.
"""

from collections.abc import Mapping

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from aura_analytics.api import problems

INGEST = "/ingest"


class Front:
    """Plain ASGI: sends each request to where it belongs.

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
        if scope["type"] != "http" or scope["path"] != INGEST:
            other = self._others.get(scope["path"]) if scope["type"] == "http" else None
            await (other or self._reading)(scope, receive, send)
            return
        begun = False

        async def send_noting(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self._ingest(scope, receive, send_noting)
        except Exception as error:
            if begun:
                raise
            answer = await problems.answer(scope, error)
            await answer(scope, receive, send)
            if answer.status_code == problems.BUG:  # for the log, which is further out
                raise
