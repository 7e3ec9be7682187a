"""The front door: `/ingest` by the shortest way, errors as everywhere, everything else to the reading application."""

import httpx
import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from aura_analytics.api import problems
from aura_analytics.api.front import Front
from aura_analytics.errors import ParameterError, QueueFull


def front(ingest: ASGIApp) -> httpx.AsyncClient:
    async def read(_request: object) -> PlainTextResponse:
        return PlainTextResponse("read")

    reading = Starlette(routes=[Route("/stats", read), Route("/ingest/more", read)])
    problems.install(reading)
    transport = httpx.ASGITransport(Front(ingest, reading), raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="http://here")


def failing(error: Exception, *, begun: bool = False) -> ASGIApp:
    async def ingest(_scope: Scope, _receive: Receive, send: Send) -> None:
        if begun:
            await send({"type": "http.response.start", "status": 200, "headers": []})
        raise error

    return ingest


@pytest.mark.parametrize(("path", "status"), [("/stats", 200), ("/ingest/more", 200), ("/ingest", 400), ("/nix", 404)])
async def test_only_the_one_path_goes_to_ingest(path: str, status: int) -> None:
    async with front(failing(ParameterError("no"))) as client:
        assert (await client.get(path)).status_code == status


async def test_an_error_of_ours_is_a_problem_with_its_headers() -> None:
    async with front(failing(QueueFull("full", retry_after_s=3))) as client:
        answer = await client.post("/ingest")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "3")
    assert answer.headers["content-type"] == "application/problem+json"


async def test_a_mistake_of_ours_tells_nothing() -> None:
    async with front(failing(RuntimeError("secret"))) as client:
        answer = await client.post("/ingest")
    assert answer.status_code == 500
    assert "secret" not in answer.text


async def test_an_answer_that_was_begun_is_not_begun_again() -> None:
    async with front(failing(RuntimeError("secret"), begun=True)) as client:
        answer = await client.post("/ingest")
    assert (answer.status_code, answer.content) == (200, b"")
