"""The composition root: what a server is made of."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from aura_analytics import app
from aura_analytics.app import kept_columns, make_app
from aura_analytics.errors import SettingsError
from aura_analytics.guard.access import ROUTES
from aura_analytics.labelling import prepare_judge
from aura_analytics.opening import opened_store
from aura_analytics.projection import NoColumns, owner_of
from aura_analytics.settings import Settings
from aura_analytics.store import Store, columns_path


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(aura_database_url=f"sqlite:///{tmp_path}/aura.db", aura_statistics="off")


@pytest.fixture
async def store(settings: Settings) -> AsyncIterator[Store]:
    async with opened_store(settings) as opened:
        yield opened


async def test_without_statistics_nothing_is_started_and_nothing_announced(settings: Settings, store: Store) -> None:
    async with kept_columns(settings, "http://here") as columns:
        assert owner_of(columns_path(settings)) is None
        assert not columns_path(settings).exists()
        transport = httpx.ASGITransport(make_app(settings, store, columns))
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            assert (await client.get("/health")).json()["statistics"] == "off"
            assert (await client.get("/stats/summary")).json()["code"] == "statistics_off"
            assert (await client.get("/openapi.json")).status_code == 200


async def test_the_door_knows_every_route_so_that_none_is_closed_or_open_by_mistake(
    settings: Settings, store: Store
) -> None:
    transport = httpx.ASGITransport(make_app(settings, store, NoColumns()))
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
        paths = (await client.get("/openapi.json")).json()["paths"]

    described = {(method.upper(), path) for path, methods in paths.items() for method in methods}
    known = {(method, path.replace(":path}", "}")) for method, path in ROUTES}

    assert described - {("HEAD", "/health")} <= known
    assert len(described) > 20


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"trusted_proxies": "10.0.0.0/8, here"}, "TRUSTED_PROXIES: “here”"),
        ({"cors_allow_origins": "https://a.example *"}, r"CORS_ALLOW_ORIGINS: “\*”"),
    ],
)
def test_a_door_that_can_t_be_made_stops_the_start(tmp_path: Path, given: dict[str, str], named: str) -> None:
    settings = Settings(aura_database_url=f"sqlite:///{tmp_path}/aura.db", port=0, **given)
    with pytest.raises(SettingsError, match=named):
        asyncio.run(app.serve(settings))
    assert list(tmp_path.iterdir()) == []


def test_without_a_key_there_is_no_judge() -> None:
    assert prepare_judge(Settings()) is None


@pytest.mark.parametrize("key", ["", "key"])
def test_a_rubric_that_can_t_be_read_stops_the_start(tmp_path: Path, key: str) -> None:
    with pytest.raises(SettingsError, match=r"^EVAL_RUBRIC: .* can't be read"):
        prepare_judge(Settings(eval_rubric=str(tmp_path / "none.md"), gemini_api_key=key))
