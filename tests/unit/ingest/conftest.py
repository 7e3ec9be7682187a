"""A real store in a file of its own, and files to read events from."""

import gzip
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from aura_analytics.ingest.files import Source
from aura_analytics.settings import Settings
from aura_analytics.store import Store, make_store, migrate

WriteFile = Callable[..., Source]


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    settings = Settings(aura_database_url=f"sqlite:///{tmp_path}/aura.db")
    migrate(settings)
    store = make_store(settings)
    await store.open()
    yield store
    await store.close()


@pytest.fixture
def write_file(tmp_path: Path) -> WriteFile:
    """Write a file and give it as a source; `packed` as gzip."""

    def write(content: bytes, name: str = "events", *, packed: bool = False) -> Source:
        path = tmp_path / name
        path.write_bytes(gzip.compress(content) if packed else content)
        return Source(str(path))

    return write
