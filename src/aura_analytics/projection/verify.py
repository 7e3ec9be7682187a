"""Comparing rows and columns, cell by cell, while both go on changing."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from typing import Any, Protocol

from aura_analytics.projection.port import Difference, Verification
from aura_analytics.projection.question import Question
from aura_analytics.projection.schema import CREATED_AT, ID, TYPES
from aura_analytics.projection.transport import coerced
from aura_analytics.store import Store
from aura_analytics.store.port import WideRow

BATCH_ROWS = 8_000
MOST_NAMED = 1_000
# A row that changed between the two looks differs for a moment; a real difference stays.
LOOKS = 4
BETWEEN_LOOKS_S = 0.25

COLUMNS = ", ".join(TYPES)
# The columns' rows of some interactions; a range of time, where it is known, lets the scan skip nearly all of the table.
BY_ID = f"""
SELECT {COLUMNS} FROM interactions
WHERE id IN (SELECT unnest($ids::VARCHAR[])) AND ($since IS NULL OR created_at BETWEEN $since AND $until)
"""
COUNT = "SELECT count(*) FROM interactions"
# The next ids in their order, to look for rows that the store doesn't have.
NEXT_IDS = f"SELECT DISTINCT id FROM interactions WHERE id > $after ORDER BY id LIMIT {BATCH_ROWS}"


class Held(Protocol):
    """What a comparison needs of the columns."""

    async def caught_up(self) -> object:
        """Wait until they hold all that was committed when this was called."""

    async def ask_now(self, question: Question) -> list[tuple[Any, ...]]:
        """Answer with what they hold at this moment. Any: what a cell can be."""


async def verify(store: Store, projection: Held) -> Verification:
    """Compare every interaction.

    Raises:
        ProjectionUnavailable: the columns are being rebuilt.
    """
    await projection.caught_up()
    seen = 0
    suspects: list[str] = []
    async for rows in _everything(store):
        seen += len(rows)
        moments = [row[CREATED_AT] for row in rows if isinstance(row[CREATED_AT], int | float)]
        within = (min(moments), max(moments)) if len(moments) == len(rows) else None
        found = await _compare(projection, [row[ID] for row in rows], rows, within)
        suspects += {difference.query_id for difference in found}
    [(held,)] = await projection.ask_now(Question(sql=COUNT))
    if held != seen or suspects:
        suspects += await _unknown_to(store, projection)
    differences = await _look_again(store, projection, sorted(set(suspects)))
    return Verification(
        interactions=seen,
        differing=len({difference.query_id for difference in differences}),
        differences=differences[:MOST_NAMED],
    )


async def _everything(store: Store) -> AsyncIterator[list[WideRow]]:
    """Give all interactions: those in the tables, then those in the archive."""
    async for rows in store.snapshot(BATCH_ROWS):
        yield rows
    if store.past is not None:
        async for rows in store.past.wide_rows():
            yield rows


async def _look_again(store: Store, projection: Held, suspects: Sequence[str]) -> list[Difference]:
    """Give the differences that stay, once the columns have caught up and the dust has settled."""
    differences: list[Difference] = []
    for look in range(LOOKS):
        if not suspects:
            break
        if look:
            await asyncio.sleep(BETWEEN_LOOKS_S)
        differences = []
        for start in range(0, len(suspects), BATCH_ROWS):
            ids = suspects[start : start + BATCH_ROWS]
            rows = await store.wide_rows(ids)
            await projection.caught_up()
            differences += await _compare(projection, ids, rows)
        suspects = sorted({difference.query_id for difference in differences})
    return differences


async def _compare(
    projection: Held, ids: Sequence[str], rows: Iterable[WideRow], within: tuple[int, int] | None = None
) -> list[Difference]:
    """Compare the store's rows of some ids with the columns' rows of the same ids, looked for within a range of time."""
    there = {row[ID]: row for row in coerced(rows)}
    held: dict[str, list[WideRow]] = {}
    since, until = within or (None, None)
    asked = Question(sql=BY_ID, parameters={"ids": list(ids), "since": since, "until": until})
    for row in await projection.ask_now(asked):
        held.setdefault(row[ID], []).append(row)
    found: list[Difference] = []
    for id in ids:
        found += _differences(id, there.get(id), held.get(id, []))
    return found


def _differences(id: str, row: WideRow | None, held: list[WideRow]) -> list[Difference]:
    if row is None or len(held) != 1:
        if row is None and not held:
            return []
        return [Difference(query_id=id, column=None, in_rows=0 if row is None else 1, in_columns=len(held))]
    return [
        Difference(query_id=id, column=column, in_rows=cell, in_columns=copy)
        for column, cell, copy in zip(TYPES, row, held[0], strict=True)
        if cell != copy
    ]


async def _unknown_to(store: Store, projection: Held) -> list[str]:
    """Find the ids that the columns hold and the store doesn't."""
    unknown: list[str] = []
    after = ""
    while batch := [id for (id,) in await projection.ask_now(Question(sql=NEXT_IDS, parameters={"after": after}))]:
        known = {row[ID] for row in await store.wide_rows(batch)}
        unknown += [id for id in batch if id not in known]
        after = batch[-1]
    return unknown
