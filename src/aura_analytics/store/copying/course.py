"""The course of a copy: all there is, page by page, then what changed meanwhile, from the source's change feed.

Each page is a transaction of the target that also notes how far the copy has come. So a copy that was ended at any
moment goes on from its last page, and one that went through once takes only what changed since.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import msgspec

from aura_analytics.clock import Clock, now
from aura_analytics.store.copying.along import LEFT, take_along
from aura_analytics.store.copying.cells import Cells
from aura_analytics.store.copying.merging import is_behind
from aura_analytics.store.copying.page import FIRST_NUMBER, Page, Reader
from aura_analytics.store.copying.side import Mark, Progress, Side
from aura_analytics.store.copying.tables import (
    CONVERSIONS,
    OF_AN_INTERACTION,
    QUEUE_STAGE,
    STAGES,
    Stage,
    TableName,
)
from aura_analytics.store.copying.writing import Target
from aura_analytics.store.port import Changes, FeedPoint, Store

CHANGES = 20_000
# A round of changes that is smaller is the last one: while the source is in use there is always something.
FEW = 1_000
# The source keeps its feed for a follower that was seen within days.
SEEN_MS = 600_000
# How long changes are waited for that the source can't tell yet, since transactions before them haven't ended.
PATIENCE_S, PAUSE_S = 10.0, 0.1


class Copy:
    """Copies one database into another one.

    Args:
        source: the one that is copied, for its change feed.
        from_: its rows.
        to: the other one's rows.
        identities: of both, the source's first.
        tell: is told what whoever copies should know.
        clock: the present.
    """

    def __init__(
        self,
        source: Store,
        from_: Side,
        to: Side,
        *,
        identities: tuple[str, str],
        tell: Callable[[str], None] = lambda _: None,
        clock: Clock = now,
    ) -> None:
        self._source = source
        self._target = Target(to, identities[0], clock)
        self.follower = f"copy-{identities[1]}"
        self.cells = Cells(to.dialect)
        self.reader = Reader(from_, self.cells)
        self._tell = tell
        self._advance: Callable[[int], None] = lambda _: None
        self._clock = clock
        self._read = 0
        self._seen_at = 0
        self.copied: Counter[TableName] = Counter()
        self.along: Counter[str] = Counter()

    def on_advance(self, advance: Callable[[int], None]) -> None:
        """Have a function told how many interactions and conversions have been copied."""
        self._advance = advance

    async def run(self) -> None:
        """Copy what the target lacks.

        Raises:
            StoreUnavailable: one of the two can't be used; another try goes on from here.
        """
        progress = await self._begin()
        await self._take_along()
        progress = await self._all(progress)
        progress = await self._changes(progress)
        await self._queue(progress)
        await self._take_along()

    async def again(self, query_ids: Sequence[str], conversion_ids: Sequence[str]) -> None:
        """Copy some interactions and conversions again."""
        progress = await asyncio.to_thread(self._target.progress)
        if progress is not None:
            await self._some(query_ids, conversion_ids, progress, progress)

    async def is_behind(self) -> bool:
        """Whether the source's feed goes on after what is copied."""
        progress = await asyncio.to_thread(self._target.progress)
        return progress is None or (await self._source.feed_head()).position > progress.point.position

    async def finish(self) -> None:
        """Let the source forget that it was copied."""
        await self._source.forget_follower(self.follower)

    async def _take_along(self) -> None:
        taken = await asyncio.to_thread(take_along, self.reader.side, self._target.side)
        left = {name: taken.pop(name, 0) for name in LEFT}
        self.along += taken
        for name, count in left.items():
            self.along[name] = count

    async def _begin(self) -> Progress:
        """Go on from where the last copy stood, if the source's feed reaches back to there; else begin anew."""
        progress = await asyncio.to_thread(self._target.progress)
        if progress is not None:
            # Looked at first: a follower that stands where the feed doesn't reach would let it be trimmed.
            if await self._source.knows(progress.point) and await self._follows(progress.point):
                return progress
            self._tell("the source's change feed no longer reaches back to the last copy: all is gone through anew")
        elif await asyncio.to_thread(self._target.side.copied_before):
            self._tell("the source is none of the databases that were copied into the target before")
        while not await self._follows(point := await self._source.feed_start()):
            pass
        progress = Progress(stage=0, mark="", point=point)
        await asyncio.to_thread(self._target.note, progress)
        return progress

    async def _all(self, progress: Progress) -> Progress:
        """Go through what the source holds, stage by stage, from where the last copy stood."""
        for number in range(progress.stage, len(STAGES)):

            async def keep(page: Page, number: int = number) -> None:
                await self._keep(page, Progress(stage=number, mark=page.mark, point=progress.point))

            after = start_of(STAGES[number], progress.mark if number == progress.stage else "")
            await each(self.reader.walk(STAGES[number], after), keep)
        return msgspec.structs.replace(progress, stage=len(STAGES), mark="")

    async def _changes(self, progress: Progress) -> Progress:
        """Copy what the feed names, until little is left that came meanwhile."""
        while True:
            goal, ids = await self._source.feed_head(), 0
            while progress.point.position < goal.position:
                changes = await self._told(progress.point)
                if changes is None:
                    self._tell("the source has changes that it can't tell yet: copy again")
                    return progress
                following = msgspec.structs.replace(progress, point=changes.upto)
                await self._some(changes.query_ids, changes.conversion_ids, progress, following)
                progress = following
                ids += len(changes.query_ids) + len(changes.conversion_ids)
            if ids < FEW:
                break
        await asyncio.to_thread(self._target.note, progress)
        await self._acknowledge(progress.point)
        return progress

    async def _told(self, after: FeedPoint) -> Changes | None:
        """Read on in the feed; None where it doesn't tell anything for long, though there is something."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + PATIENCE_S
        while (changes := await self._source.changes(after, CHANGES)).upto == after:
            if loop.time() > deadline:
                return None
            await asyncio.sleep(PAUSE_S)
        return changes

    async def _some(
        self, query_ids: Sequence[str], conversion_ids: Sequence[str], progress: Progress, following: Progress
    ) -> None:
        """Copy what is named; only with the last page of it has the copy come further."""

        async def keep(page: Page) -> None:
            await self._keep(page, progress)

        await each(self.reader.pages(OF_AN_INTERACTION, query_ids), keep)
        await each(self.reader.pages((CONVERSIONS,), conversion_ids), keep)
        if following is not progress:
            await asyncio.to_thread(self._target.note, following)

    async def _queue(self, progress: Progress) -> None:
        """Copy what waits to be labelled in another state than at the target: the feed doesn't tell of that."""
        behind: list[str] = []
        here = Reader(self._target.side)

        async def look(page: Page) -> None:
            there = await asyncio.to_thread(here.page, QUEUE_STAGE.tables, page.ids)
            behind.extend(
                id
                for id, [work] in page.rows["evaluation_queue"].items()
                if is_behind(work, there.one("evaluation_queue", id), leased=id in there.leased)
            )

        await each(Reader(self.reader.side, Cells(here.side.dialect)).walk(QUEUE_STAGE, ""), look)
        await self._some(behind, (), progress, progress)

    async def _keep(self, page: Page, progress: Progress) -> None:
        self.copied += await asyncio.to_thread(self._target.write, page, progress)
        self._read += len(page.ids)
        self._advance(self._read)
        if self._clock() - self._seen_at >= SEEN_MS:
            await self._acknowledge(progress.point)

    async def _follows(self, point: FeedPoint) -> bool:
        """Follow the feed from a point; tell whether it was still there, so that now it stays."""
        await self._acknowledge(point)
        return await self._source.knows(point)

    async def _acknowledge(self, point: FeedPoint) -> None:
        self._seen_at = self._clock()
        await self._source.acknowledge(self.follower, point, now=self._seen_at)


def start_of(stage: Stage, mark: str) -> Mark:
    """Give where a walk begins, or goes on after a mark that was noted."""
    if not stage.numbered:
        return mark
    return int(mark) if mark else FIRST_NUMBER


async def each(pages: Iterator[Page], use: Callable[[Page], Awaitable[None]]) -> None:
    """Read pages on a thread, one ahead of whoever uses them."""
    with ThreadPoolExecutor(1, thread_name_prefix="aura-copy") as reader:
        coming = reader.submit(next, pages, None)
        while (page := await asyncio.wrap_future(coming)) is not None:
            coming = reader.submit(next, pages, None)
            await use(page)
