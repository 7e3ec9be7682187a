"""Every error becomes RFC 9457 `application/problem+json`, and says nothing that is nobody's business."""

import json
from collections.abc import Callable
from typing import Annotated, Any

import httpx
import pytest
from fastapi import FastAPI, Query
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Mount, Route
from structlog.testing import LogCapture

from aura_analytics.api.problems import install, problem
from aura_analytics.errors import (
    AuraError,
    BodyTooLarge,
    EventsRejected,
    JudgeRefused,
    LoadError,
    MalformedBody,
    MigrationError,
    ParameterError,
    ProjectionUnavailable,
    QueueFull,
    Rejection,
    RequestError,
    SettingsError,
    StoreUnavailable,
    Unavailable,
    UnsupportedMedia,
)
from unit.api.conftest import Reach

SECRET = "AIza-very-secret in /home/aura/aura.db"
REJECTION = Rejection(index=0, code="missing_field", field="store_id", message="store_id is required")


def service(error: BaseException, *, facts: dict[str, object] | None = None) -> Starlette:
    """A service whose only endpoint fails, and the same one inside of a mounted application."""

    async def fail(request: Request) -> Response:
        if facts is not None:
            request.scope["aura_facts"] = facts
        raise error

    inner = FastAPI()
    inner.add_route("/fail", fail)
    install(inner)
    app = Starlette(routes=[Route("/fail", fail), Mount("/inner", inner)])
    install(app)
    return app


def checked(answer: httpx.Response) -> dict[str, Any]:
    """The problem of an answer, which has the form of RFC 9457. Any: whatever JSON can hold."""
    assert answer.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = answer.json()
    assert body["status"] == answer.status_code
    assert body["type"] == f"urn:aura-analytics:problem:{body['code']}"
    assert body["title"]
    return body


both = pytest.mark.parametrize("path", ["/fail", "/inner/fail"])


@both
@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (RequestError("it can't be taken"), 400, "bad_request"),
        (ParameterError("period is a number"), 400, "invalid_parameter"),
        (MalformedBody("the body is empty"), 400, "malformed_body"),
        (BodyTooLarge("a body takes at most 5 bytes"), 413, "too_large"),
        (UnsupportedMedia("send application/json"), 415, "unsupported_media"),
        (EventsRejected([REJECTION]), 400, "events_rejected"),
        (Unavailable("not now"), 503, "unavailable"),
        (QueueFull("5 events wait"), 503, "queue_full"),
        (StoreUnavailable("the disk is full"), 503, "store_unavailable"),
        (ProjectionUnavailable("half built"), 503, "projection_unavailable"),
    ],
)
async def test_an_error_of_the_tree_is_answered_in_its_own_words(
    *, reach: Reach, logged: LogCapture, error: AuraError, status: int, code: str, path: str
) -> None:
    answer = await reach(service(error)).get(path)

    found = checked(answer)
    assert (answer.status_code, found["code"], found["title"]) == (status, code, type(error).title)
    assert found["detail"] == str(error)
    assert logged.entries == []


@both
@pytest.mark.parametrize("seconds", [1, 30])
async def test_what_is_passing_says_when_to_come_back(reach: Reach, seconds: int, path: str) -> None:
    answer = await reach(service(StoreUnavailable("not now", seconds))).get(path)

    assert answer.headers["retry-after"] == str(seconds)


@both
async def test_what_is_lasting_does_not(reach: Reach, path: str) -> None:
    assert "retry-after" not in (await reach(service(ParameterError("no"))).get(path)).headers


@both
async def test_rejected_events_are_listed(reach: Reach, path: str) -> None:
    other = Rejection(index=1, code="malformed_json", field=None, message="“\x1b[31m” is no JSON")

    found = checked(await reach(service(EventsRejected([REJECTION, other], "c-1"))).get(path))

    assert found["rejected"] == [
        {"index": 0, "code": "missing_field", "field": "store_id", "message": "store_id is required"},
        {"index": 1, "code": "malformed_json", "field": None, "message": "“\x1b[31m” is no JSON"},
    ]
    assert (found["accepted"], found["duplicates"], found["correlation_id"]) == (0, 0, "c-1")


@both
async def test_the_code_is_a_fact_of_the_request(reach: Reach, path: str) -> None:
    facts: dict[str, object] = {}

    await reach(service(QueueFull("no"), facts=facts)).get(path)

    assert facts == {"code": "queue_full"}


