"""The endpoints that say what to mend: what they take, what their tables are, and what they refuse."""

import csv
import io
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from aura_analytics.api import problems
from aura_analytics.api.insights import router
from aura_analytics.errors import SettingsError
from aura_analytics.stats import demand as of_demand
from contract.making import NOW, conversion, conversion_row
from unit.api.conftest import Reach
from unit.stats.held import Held, Row

ALL = {"period": "all"}
PATHS = {
    "/insights/rephrasings": "queryText",
    "/insights/causes": "cause",
    "/insights/demand": "name",
    "/insights/key-terms": "term",
    "/insights/synonyms": "said",
    "/stats/conversions": "intent",
}


def said(id: str, text: str, later: int, **fields: Any) -> Row:
    """An interaction of one session."""
    return {
        "id": id,
        "store_id": "shop",
        "session_id": "s",
        "created_at": NOW - 600_000 + later,
        "query_text": text,
        "query_source": "voice",
        "intent": "find",
        "has_outcome": True,
        "action_success": False,
        **fields,
    }


ROWS = [
    said("a", "do you have red shoes", 0),
    said("b", "show me red sneakers", 5_000),
    said("c", "do you have red boots", 9_000, action_success=True),
    said("d", "gift cards", 20_000, error_flag=True, intent=None),
]


@pytest.fixture
def held() -> Iterator[Held]:
    with Held() as columns:
        yield columns.fill(ROWS, [conversion_row(conversion("x", query_id="c", value=5.0, currency="EUR"))])


@pytest.fixture
def client(held: Held, reach: Reach) -> httpx.AsyncClient:
    app = FastAPI()
    problems.install(app)
    app.include_router(router(held))
    return reach(app)


async def asked(client: httpx.AsyncClient, path: str, **parameters: Any) -> Any:
    answer = await client.get(path, params=ALL | parameters)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_what_was_said_again(client: httpx.AsyncClient) -> None:
    found = await asked(client, "/insights/rephrasings", min_queries=1)
    assert (found["queries"], found["rephrased"], found["rate"]) == (4, 2, 0.5)
    assert [(one["id"], one["nextId"]) for one in found["examples"]] == [("b", "c"), ("a", "b")]
    assert found["intents"] == [
        {"intent": "find", "queries": 3, "rephrased": 2, "repeated": 0, "rate": pytest.approx(2 / 3)}
    ]
    assert (await asked(client, "/insights/rephrasings"))["intents"] == []
    often = await asked(client, "/insights/rephrasings", examples="frequent", limit=1)
    assert [one["count"] for one in often["examples"]] == [1]


async def test_where_it_broke(client: httpx.AsyncClient) -> None:
    found = await asked(client, "/insights/causes", split="intent", step="hour", examples=1)
    assert (found["queries"], found["broken"]) == (4, 3)
    assert {one["cause"]: one["count"] for one in found["causes"]}["did_wrong"] == 3
    assert [(one["value"], one["broken"]) for one in found["parts"]] == [("find", 2), (None, 1)]
    assert sum(one["didWrong"] for one in found["steps"]) == 3
    assert [one["id"] for one in found["examples"]] == ["d"]
    plain = await asked(client, "/insights/causes", examples=0)
    assert (plain["split"], plain["parts"], plain["steps"], plain["examples"]) == (None, [], [], [])


async def test_what_was_asked_for_in_vain(client: httpx.AsyncClient) -> None:
    found = await asked(client, "/insights/demand")
    assert found["unanswered"] == 3
    assert sum(one["volume"] for one in found["topics"]) == 3
    # One answered query of the intent brought 5 EUR; the one without an intent has none to be compared with.
    stakes = {one["name"]: one["moneyAtStake"] for one in found["topics"]}
    assert stakes.pop("gift cards") == []
    assert sum(one["value"] for stake in stakes.values() for one in stake) == 10
    assert len((await asked(client, "/insights/demand", limit=1))["topics"]) == 1


async def test_what_was_bought(client: httpx.AsyncClient) -> None:
    found = await asked(client, "/stats/conversions")
    assert (found["conversions"], found["conversionRate"], found["unattributed"]) == (1, 0.25, 0)
    assert found["revenue"] == [{"currency": "EUR", "value": 5.0, "conversions": 1}]


@pytest.mark.parametrize(("path", "column"), PATHS.items())
async def test_each_comes_as_a_table(client: httpx.AsyncClient, path: str, column: str) -> None:
    answer = await client.get(path, params=ALL | {"format": "csv"})
    assert answer.status_code == 200
    assert column in next(csv.reader(io.StringIO(answer.text)))
    parquet = await client.get(path, params=ALL, headers={"accept": "application/vnd.apache.parquet"})
    assert (parquet.content[:4], parquet.content[-4:]) == (b"PAR1", b"PAR1")


@pytest.mark.parametrize(
    ("parameters", "column"), [({}, "cause"), ({"split": "store"}, "value"), ({"step": "day"}, "start")]
)
async def test_the_table_of_causes_is_what_was_asked_for(
    client: httpx.AsyncClient, parameters: dict[str, str], column: str
) -> None:
    answer = await client.get("/insights/causes", params=ALL | {"format": "csv"} | parameters)
    assert column in next(csv.reader(io.StringIO(answer.text)))


@pytest.mark.parametrize("path", PATHS)
async def test_no_interactions_are_no_error(client: httpx.AsyncClient, path: str) -> None:
    assert await asked(client, path, store="nobody") is not None


@pytest.mark.parametrize(
    ("path", "parameters", "says"),
    [
        ("/insights/rephrasings", {"examples": "best"}, "examples is one of newest, frequent"),
        ("/insights/rephrasings", {"min_queries": "0"}, "min_queries is a whole number from 1"),
        ("/insights/causes", {"split": "weather"}, "split is one of"),
        ("/insights/causes", {"step": "year"}, "step is one of"),
        ("/insights/causes", {"step": "day", "tz": "Nowhere"}, "tz is the name of a time zone"),
        ("/insights/causes", {"examples": "101"}, "examples is a whole number from 0 to 100"),
        ("/insights/demand", {"limit": "many"}, "limit is a whole number"),
        ("/insights/key-terms", {"limit": "0"}, "limit is a whole number"),
        ("/stats/conversions", {"from": "2", "to": "1"}, "from lies after to"),
    ],
)
async def test_what_cant_be_read_is_refused_with_what_would_do(
    client: httpx.AsyncClient, path: str, parameters: dict[str, str], says: str
) -> None:
    answer = await client.get(path, params=parameters)
    assert answer.status_code == 400
    assert says in answer.json()["detail"]


async def test_without_the_libraries_it_says_how_to_get_them(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(_: object) -> None:
        raise SettingsError("topics need the extra `topics`: pip install 'aura-analytics[topics]'")

    monkeypatch.setattr(of_demand, "topics", missing)
    answer = await client.get("/insights/demand", params=ALL)
    assert answer.status_code == 501
    assert answer.headers["content-type"] == "application/problem+json"
    assert (answer.json()["code"], "pip install" in answer.json()["detail"]) == ("extra_missing", True)
    assert (await asked(client, "/insights/key-terms")) is not None
