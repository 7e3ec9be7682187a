"""Looking at both sides again: counts and checksums by table, and the first ids where they differ.

The source may be in use meanwhile. What differs is copied again and looked at again; only what still differs though the
source's own rows have stood still is a difference.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Sequence

import msgspec

from aura_analytics.store.copying.cells import Cells
from aura_analytics.store.copying.comparison import Compared, compared
from aura_analytics.store.copying.course import each, start_of
from aura_analytics.store.copying.page import Page, Reader
from aura_analytics.store.copying.side import Side
from aura_analytics.store.copying.sums import Sum, digest
from aura_analytics.store.copying.tables import CONVERSIONS, OF_AN_INTERACTION, STAGES, TABLES, Table, TableName

# What differs more often than this isn't looked at again.
MOST_AGAIN = 100_000
ROUNDS = 5
FIRST_IDS = 5

# What is to be looked at again: ids of interactions, or of conversions, with what the source said of each.
Differing = dict[str, list[bytes]]
Again = Callable[[Sequence[str], Sequence[str]], Awaitable[None]]


class TableSums(msgspec.Struct, kw_only=True):
    """What was found of one table: rows of the source by what became of them, and the checksums of both sides."""

    kept: int = 0
    differing: int = 0
    first_ids: list[str] = msgspec.field(default_factory=list)
    source: Sum = msgspec.field(default_factory=Sum)
    target: Sum = msgspec.field(default_factory=Sum)


class Verification:
    """Compares both sides.

    Args:
        from_: the source's rows.
        to: the target's.
        again: copies some interactions and conversions again; None where nothing may be copied.
        advance: is told how many interactions and conversions have been looked at.
    """

    def __init__(self, from_: Side, to: Side, *, again: Again | None, advance: Callable[[int], None]) -> None:
        self._source = Reader(from_, Cells(to.dialect))
        self._target = Reader(to)
        self._again = again
        self._advance = advance
        self._looked = 0
        self.tables: dict[TableName, TableSums] = {table.name: TableSums() for table in TABLES}
        self.changing = 0  # interactions and conversions that the source kept changing

    @property
    def left(self) -> Counter[TableName]:
        """How many rows of each table can't be found by a key."""
        return self._source.left

    async def run(self) -> None:
        """Compare all there is."""
        interactions: Differing = {}
        conversions: Differing = {}

        async def look(page: Page) -> None:
            differing = conversions if "voice_conversions" in page.rows else interactions
            differing |= await asyncio.to_thread(self._look, page, final=len(differing) >= MOST_AGAIN)
            self._looked += len(page.ids)
            self._advance(self._looked)

        for stage in STAGES:
            await each(self._source.walk(stage, start_of(stage, "")), look)
        await self._settle(interactions, conversions)

    def _look(self, page: Page, *, final: bool = False, before: Differing | None = None) -> Differing:
        """Compare a page; give what differs, unless that is final.

        Args:
            page: of the source.
            final: whether it isn't looked at again.
            before: what the source said when its rows were copied again; what says the same still is final.
        """
        there: Page | None = None
        for part in self._target.pages(_tables(page), page.ids):
            there = part if there is None else _joined(there, part)
        differing: Differing = {}
        for id, rows in compared(page, there) if there else ():
            said = [row.source for row in rows]
            stands_still = before is not None and before.get(id) == said
            if all(row.state != "different" for row in rows) or stands_still or (final and before is None):
                self._count(id, rows)
            elif final:
                self.changing += 1
            else:
                differing[id] = said
        return differing

    async def _settle(self, interactions: Differing, conversions: Differing) -> None:
        """Look again at what differs, until both sides agree or the source stands still."""
        for round in range(ROUNDS):
            if not interactions and not conversions:
                return
            if self._again is not None:
                await self._again(list(interactions), list(conversions))
            last = round == ROUNDS - 1
            interactions = await self._look_again(OF_AN_INTERACTION, interactions, final=last or self._again is None)
            conversions = await self._look_again((CONVERSIONS,), conversions, final=last or self._again is None)

    async def _look_again(self, tables: Sequence[Table], before: Differing, *, final: bool) -> Differing:
        differing: Differing = {}

        async def look(page: Page) -> None:
            differing.update(await asyncio.to_thread(self._look, page, final=final, before=before))

        await each(self._source.pages(tables, list(before)), look)
        return differing

    def _count(self, id: str, rows: Iterable[Compared]) -> None:
        """Count rows that are final."""
        for row in rows:
            table = self.tables[row.table]
            if row.state == "kept":
                table.kept += 1
                continue
            told = digest(row.source)
            table.source.add(told)
            if row.target is not None:
                table.target.add(told if row.target == row.source else digest(row.target))
            if row.state == "different":
                table.differing += 1
                if len(table.first_ids) < FIRST_IDS and id not in table.first_ids:
                    table.first_ids.append(id)


def _tables(page: Page) -> Sequence[Table]:
    return (CONVERSIONS,) if "voice_conversions" in page.rows else OF_AN_INTERACTION


def _joined(one: Page, other: Page) -> Page:
    rows = {table: one.rows[table] | other.rows[table] for table in one.rows}
    return Page(ids=one.ids + other.ids, rows=rows, leased=one.leased | other.leased)
