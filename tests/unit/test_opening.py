"""How a database is opened, and how long one is waited for."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import structlog
from structlog.testing import LogCapture

from aura_analytics import opening
from aura_analytics.errors import MigrationError, StoreUnavailable
from aura_analytics.opening import opened_store
from aura_analytics.settings import Settings
from aura_analytics.store import Store


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(aura_database_url=f"sqlite:///{tmp_path}/aura.db", aura_statistics="off")


@pytest.fixture
def logged(monkeypatch: pytest.MonkeyPatch) -> LogCapture:
    """What the module logs."""
    capture = LogCapture()
    monkeypatch.setattr(opening, "log", structlog.wrap_logger(structlog.PrintLogger(), processors=[capture]))
    return capture


class Opening:
    """A database that opens only after some tries."""

    def __init__(self, errors: list[Exception], store: Store) -> None:
        self._errors = errors
        self._store = store
        self.tries = 0

    async def __call__(self, _settings: Settings) -> Store:
        """Try."""
        self.tries += 1
        if self._errors:
            raise self._errors.pop(0)
        return self._store


@pytest.fixture
async def store(settings: Settings) -> AsyncIterator[Store]:
    async with opened_store(settings) as opened:
        yield opened


@pytest.fixture(autouse=True)
def _in_no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening, "FIRST_PAUSE_S", 0.001)
    monkeypatch.setattr(opening, "JITTER_S", 0.0)


def opening_with(monkeypatch: pytest.MonkeyPatch, store: Store, *errors: Exception) -> Opening:
    made = Opening(list(errors), store)
    monkeypatch.setattr(opening, "_open_store", made)
    return made


async def test_a_database_that_starts_late_is_waited_for(
    monkeypatch: pytest.MonkeyPatch, settings: Settings, store: Store, logged: LogCapture
) -> None:
    made = opening_with(monkeypatch, store, StoreUnavailable("starting"), StoreUnavailable("starting"))
    async with opened_store(settings, patience_s=60) as opened:
        assert opened is store
    assert made.tries == 3
    assert [(line["event"], line["error"]) for line in logged.entries] == [("database_awaited", "starting")] * 2
    pauses = [line["again_in_s"] for line in logged.entries]
    assert pauses == sorted(pauses)


async def test_it_is_not_waited_for_longer_than_that(
    monkeypatch: pytest.MonkeyPatch, settings: Settings, store: Store
) -> None:
    made = opening_with(monkeypatch, store, *[StoreUnavailable("away")] * 1_000)
    with pytest.raises(StoreUnavailable, match="away"):
        async with opened_store(settings, patience_s=0.01):
            pass
    assert 1 < made.tries < 1_000


async def test_without_patience_one_try_is_all(
    monkeypatch: pytest.MonkeyPatch, settings: Settings, store: Store, logged: LogCapture
) -> None:
    made = opening_with(monkeypatch, store, StoreUnavailable("away"))
    with pytest.raises(StoreUnavailable):
        async with opened_store(settings):
            pass
    assert (made.tries, logged.entries) == (1, [])


async def test_what_no_waiting_mends_is_told_at_once(
    monkeypatch: pytest.MonkeyPatch, settings: Settings, store: Store
) -> None:
    made = opening_with(monkeypatch, store, MigrationError("another shape"))
    with pytest.raises(MigrationError):
        async with opened_store(settings, patience_s=60):
            pass
    assert made.tries == 1
