"""Tiny services, asked in process, and what they log."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack

import httpx
import pytest
import structlog
from starlette.types import ASGIApp
from structlog.testing import LogCapture

from aura_analytics.api import problems, request_log

Reach = Callable[[ASGIApp], httpx.AsyncClient]


@pytest.fixture
def logged(monkeypatch: pytest.MonkeyPatch) -> LogCapture:
    """What the two modules log, whatever logging was set up before."""
    capture = LogCapture()
    for module in (problems, request_log):
        monkeypatch.setattr(module, "log", structlog.wrap_logger(structlog.PrintLogger(), processors=[capture]))
    return capture


@pytest.fixture
async def reach() -> AsyncIterator[Reach]:
    """Reach an application; what it raises stays with it, as with a real server."""
    async with AsyncExitStack() as stack:
        clients: list[httpx.AsyncClient] = []

        def make(app: ASGIApp) -> httpx.AsyncClient:
            transport = httpx.ASGITransport(app, raise_app_exceptions=False)
            clients.append(httpx.AsyncClient(transport=transport, base_url="http://here"))
            stack.push_async_callback(clients[-1].aclose)
            return clients[-1]

        yield make
