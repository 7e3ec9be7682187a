"""How a command that finds no server is one itself for a moment, without a port."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import httpx
import msgspec

from aura_analytics.app import make_app
from aura_analytics.errors import ProjectionOwned
from aura_analytics.opening import opened_store
from aura_analytics.projection import own_slot
from aura_analytics.projection.attribution import attribution_ms
from aura_analytics.projection.follower import Projection
from aura_analytics.settings import Settings
from aura_analytics.store import Store
from aura_analytics.terminal.screen import progress
from aura_analytics.terminal.shelved import refuse_missing_files

# What takes longer to build is looked at: a server waits for files of the archive that are away, a command would for ever.
LOOK_AFTER_S = 3.0


@asynccontextmanager
async def own_service(settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    """Have the endpoints of this database in this process."""
    async with AsyncExitStack() as stack:
        store = await stack.enter_async_context(opened_store(settings))
        projection = await _own_projection(settings, store, stack)
        # Who has the database in hands needs no key.
        transport = httpx.ASGITransport(make_app(msgspec.structs.replace(settings, auth="off"), store, projection))
        yield await stack.enter_async_context(httpx.AsyncClient(base_url="http://here", transport=transport))


@asynccontextmanager
async def own_projection(settings: Settings) -> AsyncIterator[Projection]:
    """Have the columns of this database in this process."""
    async with AsyncExitStack() as stack:
        store = await stack.enter_async_context(opened_store(settings))
        yield await _own_projection(settings, store, stack)


async def _own_projection(settings: Settings, store: Store, stack: AsyncExitStack) -> Projection:
    """Follow into the file of the columns, or, where somebody else owns it, into memory; whole when this returns."""

    async def running(path: Path | None) -> Projection:
        return await stack.enter_async_context(running_projection(settings, store, path))

    try:
        projection = await running(stack.enter_context(own_slot(settings)))
    except ProjectionOwned:
        projection = await running(None)
    with progress("reading the database", 1.0) as meter:
        building = asyncio.ensure_future(projection.built(meter.set))
        try:
            await asyncio.wait({building}, timeout=LOOK_AFTER_S)
            if not building.done():
                await asyncio.to_thread(refuse_missing_files, settings)
            await building
        finally:
            building.cancel()
    return projection


@asynccontextmanager
async def running_projection(settings: Settings, store: Store, path: Path | None) -> AsyncIterator[Projection]:
    """Keep the columns of a store in this process until the end of the block; `path` None keeps them in memory.

    Raises:
        ProjectionOwned: another process follows into the same file.
    """
    projection = Projection(
        store,
        path,
        memory_mb=settings.stats_memory_mb,
        threads=settings.stats_threads,
        attribution_ms=attribution_ms(settings),
    )
    await projection.start()
    try:
        yield projection
    finally:
        await projection.stop()
