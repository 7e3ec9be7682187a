"""Statistics over a real store and real columns in memory, at a moment that stands still."""

import itertools
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest

from aura_analytics.events.records import Event, Verdict
from aura_analytics.projection import Projection
from aura_analytics.projection.unsettled import Ready
from aura_analytics.stats.reader import ColumnReader
from aura_analytics.store.sqlite import SqliteStore, migrate
from contract.making import GRACE_MS, LATER, LEASE_MS, NOW, Watch

Loaded = Callable[..., AbstractAsyncContextManager[ColumnReader]]


@pytest.fixture
def loaded(tmp_path: Path) -> Loaded:
    """Loads events, then verdicts by the ids of their interactions; gives a reader while the block runs."""
    numbers = itertools.count()

    @asynccontextmanager
    async def load(
        events: Sequence[Event], verdicts: Mapping[str, Verdict] | None = None
    ) -> AsyncIterator[ColumnReader]:
        async with stored(tmp_path / f"{next(numbers)}.db", events) as (store, reader):
            if verdicts:
                claims = await store.claim_due(len(events), now=LATER, lease_ms=LEASE_MS)
                judged = [(claim, verdicts[claim.query_id]) for claim in claims if claim.query_id in verdicts]
                assert await store.settle(judged) == len(verdicts)
            yield reader

    return load


@asynccontextmanager
async def stored(path: Path, events: Sequence[Event]) -> AsyncIterator[tuple[SqliteStore, ColumnReader]]:
    """A store that holds some events, and a reader of its columns."""
    url = f"sqlite:///{path}"
    migrate(url)
    store = SqliteStore(url, grace_ms=GRACE_MS, clock=Watch())
    await store.open()
    projection = Projection(store, None, memory_mb=256, threads=1)
    await projection.start()
    try:
        await store.append(events)
        yield store, ColumnReader(projection, grace_ms=GRACE_MS, clock=lambda: NOW)
    finally:
        await projection.stop()
        await store.close()


async def settle(reader: ColumnReader) -> None:
    """Compute all cubes of a reader's columns anew, which else happens when they have lain still."""
    projection = reader._columns
    assert isinstance(projection, Projection)
    await projection.caught_up()
    file = projection._columns
    hours, days = await projection._aside(file.stale, file.generation)
    for ready in [*(Ready(hours=(hour, hour)) for hour in hours), *(Ready(day=day) for day in days)]:
        await projection._aside(file.settle, file.generation, ready)
    assert await projection._aside(file.stale, file.generation) == ([], [])
