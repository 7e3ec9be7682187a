"""Two servers of one PostgreSQL, asked at once: what passes at both together is what one would let pass."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack

import httpx
import pytest

from acceptance.database import PATIENCE_S, PostgresDatabase
from acceptance.service import Service, until
from acceptance.test_security import make_keys
from postgres_server import PostgresServer

BURST, ASKED = 60, 150
RATES = {"RATE_STORE": "database", "RATE_REQUESTS_PER_SECOND": "0.001", "RATE_REQUESTS_BURST": str(BURST)}


@pytest.fixture(scope="module")
def pair(
    tmp_path_factory: pytest.TempPathFactory, postgres_server: PostgresServer
) -> Iterator[tuple[Service, Service]]:
    """Two processes on one database."""
    database = PostgresDatabase(postgres_server.create())
    folder = tmp_path_factory.mktemp("pair")
    settings = {"AURA_EVALUATE": "off", "AURA_STATISTICS": "off", **RATES}
    with ExitStack() as stack:
        one, other = (stack.enter_context(Service(folder / name, database, **settings)) for name in ("one", "other"))
        yield one, other


async def asked_at_once(urls: list[str], token: str) -> Counter[int]:
    """Ask in turns at all of these, many at a time; count the answers by their status."""
    async with httpx.AsyncClient(trust_env=False, timeout=PATIENCE_S) as client:

        async def ask(number: int) -> int:
            shown = {"X-API-Key": token}
            return (await client.get(f"{urls[number % len(urls)]}/openapi.json", headers=shown)).status_code

        return Counter(await asyncio.gather(*map(ask, range(ASKED))))


def test_two_servers_together_let_pass_no_more_than_one(pair: tuple[Service, Service]) -> None:
    tokens = asyncio.run(make_keys(pair[0]))
    for one in pair:  # until the first key closes it, it is open to this machine
        until(lambda one=one: httpx.get(f"{one.url}/openapi.json", trust_env=False).status_code != 200)  # type: ignore[misc]
    found = asyncio.run(asked_at_once([one.url for one in pair], tokens["reader"]))
    assert found.keys() == {200, 429}
    # All of it may be had, but for what lies in a lease: of a rate this low that is one request at a time.
    assert found[200] == BURST
    assert asyncio.run(asked_at_once([pair[1].url], tokens["admin"]))[200] == BURST
