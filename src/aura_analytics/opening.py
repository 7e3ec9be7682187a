"""The part of the composition root that opens: row databases, and what reads their columns. Nothing is made at import.

It stands by itself so that a command, and the process that labels, needn't load a whole server.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog
from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception_type,
    stop_after_attempt,
    stop_after_delay,
    wait_exponential_jitter,
)

from aura_analytics.archive.past import Archive, attached
from aura_analytics.archive.person import ArchivedPersons
from aura_analytics.errors import StoreUnavailable
from aura_analytics.privacy.persons import Persons
from aura_analytics.projection import Columns
from aura_analytics.settings import Settings
from aura_analytics.stats.reader import ColumnReader
from aura_analytics.store import Store, make_store, migrate

log = structlog.get_logger()

# A database that can't be used yet is tried again after pauses that grow.
FIRST_PAUSE_S, LONGEST_PAUSE_S, JITTER_S = 0.5, 10.0, 0.5


def make_reader(settings: Settings, columns: Columns) -> ColumnReader:
    """Make what the metrics read with."""
    return ColumnReader(
        columns,
        grace_ms=round(settings.eval_grace_seconds * 1000),
        staleness_ms=settings.stats_max_staleness_ms // 2,  # the other half is the cache's
    )


def make_persons(store: Store) -> Persons:
    """Make what shows and erases all that is kept of one person. Places beside the rows and their copies go in here."""
    archived = ArchivedPersons(store.past.settings) if isinstance(store.past, Archive) else None
    return Persons(store, first=archived)


@asynccontextmanager
async def opened_store(settings: Settings, *, patience_s: float = 0.0) -> AsyncIterator[Store]:
    """Migrate and open the store; close it at the end.

    Args:
        settings: name it.
        patience_s: for how long a database is waited for that can't be used yet.

    Raises:
        StoreUnavailable: it can't be used.
        MigrationError: it has a shape that this version can't work with.
    """
    trying = AsyncRetrying(
        retry=retry_if_exception_type(StoreUnavailable),
        stop=stop_after_delay(patience_s) if patience_s else stop_after_attempt(1),
        wait=wait_exponential_jitter(initial=FIRST_PAUSE_S, max=LONGEST_PAUSE_S, jitter=JITTER_S),
        before_sleep=_tell_of_waiting,
        reraise=True,
    )
    store: Store = await trying(_open_store, settings)
    try:
        yield store
    finally:
        await store.close()


async def _open_store(settings: Settings) -> Store:
    applied = await asyncio.to_thread(migrate, settings)
    if applied:
        log.info("migrated", applied=applied)
    store = make_store(settings)
    attached(settings, store)
    await store.open()
    return store


def _tell_of_waiting(state: RetryCallState) -> None:
    error = state.outcome.exception() if state.outcome else None
    log.warning("database_awaited", error=str(error), again_in_s=round(state.upcoming_sleep, 1))
