"""The reading endpoints: what they take, in which form they answer, and what they refuse."""

import csv
import io
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from aura_analytics.api import problems
from aura_analytics.api.asking import spelled_out
from aura_analytics.api.endpoints import router
from aura_analytics.stats.summary import EvaluationQueue
from contract.making import NOW, conversion, conversion_row
from unit.api.conftest import Reach
from unit.stats.held import Held, Row

HOUR = NOW // 3_600_000 * 3_600_000
LISTS = ["top-queries", "unanswered", "hourly", "timeseries", "intents", "models", "stores", "dataset", "quality"]
SINGLE = ["summary", "latency", "sessions"]
FAR_PAST = {"from": "0", "to": "1000"}


def said(id: str, **fields: Any) -> Row:
    """An interaction that went well, unless `fields` say something else."""
    return {
        "id": id,
        "store_id": "a",
        "created_at": NOW - 1_000,
        "query_text": "red shoes",
        "query_source": "voice",
        "fast_path": False,
        "has_outcome": True,
        "action_success": True,
        "latency_ms": 100.0,
        **fields,
    }


ROWS = [
    said("a", intent="find", session_id="s"),
    said("b", intent="find", store_id="b", action_success=False, label="BAD", reason="slow", evaluated_by="auto"),
    said("c", intent=None, created_at=HOUR - 5_000, label="GOOD", evaluated_by="human"),
    said("d", intent="order,track", created_at=NOW - 30 * 3_600_000, query_source="text"),
]


@pytest.fixture
def held() -> Iterator[Held]:
    with Held() as columns:
        yield columns.fill(ROWS, [conversion_row(conversion("x", query_id="a", value=5.0, currency="EUR"))])


@pytest.fixture
def lasting() -> list[bool]:
    """What the endpoints told about their answers, one after the other."""
    return []


@pytest.fixture
def client(held: Held, reach: Reach, lasting: list[bool]) -> httpx.AsyncClient:
    """The endpoints over columns."""

    async def queue_depth() -> EvaluationQueue:
        return EvaluationQueue(due=1, waiting=2, failed=3)

    reading = FastAPI()
    problems.install(reading)
    reading.include_router(router(held, queue_depth))

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await reading(scope, receive, send)
        lasting.append(scope["aura_lasting"])

    return reach(app)


async def asked(client: httpx.AsyncClient, path: str, **parameters: Any) -> Any:
    answer = await client.get(f"/stats/{path}", params=parameters)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def refused(client: httpx.AsyncClient, path: str, query: str) -> str:
    answer = await client.get(f"/stats/{path}?{query}")
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_parameter")
    return str(answer.json()["detail"])


class TestFilters:
    @pytest.mark.parametrize(
        ("query", "count"),
        [
            ("", 3),
            ("store=a", 2),
            ("storeId=a", 2),
            ("store_id=a&store=a", 2),
            ("store=a&store=b", 3),
            ("store=a&store=b&storeId=b&storeId=a", 3),
            ("intent=find&intent=(none)", 3),
            ("intent=order,track&period=all", 1),
            ("label=good", 1),
            ("label=(none)", 1),
            ("source=text&period=all", 1),
            ("text=SHOES&session=s", 1),
            ("latency_min=100&latency_max=100.5", 3),
            ("confidence_min=0", 0),
            ("reason=slow&model=(none)&action=(none)", 1),
            ("user=nobody", 0),
        ],
    )
    async def test_they_all_hold(self, client: httpx.AsyncClient, query: str, count: int) -> None:
        assert (await client.get(f"/stats/summary?{query}")).json()["totalQueries"] == count

    @pytest.mark.parametrize("query", ["store=a&storeId=b", "store=a&store_id=a&store_id=b", "storeId=a&store_id=b"])
    async def test_aliases_that_disagree_are_refused(self, client: httpx.AsyncClient, query: str) -> None:
        assert await refused(client, "summary", query) == (
            "store, storeId and store_id name different stores; give one of them"
        )

    async def test_several_stores_are_named(self, client: httpx.AsyncClient) -> None:
        assert (await client.get("/stats/summary?store=b&store=a")).json()["storeId"] == "b,a"

    @pytest.mark.parametrize("label", ["GOOD", "bad"])
    async def test_a_label_of_the_dataset_is_its_own(self, client: httpx.AsyncClient, label: str) -> None:
        assert len(await asked(client, "dataset", label=label)) == 1
        assert len(await asked(client, "dataset")) == 1
        assert await asked(client, "dataset", label=label, text="nothing") == []


class TestForms:
    @pytest.mark.parametrize("path", LISTS + SINGLE)
    async def test_each_answer_also_comes_as_a_table(self, client: httpx.AsyncClient, path: str) -> None:
        answer = await client.get(f"/stats/{path}?format=csv")
        assert answer.headers["content-type"] == "text/csv; charset=utf-8"
        assert f'filename="{path}.csv"' in answer.headers["content-disposition"]
        header, *rows = csv.reader(io.StringIO(answer.text, newline=""))
        assert rows
        assert all(len(row) == len(header) for row in rows)

    @pytest.mark.parametrize("path", LISTS)
    async def test_a_table_without_rows_has_its_header(self, client: httpx.AsyncClient, path: str) -> None:
        if path == "timeseries":  # it has no gaps
            return
        answer = await client.get(f"/stats/{path}", params={**FAR_PAST, "format": "csv"})
        assert len(answer.text.splitlines()) == 1

    @pytest.mark.parametrize("path", ["summary", "intents", "timeseries", "latency", "sessions"])
    async def test_a_comparison_comes_as_a_table_as_well(self, client: httpx.AsyncClient, path: str) -> None:
        for form in ("csv", "parquet"):
            answer = await client.get(f"/stats/{path}?compare=previous&format={form}")
            assert answer.status_code == 200
            assert answer.content

    async def test_the_rows_of_a_series_follow_on_each_other(self, client: httpx.AsyncClient) -> None:
        query = "period=2h&split=intent&top=1&metric=queries,revenue&format=csv"
        rows = list(csv.DictReader(io.StringIO((await client.get(f"/stats/timeseries?{query}")).text, newline="")))
        assert [(row["split"], row["other"], row["queries"]) for row in rows] == [
            *[("find", "false", "0")] * 2,
            ("find", "false", "2"),
            ("", "true", "0"),
            ("", "true", "1"),
            ("", "true", "0"),
        ]
        assert rows[2]["revenue"] == '{"EUR":5.0}'


