"""How servers begin: many at once on an empty database, and one before its database is there."""

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import httpx

from machines import PATIENCE_S, Postgres, Server, until

DATABASE_AWAY_S = 4.0


async def started(count: int, postgres: Postgres, folder: Path) -> dict[str, str]:
    """Start many servers at once on an empty database, then one before its database; give how long each took."""
    told(f"starting {count} servers at once")
    url = postgres.create("beginning")
    servers = [Server(f"first-{n}", folder, url) for n in range(count)]
    numbers = {}
    try:
        began = time.monotonic()
        await at_once([server.start for server in servers])
        await at_once([_waiting_for(server) for server in servers])
        numbers[f"{count} servers at once on an empty database follow after"] = f"{time.monotonic() - began:.1f} s"
        await at_once([server.stop for server in servers])
        numbers["a server that waited for its database follows after"] = await _before_its_database(
            servers[0], postgres
        )
    finally:
        await at_once([server.kill for server in servers])
    if complaints := [line for server in servers for line in server.lines() if line["level"] == "error"]:
        sys.exit(f"not every server began well: {complaints[:3]}")
    return numbers


async def _before_its_database(server: Server, postgres: Postgres) -> str:
    """Start a server while the database is stopped; give how long it took from when that was there."""
    told("starting a server before its database")
    await asyncio.to_thread(postgres.stop)
    starting = asyncio.create_task(asyncio.to_thread(server.start))
    await asyncio.sleep(DATABASE_AWAY_S)
    await asyncio.to_thread(postgres.start)
    began = time.monotonic()
    await starting
    await asyncio.to_thread(_waiting_for(server))
    return f"{time.monotonic() - began:.1f} s"


async def at_once(work: Sequence[Callable[[], object]]) -> None:
    """Do several things side by side, each on a thread."""
    waiting: list[Awaitable[object]] = [asyncio.to_thread(one) for one in work]
    await asyncio.gather(*waiting)


def _waiting_for(server: Server) -> Callable[[], None]:
    def wait() -> None:
        until(lambda: follows(server), f"{server.name} doesn't follow")

    return wait


def follows(server: Server) -> bool:
    answer = httpx.get(f"{server.address}/health", trust_env=False, timeout=PATIENCE_S)
    return answer.status_code == 200 and answer.json()["statistics"] == "following"


def told(line: str) -> None:
    """Say on standard error how far it is."""
    print(f"{time.strftime('%H:%M:%S')}  {line}", file=sys.stderr, flush=True)
