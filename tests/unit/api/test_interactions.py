"""The endpoints about single interactions: pages by cursor or by link, tables, and what they refuse."""

import csv
import io
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from aura_analytics.api import problems
from aura_analytics.api.interactions import router
from aura_analytics.events.records import InteractionDetails
from aura_analytics.projection import NoColumns
from aura_analytics.stats.reader import ColumnReader
from contract.making import NOW, query
from unit.api.conftest import Reach
from unit.stats.held import Held, Row

ALL = {"period": "all"}
IDS = ["a", "b\n\n", "c", "d/e f?"]
ROWS: list[Row] = [
    {
        "id": id,
        "store_id": "shop",
        "created_at": NOW + n,
        "query_text": f"red shoes {n}",
        "query_source": "voice",
        "fast_path": False,
        "has_outcome": n != 2,
        "latency_ms": None if n == 2 else 100.0 * n,
        "intent": "find" if n else None,
    }
    for n, id in enumerate(IDS)
]


class Rows:
    """A row database that knows the queries of these rows."""

    async def interaction(self, query_id: str) -> InteractionDetails | None:
        """Give one."""
        if query_id not in IDS:
            return None
        return InteractionDetails(query=query(query_id), outcome=None, verdict=None, history=[], conversions=[])


@pytest.fixture
def held() -> Iterator[Held]:
    with Held() as columns:
        yield columns.fill(ROWS)


@pytest.fixture
def client(held: Held, reach: Reach) -> httpx.AsyncClient:
    app = FastAPI()
    problems.install(app)
    app.include_router(router(held, Rows()))
    return reach(app)


async def page(client: httpx.AsyncClient, **parameters: Any) -> tuple[list[str], str | None]:
    """The ids of a page, and the cursor of the next."""
    answer = await client.get("/interactions", params=ALL | parameters)
    assert answer.status_code == 200, answer.text
    found = answer.json()
    return [one["id"] for one in found["interactions"]], found["nextCursor"]


async def test_the_newest_come_first_unless_asked_otherwise(client: httpx.AsyncClient) -> None:
    assert await page(client) == (IDS[::-1], None)
    assert await page(client, order="asc") == (IDS, None)
    assert await page(client, sort="latency") == (["d/e f?", "b\n\n", "a", "c"], None)
    assert await page(client, sort="latency", order="asc", intent="find") == (["b\n\n", "d/e f?", "c"], None)


async def test_a_cursor_goes_on_where_the_page_ended(client: httpx.AsyncClient) -> None:
    seen, cursor = await page(client, sort="latency", limit=1)
    while cursor is not None:
        ids, cursor = await page(client, sort="latency", limit=1, cursor=cursor)
        seen += ids
    assert seen == ["d/e f?", "b\n\n", "a", "c"]


async def test_a_table_says_in_its_link_where_it_goes_on(client: httpx.AsyncClient) -> None:
    seen, url = [], "/interactions?period=all&limit=3&format=csv&store=shop&store=other"
    while url:
        answer = await client.get(url)
        assert answer.headers["content-type"].startswith("text/csv")
        seen += [row["id"] for row in csv.DictReader(io.StringIO(answer.text))]
        link = answer.links.get("next")
        url = f"/interactions{link['url']}" if link else ""
    assert seen == IDS[::-1]


async def test_an_answer_without_a_next_page_has_no_link(client: httpx.AsyncClient) -> None:
    answer = await client.get("/interactions", params=ALL)
    assert "link" not in answer.headers


@pytest.mark.parametrize(
    ("parameters", "says"),
    [
        ({"sort": "size"}, "sort is one of created_at, latency, cost, confidence"),
        ({"order": "up"}, "order is one of desc, asc"),
        ({"limit": "0"}, "limit is a whole number"),
        ({"limit": "1001"}, "limit is a whole number from 1 to 1,000"),
        ({"cursor": "abc"}, "nextCursor"),
        ({"latency_min": "fast"}, "latency_min"),
        ({"period": "soon"}, "period"),
        ({"format": "xml"}, "format"),
    ],
)
async def test_what_cant_be_read_is_refused_with_what_would_do(
    client: httpx.AsyncClient, parameters: dict[str, str], says: str
) -> None:
    answer = await client.get("/interactions", params=parameters)
    assert answer.status_code == 400
    assert says in answer.json()["detail"]


async def test_a_cursor_of_another_order_is_refused(client: httpx.AsyncClient) -> None:
    _, cursor = await page(client, limit=1)
    answer = await client.get("/interactions", params={"order": "asc", "cursor": cursor})
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_parameter")


@pytest.mark.parametrize("id", ["a", "d%2Fe%20f%3F", "b%0A%0A"])
async def test_one_is_found_by_its_id_whatever_characters_that_has(client: httpx.AsyncClient, id: str) -> None:
    answer = await client.get(f"/interactions/{id}")
    assert answer.status_code == 200
    assert answer.json()["query"]["id"] in IDS


@pytest.mark.parametrize("id", ["nobody", "", "%00", "a/b"])
async def test_one_that_isnt_there_is_a_problem_of_its_own(client: httpx.AsyncClient, id: str) -> None:
    answer = await client.get(f"/interactions/{id}")
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"] == "not_found"


async def test_without_statistics_one_interaction_is_told_and_its_conversation_is_not(reach: Reach) -> None:
    app = FastAPI()
    problems.install(app)
    app.include_router(router(ColumnReader(NoColumns(), grace_ms=0), Rows()))
    client = reach(app)
    found = (await client.get("/interactions/a")).json()
    assert found["query"]["id"] == "a"
    assert (found["turns"], found["rephrased"], found["repeated"], found["cause"]) == ([], None, None, None)
    assert (await client.get("/interactions/nobody")).status_code == 404
    refused = await client.get("/interactions")
    assert (refused.status_code, refused.json()["code"]) == (503, "statistics_off")