class TestSeries:
    async def test_hours_are_those_of_the_contract_without_a_zone(self, client: httpx.AsyncClient) -> None:
        found = await asked(client, "hourly")
        assert [row["hour"] for row in found] == ["2025-10-09T08:00:00Z", "2025-10-09T07:00:00Z"]
        assert found[0].keys() == {"hour", "queries", "successes", "failures", "avgLatencyMs", "costUsd", "sessions"}

    async def test_hours_of_a_zone_have_its_offset(self, client: httpx.AsyncClient) -> None:
        found = await asked(client, "hourly", tz="Asia/Kolkata")
        assert [(row["hour"], row["queries"]) for row in found] == [
            ("2025-10-09T14:00:00+05:30", 2),
            ("2025-10-09T13:00:00+05:30", 1),
        ]

    async def test_a_point_holds_its_metrics_by_their_names(self, client: httpx.AsyncClient) -> None:
        found = await asked(client, "timeseries", period="2h", metric=["queries", "success_rate"])
        assert found == {
            "step": "hour",
            "tz": "UTC",
            "metrics": ["queries", "success_rate"],
            "series": [
                {
                    "split": None,
                    "other": False,
                    "points": [
                        {"at": "2025-10-09T06:00:00Z", "queries": 0, "success_rate": None},
                        {"at": "2025-10-09T07:00:00Z", "queries": 1, "success_rate": 1.0},
                        {"at": "2025-10-09T08:00:00Z", "queries": 2, "success_rate": 0.5},
                    ],
                }
            ],
        }

    @pytest.mark.parametrize(
        ("query", "words"),
        [
            ("metric=x", "metric is one or more of"),
            ("step=year", "step is one of"),
            ("tz=Mars", "tz is the name of a time zone"),
            ("split=user", "split is one of"),
            ("split=store&top=0", "top is a whole number"),
            ("compare=next", "compare is previous"),
            ("compare=previous&period=all", "compare needs a window with a beginning"),
            ("from=0&step=minute", "these are more than 20,000 steps"),
        ],
    )
    async def test_what_can_not_be_read_is_told(self, client: httpx.AsyncClient, query: str, words: str) -> None:
        assert (await refused(client, "timeseries", query)).startswith(words)


class TestGroups:
    @pytest.mark.parametrize(
        ("path", "key", "values"),
        [("intents", "intent", ["find", None]), ("models", "modelName", [None]), ("stores", "storeId", ["a", "b"])],
    )
    async def test_they_are_named_for_what_they_are(
        self, client: httpx.AsyncClient, path: str, key: str, values: list[str | None]
    ) -> None:
        found = await asked(client, path)
        assert [row[key] for row in found] == values
        assert next(iter(found[0])) == key
        assert len(await asked(client, path, limit=1)) == 1

    async def test_success_rate_is_percent_as_in_every_list(self, client: httpx.AsyncClient) -> None:
        [first, _] = await asked(client, "intents")
        assert (first["successRate"], first["conversionRate"], first["revenue"]) == (50, 0.5, {"EUR": 5.0})

    async def test_a_comparison_keeps_to_the_groups_of_the_window(self, client: httpx.AsyncClient) -> None:
        found = await asked(client, "stores", compare="previous")
        assert [(row["storeId"], (row["previous"] or {}).get("queries")) for row in found] == [("a", 1), ("b", None)]
        assert found[0]["change"]["queries"] == {"absolute": 1, "relative": 1.0}
        assert found[1]["change"] == {}


class TestPresent:
    async def test_the_queue_is_that_of_the_present(self, client: httpx.AsyncClient) -> None:
        assert (await asked(client, "summary"))["evaluationQueue"] == {"due": 1, "waiting": 2, "failed": 3}
        assert (await asked(client, "summary", **FAR_PAST))["evaluationQueue"] is None

    @pytest.mark.parametrize("path", LISTS + SINGLE)
    async def test_only_what_is_past_lasts(self, client: httpx.AsyncClient, lasting: list[bool], path: str) -> None:
        await asked(client, path)
        await asked(client, path, **FAR_PAST)
        assert lasting == [False, path != "sessions"]


def test_every_answer_is_described(client: httpx.AsyncClient, held: Held) -> None:  # noqa: ARG001 (it makes the router)
    reading = FastAPI()
    reading.include_router(router(held))
    for path in LISTS + SINGLE:
        operation = reading.openapi()["paths"][f"/stats/{path}"]["get"]
        names = {parameter["name"] for parameter in spelled_out(operation["parameters"])}
        assert names >= {"store", "period", "from", "to", "intent", "label", "latency_max", "format"}
        assert set(operation["responses"]["200"]["content"]) >= {"application/json", "text/csv"}