@both
@pytest.mark.parametrize(
    "error",
    [
        AuraError(SECRET),
        SettingsError(SECRET),
        MigrationError(SECRET),
        LoadError(SECRET),
        JudgeRefused(SECRET),
        ValueError(SECRET),
        RuntimeError(SECRET),
        KeyError(SECRET),
        UnicodeDecodeError("utf-8", SECRET.encode(), 0, 1, SECRET),
        RecursionError(SECRET),
        MemoryError(SECRET),
        AssertionError(SECRET),
        ExceptionGroup(SECRET, [ValueError(SECRET)]),
    ],
    ids=lambda error: type(error).__name__,
)
@pytest.mark.usefixtures("logged")
async def test_nothing_of_an_unexpected_error_leaks(reach: Reach, error: Exception, path: str) -> None:
    answer = await reach(service(error)).get(path)

    assert checked(answer) == {
        "type": "urn:aura-analytics:problem:internal",
        "title": "Something went wrong here",
        "status": 500,
        "code": "internal",
    }
    said = answer.text + str(answer.headers)
    assert not any(word in said for word in ("AIza", "/home", "Traceback", type(error).__name__, "test_problems"))


@both
async def test_an_error_of_ours_that_must_not_happen_here_stands_in_the_log(
    reach: Reach, logged: LogCapture, path: str
) -> None:
    error = MigrationError(SECRET)

    await reach(service(error)).get(path)

    (entry,) = logged.entries
    assert (entry["event"], entry["log_level"], entry["exc_info"]) == ("unexpected_error", "error", error)


@both
@pytest.mark.parametrize(
    ("error", "status", "code", "detail"),
    [
        (HTTPException(404), 404, "not_found", None),
        (HTTPException(404, "there is no such store"), 404, "not_found", "there is no such store"),
        (HTTPException(401, headers={"www-authenticate": "Bearer"}), 401, "unauthorized", None),
        (HTTPException(429, headers={"retry-after": "5"}), 429, "too_many_requests", None),
    ],
)
async def test_what_the_framework_raises_has_the_same_form(
    *, reach: Reach, error: HTTPException, status: int, code: str, detail: str | None, path: str
) -> None:
    answer = await reach(service(error)).get(path)

    found = checked(answer)
    assert (answer.status_code, found["code"], found.get("detail")) == (status, code, detail)
    assert all(answer.headers[name] == value for name, value in (error.headers or {}).items())


@pytest.mark.parametrize("path", ["/nowhere", "/inner/nowhere", "/inner/fail/x", "/%00", "/..%2f"])
async def test_a_path_that_is_not_there(reach: Reach, path: str) -> None:
    answer = await reach(service(ValueError())).get(path)

    assert (answer.status_code, checked(answer)["code"]) == (404, "not_found")


@both
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
async def test_a_method_that_is_not_taken_is_told_which_are(reach: Reach, method: str, path: str) -> None:
    answer = await reach(service(ValueError())).request(method, path)

    assert (answer.status_code, checked(answer)["code"]) == (405, "method_not_allowed")
    assert "GET" in answer.headers["allow"]


@both
async def test_a_caller_that_went_away_is_no_bug(reach: Reach, logged: LogCapture, path: str) -> None:
    answer = await reach(service(ClientDisconnect())).get(path)

    assert (answer.status_code, checked(answer)["code"]) == (400, "disconnected")
    assert logged.entries == []


@pytest.mark.parametrize("query", ["count=many", "count=", "flag=perhaps", "count=1.5", "count=1e999"])
async def test_a_parameter_that_the_framework_reads_fails_the_same_way(reach: Reach, query: str) -> None:
    app = FastAPI()

    @app.get("/read")
    async def read(count: int = 1, flag: bool = False) -> dict[str, object]:
        return {"count": count, "flag": flag}

    install(app)

    answer = await reach(app).get(f"/read?{query}")

    found = checked(answer)
    assert answer.status_code == 400
    assert query.partition("=")[0] in found["detail"]


async def test_a_parameter_that_lacks_is_named(reach: Reach) -> None:
    app = FastAPI()

    @app.get("/read")
    async def read(count: Annotated[int, Query()]) -> int:
        return count

    install(app)

    answer = await reach(app).get("/read")

    assert answer.status_code == 400
    assert "count" in checked(answer)["detail"]


@pytest.mark.parametrize("made", [problem, lambda *args, **kwargs: problem(*args, **kwargs, more=[1], text="…")])
def test_a_problem_may_have_members_of_its_own(made: Callable[..., Response]) -> None:
    body = json.loads(bytes(made(418, code="teapot", title="A teapot", detail=None).body))

    assert body.pop("more", [1]) == [1]
    assert body.pop("text", "…") == "…"
    assert body == {"type": "urn:aura-analytics:problem:teapot", "title": "A teapot", "status": 418, "code": "teapot"}
