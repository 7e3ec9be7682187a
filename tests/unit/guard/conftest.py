"""A house on a real database."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from aura_analytics.settings import Settings
from aura_analytics.store import make_store, migrate
from unit.guard.house import House, Watch


@pytest.fixture
def watch() -> Watch:
    return Watch()


@pytest.fixture
async def house(tmp_path: Path, watch: Watch) -> AsyncIterator[House]:
    settings = Settings(aura_database_url=f"sqlite:///{tmp_path}/aura.db")
    migrate(settings)
    store = make_store(settings, clock=watch)
    await store.open()
    yield House(store, watch)
    await store.close()
