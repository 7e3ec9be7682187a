"""The front door: `/ingest` by the shortest way, errors as everywhere, everything else to the reading application."""

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from aura_analytics.api import problems
from aura_analytics.api.front import Front
from aura_analytics.api.live import LIVE
from aura_analytics.api.tail import TAIL
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


@pytest.fixture
def routed() -> httpx.AsyncClient:
    """The front before routes that the table has, and one stream."""

    async def answer(request: Request) -> PlainTextResponse:
        return PlainTextResponse(request.method)

    routes = [Route("/audit", answer), Route("/evaluations/{id:path}", answer, methods=["POST", "DELETE"])]
    reading = Starlette(routes=routes)
    problems.install(reading)

    async def endless(_scope: Scope, _receive: Receive, _send: Send) -> None:
        raise AssertionError("nobody listens here")

    transport = httpx.ASGITransport(Front(failing(RuntimeError()), reading, {LIVE: endless}))
    return httpx.AsyncClient(transport=transport, base_url="http://here")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("POST", "/audit", "GET, HEAD"),
        ("OPTIONS", "/audit", "GET, HEAD"),
        ("PUT", "/evaluations/q-1", "DELETE, POST"),
        ("GET", "/evaluations/q-1", "DELETE, POST"),
        ("PUT", "/evaluations/queue", "GET, HEAD"),  # what is named by itself isn't an id
        ("POST", LIVE, "GET"),
        ("HEAD", LIVE, "GET"),  # what has no end has no head of the whole
        ("HEAD", TAIL, "GET"),
    ],
)
async def test_another_method_is_told_which_there_are(
    routed: httpx.AsyncClient, method: str, path: str, allowed: str
) -> None:
    answer = await routed.request(method, path)
    assert (answer.status_code, answer.headers["allow"]) == (405, allowed)
    assert method == "HEAD" or answer.json()["code"] == "method_not_allowed"


async def test_a_head_is_that_of_the_answer(routed: httpx.AsyncClient) -> None:
    head, whole = await routed.head("/audit"), await routed.get("/audit")
    assert (head.status_code, head.content, whole.content) == (200, b"", b"GET")
    assert head.headers["content-length"] == whole.headers["content-length"]


async def test_an_id_that_is_called_as_a_path_can_be_labelled(routed: httpx.AsyncClient) -> None:
    assert (await routed.post("/evaluations/queue")).text == "POST"
