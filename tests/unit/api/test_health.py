"""Health: only the row database decides, what is wrong with it is told in a word, and nothing waits for long."""

import asyncio
from typing import get_args

import httpx
import msgspec
import pytest
from fastapi import FastAPI

from aura_analytics.api import health as module
from aura_analytics.api import problems
from aura_analytics.api.endpoints import state_router
from aura_analytics.api.health import health
from aura_analytics.errors import ProjectionUnavailable, StatisticsOff, StoreUnavailable, Trouble
from aura_analytics.projection import NoColumns, ProjectionStatus
from aura_analytics.projection.port import Verification
from unit.api.conftest import Reach

TROUBLES: tuple[Trouble, ...] = get_args(Trouble)


class Rows:
    """A row database that is well, or answers a ping with an error, or not at all."""

    def __init__(self, error: StoreUnavailable | None = None, *, hangs: bool = False) -> None:
        self._error = error
        self._hangs = hangs

    async def ping(self) -> None:
        """Give the sign of life that was asked for."""
        if self._hangs:
            await asyncio.Event().wait()
        if self._error:
            raise self._error


class Followed:
    """Columns that follow, or can't tell."""

    def __init__(self, error: Exception | None = None, *, hangs: bool = False) -> None:
        self._error = error
        self._hangs = hangs

    async def status(self) -> ProjectionStatus:
        """Give the phase."""
        if self._hangs:
            await asyncio.Event().wait()
        if self._error:
            raise self._error
        return ProjectionStatus(phase="following", progress=1.0, position=7)


async def test_all_is_well() -> None:
    found = await health(Rows(), Followed())
    assert (found.status, found.database, found.statistics) == ("healthy", "usable", "following")
    assert found.worker == "analytics"


@pytest.mark.parametrize("trouble", TROUBLES)
async def test_what_is_wrong_with_the_database_is_told_in_a_word(trouble: Trouble) -> None:
    found = await health(Rows(StoreUnavailable("connection to 10.0.0.1 refused", trouble=trouble)), Followed())
    assert (found.status, found.database) == ("unhealthy", trouble)
    assert "10.0.0.1" not in msgspec.json.encode(found).decode()


async def test_a_database_that_does_not_answer_is_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "DATABASE_WAIT_S", 0.01)
    assert (await health(Rows(hangs=True), Followed())).database == "slow"


@pytest.mark.parametrize(
    ("columns", "phase"),
    [
        (Followed(ProjectionUnavailable("starting")), "unavailable"),
        (Followed(hangs=True), "unavailable"),
        (Followed(StatisticsOff("off")), "off"),
        (NoColumns(), "off"),
    ],
)
async def test_statistics_are_told_and_decide_nothing(
    monkeypatch: pytest.MonkeyPatch, columns: Followed | NoColumns, phase: str
) -> None:
    monkeypatch.setattr(module, "COLUMNS_WAIT_S", 0.01)
    found = await health(Rows(), columns)
    assert (found.status, found.statistics) == ("healthy", phase)


@pytest.fixture
def unwell(reach: Reach) -> httpx.AsyncClient:
    """The endpoints of a service without a database and without statistics."""
    app = FastAPI()
    problems.install(app)
    rows = Rows(StoreUnavailable("no", trouble="read-only"))
    app.include_router(state_router(lambda: health(rows, NoColumns()), NoColumns(), Verification))
    return reach(app)


async def test_a_load_balancer_sees_it_by_the_status(unwell: httpx.AsyncClient) -> None:
    answer = await unwell.get("/health")
    assert answer.status_code == 503
    assert answer.json()["database"] == "read-only"
    assert (await unwell.head("/health")).status_code == 503


async def test_without_statistics_there_is_nothing_to_verify(unwell: httpx.AsyncClient) -> None:
    answer = await unwell.get("/verify")
    assert (answer.status_code, answer.json()["code"]) == (503, "statistics_off")
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["title"] == "This server keeps no statistics"
    assert "--stats" in answer.json()["detail"]
    assert "retry-after" not in answer.headers, "the same server won't answer later either"
