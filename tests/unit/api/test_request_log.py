"""One canonical line a request, with all that is known of it, and a correlation id that goes back."""

import re
from collections.abc import AsyncIterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route
from starlette.types import Message, Receive, Scope, Send
from structlog.testing import LogCapture

from aura_analytics.api import problems, request_log
from aura_analytics.api.request_log import LONGEST, RequestLog
from aura_analytics.errors import ParameterError
from unit.api.conftest import Reach

HEADER = "X-Correlation-ID"
MINTED = re.compile(r"[0-9a-f]{16}")
SECRET = "AIza-very-secret"


async def hello(request: Request) -> Response:
    """Answer; note facts as the handlers do."""
    request.scope["aura_facts"].update({"events": 2, "accepted": 1})
    return Response("hello", 207, headers={"x-own": "1"})


async def named(request: Request) -> Response:
    """Answer a request that is called otherwise by what it holds."""
    request.scope["aura_facts"]["given_correlation_id"] = request.query_params["name"]
    return Response("hello")


async def refuse(_request: Request) -> Response:
    raise ParameterError("period is a number")


async def fail(_request: Request) -> Response:
    raise RuntimeError(SECRET)


async def fail_late(_request: Request) -> Response:
    async def pieces() -> AsyncIterator[bytes]:
        yield b"first"
        raise RuntimeError(SECRET)

    return StreamingResponse(pieces())


@pytest.fixture
def app() -> RequestLog:
    """A service with a log around it."""
    routes = [
        Route("/hello", hello, methods=["GET", "POST"]),
        Route("/named", named),
        Route("/refuse", refuse),
        Route("/fail", fail),
        Route("/late", fail_late),
    ]
    inner = Starlette(routes=routes)
    problems.install(inner)
    return RequestLog(inner)


class TestLine:
    async def test_a_request_is_one_line_with_all_its_facts(
        self, app: RequestLog, reach: Reach, logged: LogCapture
    ) -> None:
        await reach(app).post("/hello?store=secret&text=hidden", headers={HEADER: "c-1"}, content=b"body")

        (entry,) = logged.entries
        assert entry.pop("duration_ms") >= 0
        assert entry == {
            "event": "request",
            "log_level": "info",
            "correlation_id": "c-1",
            "method": "POST",
            "path": "/hello",
            "status": 207,
            "events": 2,
            "accepted": 1,
            "stores": ["secret"],
        }

    @pytest.mark.parametrize(
        ("path", "status", "code"),
        [("/refuse", 400, "invalid_parameter"), ("/nowhere", 404, None), ("/hello", 207, None)],
    )
    async def test_a_refused_request_is_one_line_too(
        self, *, app: RequestLog, reach: Reach, logged: LogCapture, path: str, status: int, code: str | None
    ) -> None:
        await reach(app).get(path)

        (entry,) = logged.entries
        assert (entry["event"], entry["path"], entry["status"], entry.get("code")) == ("request", path, status, code)

    async def test_requests_do_not_mix(self, app: RequestLog, reach: Reach, logged: LogCapture) -> None:
        client = reach(app)
        for number in range(3):
            await client.get("/hello" if number != 1 else "/refuse", headers={HEADER: f"c-{number}"})

        assert [(entry["correlation_id"], entry.get("events")) for entry in logged.entries] == [
            ("c-0", 2),
            ("c-1", None),
            ("c-2", 2),
        ]

    async def test_a_bug_is_answered_and_logged_with_its_cause(
        self, app: RequestLog, reach: Reach, logged: LogCapture
    ) -> None:
        answer = await reach(app).get("/fail", headers={HEADER: "c-1"})

        assert (answer.status_code, answer.headers["content-type"]) == (500, "application/problem+json")
        assert SECRET not in answer.text
        assert answer.headers[HEADER] == "c-1"
        cause, line = logged.entries
        assert (cause["event"], cause["log_level"], cause["path"]) == ("request_failed", "error", "/fail")
        assert cause["exc_info"]
        assert (line["event"], line["status"], line["correlation_id"]) == ("request", 500, "c-1")

    async def test_an_answer_that_breaks_off_is_one_line_and_its_cause(
        self, app: RequestLog, logged: LogCapture
    ) -> None:
        sent: list[Message] = []

        async def send(message: Message) -> None:
            sent.append(message)

        await app(http("/late"), _nothing, send)

        assert [message.get("body") for message in sent] == [None, b"first"]
        assert [entry["event"] for entry in logged.entries] == ["request_failed", "request"]
        assert logged.entries[-1]["status"] == 200

    async def test_an_error_that_nobody_answered_goes_on_to_the_server(self, logged: LogCapture) -> None:
        async def broken(_scope: Scope, _receive: Receive, _send: Send) -> None:
            raise RuntimeError(SECRET)

        with pytest.raises(RuntimeError):
            await RequestLog(broken)(http("/x"), _nothing, _ignore)

        assert [entry["event"] for entry in logged.entries] == ["request_failed", "request"]
        assert "status" not in logged.entries[-1]

    @pytest.mark.parametrize("kind", ["lifespan", "websocket"])
    async def test_what_is_no_request_passes_by(self, logged: LogCapture, kind: str) -> None:
        seen: list[Scope] = []

        async def inner(scope: Scope, _receive: Receive, _send: Send) -> None:
            seen.append(scope)

        await RequestLog(inner)({"type": kind}, _nothing, _ignore)

        assert seen == [{"type": kind}]
        assert logged.entries == []


