"""How good the automatic labels are, over HTTP: what is taken, what is refused, and its table."""

import csv
import io
import json
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from aura_analytics.api import judging, problems
from aura_analytics.api.asking import spelled_out
from aura_analytics.events.records import Verdict
from contract.making import NOW, verdict
from unit.api.conftest import Reach
from unit.stats.held import Held, Row

PATH = "/stats/agreement"
ALL = {"period": "all"}


def labelled(id: str, label: str, by: str = "auto") -> Row:
    """An interaction with its label."""
    return {
        "id": id,
        "store_id": "shop",
        "created_at": NOW - 600_000,
        "query_text": "red shoes",
        "query_source": "voice",
        "has_outcome": True,
        "label": label,
        "evaluated_by": by,
    }


class Rows:
    """A row database that knows what was said automatically before people came."""

    async def automatic_verdicts(self, query_ids: Sequence[str]) -> list[Verdict]:
        known = {"a": verdict("a", "GOOD"), "b": verdict("b", "BAD"), "c": verdict("c", "BAD")}
        return [known[id] for id in query_ids if id in known]


@pytest.fixture
def held() -> Iterator[Held]:
    with Held() as columns:
        yield columns.fill([labelled("a", "BAD", "human"), labelled("b", "BAD", "human"), labelled("c", "BAD")])


@pytest.fixture
def client(held: Held, reach: Reach) -> httpx.AsyncClient:
    app = FastAPI()
    problems.install(app)
    app.include_router(judging.router(held, Rows()))
    return reach(app)


async def test_people_s_labels_are_held_against_the_automatic_ones(client: httpx.AsyncClient) -> None:
    found = (await client.get(PATH, params=ALL)).json()
    assert {name: found[name] for name in ("storeId", "period", "truth", "known", "pairs", "others")} == {
        "storeId": "all",
        "period": "all",
        "truth": "human",
        "known": 2,
        "pairs": 2,
        "others": 1,
    }
    assert {"automatic": "GOOD", "truth": "BAD", "count": 1} in found["confusion"]
    assert (found["accuracy"]["value"], found["badRate"]["plain"]["value"]) == (0.5, 1)
    assert (found["badRate"]["corrected"], found["badRate"]["samplingP"]) == (None, None)
    assert found["behaviour"][0]["saidAgain"]["of"] == 3


async def test_where_nothing_can_be_said_there_is_null(client: httpx.AsyncClient) -> None:
    answer = await client.get(PATH, params=ALL | {"store": "elsewhere"})
    found = answer.json()
    assert {found[name] for name in ("confusion", "accuracy", "kappa", "calibration")} == {None}
    assert set(found["badRate"].values()) == {None}
    assert "NaN" not in answer.text


async def test_a_reference_is_taken(client: httpx.AsyncClient) -> None:
    answer = await client.post(PATH, params=ALL, json={"a": "GOOD", "c": "GOOD"})
    assert answer.status_code == 200, answer.text
    found = answer.json()
    assert (found["truth"], found["known"], found["pairs"], found["accuracy"]["value"]) == ("reference", 2, 2, 0.5)


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"a": "FINE"}', b'{"a": null}', b"[" * 100_000, b"\xff"])
async def test_a_reference_that_is_none_is_refused(client: httpx.AsyncClient, body: bytes) -> None:
    answer = await client.post(PATH, params=ALL, content=body)
    assert (answer.status_code, answer.json()["code"]) == (400, "malformed_body")


async def test_a_reference_has_a_limit(client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(judging, "MOST_BYTES", 20)

    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(3):
            yield b" " * 10

    answer = await client.post(PATH, params=ALL, content=pieces())
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")


@pytest.mark.parametrize("parameters", [{"label": "BAD"}, {"reason": "is_bad"}, {"period": "soon"}, {"format": "xml"}])
async def test_what_cannot_be_asked_is_refused(client: httpx.AsyncClient, parameters: dict[str, Any]) -> None:
    for answer in (
        await client.get(PATH, params=parameters),
        await client.post(PATH, params=parameters, content=json.dumps({"a": "BAD"})),
    ):
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid_parameter")


async def test_its_table_is_the_matrix(client: httpx.AsyncClient) -> None:
    rows = list(csv.DictReader(io.StringIO((await client.get(PATH, params=ALL | {"format": "csv"})).text)))
    assert list(rows[0]) == ["automatic", "truth", "count"]
    assert len(rows) == 9
    empty = await client.get(PATH, params=ALL | {"format": "csv", "store": "elsewhere"})
    assert list(csv.reader(io.StringIO(empty.text))) == [["automatic", "truth", "count"]]


async def test_both_ways_are_described(client: httpx.AsyncClient) -> None:
    document = (await client.get("/openapi.json")).json()
    for method in ("get", "post"):
        operation = document["paths"][PATH][method]
        assert {one["name"] for one in spelled_out(operation["parameters"])} >= {
            "store",
            "period",
            "from",
            "to",
            "format",
        }
        assert "application/json" in operation["responses"]["200"]["content"]
    assert "requestBody" in document["paths"][PATH]["post"]
