"""The front door: `/ingest` by the shortest way, everything else to the reading application.

What a framework does around a route (matching, two layers of error handling, copies of the scope) takes a tenth of the
time of a single event, and `/ingest` needs one path and one method.
"""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from aura_analytics.api import problems

INGEST = "/ingest"


class Front:
    """Plain ASGI: sends each request to where it belongs."""

    def __init__(self, ingest: ASGIApp, reading: ASGIApp) -> None:
        self._ingest = ingest
        self._reading = reading

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http" or scope["path"] != INGEST:
            await self._reading(scope, receive, send)
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