def http(path: str) -> dict[str, Any]:
    """What a server tells of a request."""
    return {"type": "http", "method": "GET", "path": path, "root_path": "", "query_string": b"", "headers": []}


async def _nothing() -> dict[str, Any]:
    return {"type": "http.disconnect"}


async def _ignore(_message: object) -> None:
    """Send nothing to nobody."""


@pytest.mark.usefixtures("logged")
class TestCorrelationId:
    @pytest.mark.parametrize("given", ["c-1", "x", "x" * LONGEST, "a b", "/?&=%20", '{"a":1}'])
    @pytest.mark.parametrize("path", ["/hello", "/refuse", "/fail", "/nowhere"])
    async def test_what_was_given_goes_back(self, app: RequestLog, reach: Reach, given: str, path: str) -> None:
        answer = await reach(app).get(path, headers={HEADER: given})

        assert answer.headers.get_list(HEADER) == [given]

    @pytest.mark.parametrize("path", ["/hello", "/refuse", "/fail", "/nowhere"])
    async def test_without_one_it_is_minted_and_logged(
        self, app: RequestLog, reach: Reach, logged: LogCapture, path: str
    ) -> None:
        answer = await reach(app).get(path)

        assert MINTED.fullmatch(answer.headers[HEADER])
        assert logged.entries[-1]["correlation_id"] == answer.headers[HEADER]

    async def test_minted_ones_are_unique(self, app: RequestLog, reach: Reach) -> None:
        client = reach(app)

        assert len({(await client.get("/hello")).headers[HEADER] for _ in range(200)}) == 200

    @pytest.mark.parametrize("given", [b"", b" ", b"\xc3\xa9", b"\xff", b"a\tb", b"\x1b[31m", b"x" * (LONGEST + 1)])
    async def test_one_that_can_not_be_printed_is_as_none(
        self, app: RequestLog, reach: Reach, logged: LogCapture, given: bytes
    ) -> None:
        answer = await reach(app).get("/hello", headers={HEADER.encode(): given})

        assert MINTED.fullmatch(answer.headers[HEADER])
        assert logged.entries[-1]["correlation_id"] == answer.headers[HEADER]

    async def test_headers_of_the_answer_stay(self, app: RequestLog, reach: Reach) -> None:
        answer = await reach(app).get("/hello")

        assert (answer.headers["x-own"], answer.text) == ("1", "hello")

    @pytest.mark.parametrize("headers", [{}, {HEADER: "of-the-header"}])
    async def test_the_name_that_the_body_gives_wins(
        self, app: RequestLog, reach: Reach, logged: LogCapture, headers: dict[str, str]
    ) -> None:
        answer = await reach(app).get("/named", params={"name": "of-the-event"}, headers=headers)

        assert answer.headers[HEADER] == "of-the-event"
        assert logged.entries[-1]["correlation_id"] == "of-the-event"

    @pytest.mark.parametrize(
        "name", ["é", "🍎", "two\nlines", "x: y\r\nset-cookie: a=b", "\x1b[31m", "x" * (LONGEST + 1)]
    )
    @pytest.mark.parametrize("headers", [{}, {HEADER: "of-the-header"}])
    async def test_a_name_that_no_header_can_hold_is_logged_and_another_one_goes_back(
        self, app: RequestLog, reach: Reach, logged: LogCapture, name: str, headers: dict[str, str]
    ) -> None:
        answer = await reach(app).get("/named", params={"name": name}, headers=headers)

        (back,) = answer.headers.get_list(HEADER)
        assert back == "of-the-header" if headers else MINTED.fullmatch(back)
        assert "set-cookie" not in answer.headers
        assert logged.entries[-1]["correlation_id"] == name

    @settings(max_examples=200, deadline=None)
    @given(st.text(max_size=300))
    def test_what_may_stand_in_a_header_is_visible_ascii(self, text: str) -> None:
        allowed = len(text) <= LONGEST and all(" " <= character <= "~" for character in text)

        assert request_log._printable(text) is allowed


async def test_a_path_that_names_a_person_isn_t_logged(reach: Reach, app: RequestLog, logged: LogCapture) -> None:
    await reach(app).get("/users/ann%40shop.example")
    [line] = [line for line in logged.entries if line["event"] == "request"]
    assert line["path"] == "/users/…"
