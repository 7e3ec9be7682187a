"""What every test of the suite starts from: a backend, a database of it, and one or two stores on that."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from aura_analytics.store import Store
from contract.backends import BACKENDS, Backend, Postgres, Sqlite
from contract.making import Watch


@pytest.fixture(params=BACKENDS)
async def backend(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Backend]:
    sqlite = request.param == "sqlite"
    made = Sqlite(tmp_path) if sqlite else Postgres(request.getfixturevalue("forgetful_postgres_server"))
    yield made
    await made.dispose()


@pytest.fixture
def watch() -> Watch:
    """The clock of `store` and `other_store`."""
    return Watch()


@pytest.fixture
async def database(backend: Backend) -> str:
    return await backend.fresh()


@pytest.fixture
async def store(backend: Backend, database: str, watch: Watch) -> Store:
    return await backend.open(database, clock=watch)


@pytest.fixture
async def other_store(backend: Backend, database: str, watch: Watch, store: Store) -> Store:  # noqa: ARG001 (opened first)
    """Another server's store on the database of `store`."""
    return await backend.open(database, clock=watch)
