"""A PostgreSQL database, a store on it, and ways to look into it behind the store's back."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack
from typing import Any, Protocol

import psycopg
import pytest
from psycopg import AsyncConnection

from aura_analytics.errors import StoreUnavailable
from aura_analytics.store.postgres import PostgresStore, migrate
from own_postgres import OwnPostgres
from postgres_server import PostgresServer

# Any, throughout: what a cell of a database can be.
Raw = AsyncConnection[Any]


class Connect(Protocol):
    """Opens connections that are no store's."""

    async def __call__(self, url: str | None = None) -> Raw:
        """Open one, of the test's database if nothing else is said; each statement is its own transaction."""


@pytest.fixture
def make_url(forgetful_postgres_server: PostgresServer) -> Iterator[Callable[[], str]]:
    """Makes empty databases."""
    made: list[str] = []

    def make() -> str:
        made.append(forgetful_postgres_server.create())
        return made[-1]

    yield make
    for url in made:
        forgetful_postgres_server.drop(url)


@pytest.fixture
def url(make_url: Callable[[], str]) -> str:
    """A database that is migrated."""
    made = make_url()
    migrate(made)
    return made


@pytest.fixture
async def store(url: str) -> AsyncIterator[PostgresStore]:
    made = PostgresStore(url)
    await made.open()
    yield made
    await made.close()


@pytest.fixture
async def connect(url: str) -> AsyncIterator[Connect]:
    own = url
    async with AsyncExitStack() as stack:

        async def connect(url: str | None = None) -> Raw:
            opened = await psycopg.AsyncConnection.connect(url or own, autocommit=True)
            return await stack.enter_async_context(opened)

        yield connect


@pytest.fixture
async def raw(connect: Connect) -> Raw:
    return await connect()


@pytest.fixture(scope="session")
def own_server() -> Iterator[OwnPostgres]:
    """A server for those who change it: whoever stops it starts it again."""
    with OwnPostgres(reachable=True) as server:
        yield server


@pytest.fixture
def own_url(own_server: OwnPostgres, request: pytest.FixtureRequest) -> Iterator[str]:
    """A database of it that is migrated, over a port, with a password."""
    name = f"own_{abs(hash(request.node.nodeid))}"
    migrate(own_server.create(name))
    yield f"postgresql://aura:very-secret@127.0.0.1:{own_server.port}/{name}"
    own_server.execute(f"DROP DATABASE {name} WITH (FORCE)")


async def until(look: Callable[[], Any], *, within_s: float = 20.0) -> None:
    """Look again and again until it is so."""
    async with asyncio.timeout(within_s):
        while not await look():  # noqa: ASYNC110 (polls what a server does)
            await asyncio.sleep(0.005)


async def is_well(store: PostgresStore) -> bool:
    """Whether a store gives a sign of life."""
    try:
        await store.ping()
    except StoreUnavailable:
        return False
    return True
