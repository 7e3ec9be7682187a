"""People's labels over HTTP: what they are given to look at, what is taken from them, and what is refused."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from fastapi import FastAPI
from starlette.types import Receive, Scope, Send

from aura_analytics.api import problems, reviewing
from aura_analytics.api.asking import spelled_out
from aura_analytics.guard.door import PRINCIPAL
from aura_analytics.guard.principal import Principal
from aura_analytics.stats.reviewing import LEASE_MS
from aura_analytics.store.sqlite import SqliteStore
from contract.making import LATER, NOW, outcome, query, verdict
from unit.api.conftest import Reach
from unit.stats.conftest import stored

QUEUE = "/evaluations/queue"
ALL = {"period": "all"}
ODD = "a/b c?d#e%2F"


class Here:
    """A service with three labelled interactions, and one that has none yet."""

    def __init__(self, store: SqliteStore, app: FastAPI, http: httpx.AsyncClient) -> None:
        self.store = store
        self.app = app
        self.http = http

    async def queue(self, **parameters: Any) -> dict[str, Any]:
        answer = await self.http.get(QUEUE, params=ALL | parameters)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def label(self, id: str, **said: Any) -> httpx.Response:
        return await self.http.post(f"/evaluations/{id}", json=said)


@pytest.fixture
async def here(tmp_path: Path, reach: Reach) -> AsyncIterator[Here]:
    ids = ("a", "b", ODD)
    events = [event for id in ids for event in (query(id, query_text=f"wish {id}"), outcome(id))]
    async with stored(tmp_path / "aura.db", [*events, query("waiting")]) as (store, reader):
        claims = {claim.query_id: claim for claim in await store.claim_due(10, now=LATER, lease_ms=1)}
        sure = {"a": 0.9, "b": 0.2, ODD: 0.5}
        await store.settle([(claims[id], verdict(id, confidence=one, explanation="So.")) for id, one in sure.items()])
        app = FastAPI()
        problems.install(app)
        app.include_router(reviewing.router(reader, store, clock=lambda: NOW))
        yield Here(store, app, reach(app))


async def test_the_queue_gives_what_is_worth_most_first(here: Here) -> None:
    answer = await here.http.get(QUEUE, params=ALL | {"reviewer": "Ada", "limit": "2"})
    assert answer.headers["cache-control"] == "no-store"
    found = answer.json()
    assert {name: value for name, value in found.items() if name != "items"} == {
        "storeId": "all",
        "period": "all",
        "order": "value",
        "reviewer": "Ada",
        "leasedUntil": NOW + LEASE_MS,
        "waiting": 3,
    }
    assert [item["interaction"]["id"] for item in found["items"]] == ["b", ODD]
    first = found["items"][0]
    assert (first["verdict"]["label"], first["verdict"]["explanation"], first["why"]) == ("GOOD", "So.", ["unsure"])
    assert (first["doubt"], first["score"], first["occurrences"], first["place"]) == (pytest.approx(0.8),) * 2 + (1, 1)


async def test_without_a_name_everybody_has_one_of_their_own(here: Here) -> None:
    first, second = await here.queue(limit="2"), await here.queue()
    assert first["reviewer"] != second["reviewer"]
    assert [item["interaction"]["id"] for item in second["items"]] == ["a"]
    again = await here.queue(reviewer=first["reviewer"], limit="2")
    assert again["items"] == first["items"]


async def test_the_filters_are_those_of_every_reading(here: Here) -> None:
    assert (await here.queue(text="wish b"))["waiting"] == 1
    assert (await here.queue(store="elsewhere"))["items"] == []
    assert (await here.queue(label="(none)"))["items"] == []


@pytest.mark.parametrize("id", ["a", ODD])
async def test_a_person_s_label_stands(here: Here, id: str) -> None:
    said = {"label": "BAD", "reason": "wrong_answer", "explanation": "Shoes, not apples.", "reviewer": "Ada"}
    answer = await here.http.post(f"/evaluations/{quote(id, safe='')}", json=said)
    assert answer.status_code == 200, answer.text
    assert answer.headers["cache-control"] == "no-store"
    assert answer.json() == {
        "queryId": id,
        "label": "BAD",
        "reason": "wrong_answer",
        "confidence": 1.0,
        "evaluatedAt": NOW,
        "evaluatedBy": "human",
        "method": "Ada",
        "explanation": "Shoes, not apples.",
        "rubric": None,
        "tokensPrompt": None,
        "tokensCompletion": None,
        "costUsd": None,
        "durationMs": None,
    }
    kept = await here.store.interaction(id)
    assert kept is not None
    assert kept.verdict is not None
    assert (kept.verdict.label, kept.verdict.evaluated_by, kept.verdict.method) == ("BAD", "human", "Ada")
    assert [(one.label, one.evaluated_by) for one in kept.history] == [("GOOD", "auto")]
    assert id not in [item["interaction"]["id"] for item in (await here.queue())["items"]]


async def test_a_label_is_enough(here: Here) -> None:
    """Also of what nobody has labelled, and of what a person has."""
    for label in ("REVIEW", "GOOD"):
        found = (await here.label("waiting", label=label)).json()
        assert (found["label"], found["reason"], found["method"], found["explanation"]) == (
            label, "reviewed", "person", None,
        )  # fmt: skip
    kept = await here.store.interaction("waiting")
    assert kept is not None
    assert [one.label for one in kept.history] == ["REVIEW"]


async def test_what_no_database_keeps_is_mended(here: Here) -> None:
    body = rb'{"label": "GOOD", "explanation": "a\u0000b\ud83d", "reviewer": "A\u0000"}'
    found = (await here.http.post("/evaluations/a", content=body)).json()
    assert (found["explanation"], found["method"]) == ("a\ufffdb\ufffd", "A\ufffd")


async def test_who_sees_some_stores_labels_in_those_and_is_told_of_no_other(here: Here, reach: Reach) -> None:
    def reached(store_id: str) -> httpx.AsyncClient:
        whose = Principal(key_id="k", name="k", scopes=frozenset({"review"}), stores=frozenset({store_id}))

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            await here.app({**scope, PRINCIPAL: whose}, receive, send)

        return reach(app)

    kept = await here.store.interaction("a")
    assert kept is not None
    for id in ("a", "nobody", "%00"):
        answer = await reached("another").post(f"/evaluations/{id}", json={"label": "BAD"})
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    assert await here.store.interaction("a") == kept
    answer = await reached(kept.query.store_id).post("/evaluations/a", json={"label": "BAD"})
    assert answer.json()["label"] == "BAD"


@pytest.mark.parametrize("id", ["nobody", "%00", "queue", ODD[0] + "%2F", ""])
async def test_what_is_not_there_cannot_be_labelled(here: Here, id: str) -> None:
    answer = await here.label(id, label="GOOD")
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff",
        b"[" * 50_000,
        b"{}",
        b'{"label": "FINE"}',
        b'{"label": "good"}',
        b'{"label": null}',
        b'{"label": "GOOD", "reason": "No Code"}',
        b'{"label": "GOOD", "reason": "no_code\\n"}',
        b'{"label": "GOOD", "reason": ""}',
        b'{"label": "GOOD", "reviewer": "  "}',
        b'{"label": "GOOD", "reviewer": "' + b"x" * 101 + b'"}',
        b'{"label": "GOOD", "explanation": "' + b"x" * 2_001 + b'"}',
        b'{"label": "GOOD", "explanation": 3}',
        b'{"label": "GOOD", "explanaton": "x"}',
    ],
)
async def test_a_body_that_is_no_label_is_refused(here: Here, body: bytes) -> None:
    answer = await here.http.post("/evaluations/a", content=body)
    assert (answer.status_code, answer.json()["code"]) == (400, "malformed_body")
    kept = await here.store.interaction("a")
    assert kept is not None
    assert kept.history == []


async def test_a_body_that_is_too_long_is_refused(here: Here) -> None:
    answer = await here.http.post("/evaluations/a", content=b" " * (reviewing.MOST_BYTES + 1))
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")


@pytest.mark.parametrize(
    "parameters",
    [
        {"limit": "0"},
        {"limit": "501"},
        {"limit": "many"},
        {"order": "worth"},
        {"reviewer": " "},
        {"reviewer": "x" * 101},
        {"period": "soon"},
        {"label": "FINE"},
    ],
)
async def test_what_cannot_be_asked_is_refused(here: Here, parameters: dict[str, str]) -> None:
    answer = await here.http.get(QUEUE, params=parameters)
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_parameter")


async def test_both_are_described(here: Here) -> None:
    paths = (await here.http.get("/openapi.json")).json()["paths"]
    asked = paths[QUEUE]["get"]
    assert {one["name"] for one in spelled_out(asked["parameters"])} >= {
        "store",
        "period",
        "limit",
        "reviewer",
        "order",
    }
    assert "unbiased" in asked["description"]
    told = paths["/evaluations/{query_id}"]["post"]
    schema = told["requestBody"]["content"]["application/json"]["schema"]
    assert schema["properties"].keys() == {"label", "reason", "explanation", "reviewer"}
    assert {"200", "404"} <= told["responses"].keys()
