"""What the judge cost, over HTTP: altogether and by model, with what waits and what the day may still cost."""

import csv
import io
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from aura_analytics.api import judging, problems
from aura_analytics.api.cache import Cache
from aura_analytics.events.records import JudgeCall
from aura_analytics.store.sqlite import SqliteStore
from contract.making import GRACE_MS, NOW, query
from unit.api.conftest import Reach
from unit.stats.conftest import stored

PATH = "/stats/judge"
DAY_MS = 86_400_000


def call(id: str, **fields: Any) -> JudgeCall:
    """A request that was answered a minute ago, unless `fields` say something else."""
    whole = {
        "store_id": "shop",
        "called_at": NOW - 60_000,
        "model": "google:small",
        "rubric": "voice@1",
        "outcome": "answered",
        "duration_ms": 400.0,
        "tokens_prompt": 1_000,
        "tokens_completion": 50,
        "cost_usd": 0.001,
        **fields,
    }
    return JudgeCall(query_id=id, **whole)


CALLS = [
    call("a"),
    call("b", duration_ms=600.0),
    call("b", outcome="timed_out", duration_ms=15_000.0, tokens_prompt=0, tokens_completion=0, cost_usd=0.0),
    call("b", model="own:large", rubric="voice@2", cost_usd=None, duration_ms=2_000.0),
    call("c", store_id="elsewhere"),
    call("d", called_at=NOW - 3 * DAY_MS),
]


@pytest.fixture
async def reached(tmp_path: Path, reach: Reach) -> AsyncIterator[tuple[httpx.AsyncClient, SqliteStore]]:
    """A service, as it is kept in front of, and its store, in which two queries wait."""
    waiting = [query("q1", created_at=NOW - 2 * GRACE_MS, received_at=NOW - 2 * GRACE_MS), query("q2")]
    async with stored(tmp_path / "aura.db", waiting) as (store, reader):
        await store.note_calls(CALLS)
        app = FastAPI()
        problems.install(app)
        app.include_router(judging.router(reader, store, budget_usd=2.5, clock=lambda: NOW))
        yield reach(Cache(app, store, clock=lambda: NOW)), store


async def asked(client: httpx.AsyncClient, **parameters: str) -> dict[str, Any]:
    answer = await client.get(PATH, params=parameters)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def test_all_requests_of_a_window_are_summed_up(reached: tuple[httpx.AsyncClient, SqliteStore]) -> None:
    found = await asked(reached[0])
    numbers = {name: found[name] for name in ("storeId", "period", "to", "calls", "answered", "failures")}
    assert numbers == {
        "storeId": "all",
        "period": "24h",
        "to": None,
        "calls": 5,
        "answered": 4,
        "failures": {"timed_out": 1},
    }
    assert (found["failureRate"], found["tokensPrompt"], found["tokensCompletion"]) == (0.2, 4_000, 200)
    assert (found["costUsd"], found["unpricedCalls"], found["costPerLabelUsd"]) == (0.003, 1, None)
    assert found["latencyMs"] == {"p50": 400.0, "p95": 2_000.0, "p99": 2_000.0, "mean": 850.0}


async def test_each_model_by_each_rubric_is_told_apart(reached: tuple[httpx.AsyncClient, SqliteStore]) -> None:
    small, large = (await asked(reached[0]))["byModel"]
    assert (small["model"], small["rubric"], small["calls"]) == ("google:small", "voice@1", 4)
    assert small["costPerLabelUsd"] == pytest.approx(0.001)
    assert (large["model"], large["rubric"], large["costUsd"], large["unpricedCalls"]) == (
        "own:large",
        "voice@2",
        None,
        1,
    )


async def test_the_present_is_told_of_too(reached: tuple[httpx.AsyncClient, SqliteStore]) -> None:
    found = await asked(reached[0])
    assert found["queue"] == {"due": 1, "waiting": 1, "failed": 0, "oldestAgeMs": GRACE_MS}
    assert found["today"]["budgetUsd"] == 2.5
    assert found["today"]["spentUsd"] == pytest.approx(0.003)
    assert found["today"]["resetsAt"] == (NOW // DAY_MS + 1) * DAY_MS


async def test_of_one_store_there_are_its_requests_only(reached: tuple[httpx.AsyncClient, SqliteStore]) -> None:
    found = await asked(reached[0], store="elsewhere", period="all")
    assert (found["storeId"], found["calls"], found["queue"], found["today"]) == ("elsewhere", 1, None, None)


async def test_of_nothing_there_is_nothing(reached: tuple[httpx.AsyncClient, SqliteStore]) -> None:
    found = await asked(reached[0], store="nobody")
    assert (found["calls"], found["failures"], found["costUsd"], found["byModel"]) == (0, {}, 0, [])
    assert {found[name] for name in ("failureRate", "costPerLabelUsd", "latencyMs")} == {None}


async def test_no_answer_is_kept(reached: tuple[httpx.AsyncClient, SqliteStore]) -> None:
    client, store = reached
    answer = await client.get(PATH)
    assert "etag" not in answer.headers
    await store.note_calls([call("e")])
    assert (await asked(client))["calls"] == 6
    assert (await client.head(PATH)).content == b""


async def test_its_table_has_a_row_for_each_model(reached: tuple[httpx.AsyncClient, SqliteStore]) -> None:
    text = (await reached[0].get(PATH, params={"format": "csv"})).text
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [(row["model"], row["calls"], row["failures"]) for row in rows] == [
        ("google:small", "4", '{"timed_out":1}'),
        ("own:large", "1", "{}"),
    ]
    assert (await reached[0].get(PATH, params={"format": "parquet"})).content.startswith(b"PAR1")


@pytest.mark.parametrize(
    "parameters", [{"intent": "find"}, {"label": "BAD"}, {"store": ["a", "b"]}, {"period": "soon"}, {"format": "xml"}]
)
async def test_what_cannot_be_asked_is_refused(
    reached: tuple[httpx.AsyncClient, SqliteStore], parameters: dict[str, Any]
) -> None:
    answer = await reached[0].get(PATH, params=parameters)
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_parameter")
