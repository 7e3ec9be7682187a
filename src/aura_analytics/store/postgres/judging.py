"""The judge's side of a store: what came before, what may be asked and what it cost, and whom people may look over."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from functools import partial
from typing import Any

import msgspec

from aura_analytics.events.records import Interaction, JudgeCall, Verdict, VoiceQuery
from aura_analytics.store.allowance import spent_on
from aura_analytics.store.choosing import Lowest
from aura_analytics.store.judging import AnsweredCalls, CallSums, Choice, Demand, Grant, JudgeBatch
from aura_analytics.store.past import recalling
from aura_analytics.store.postgres import choice as chosen
from aura_analytics.store.postgres import judge_calls, reviews
from aura_analytics.store.postgres.access import Access
from aura_analytics.store.postgres.append import storable
from aura_analytics.store.queries import load
from aura_analytics.store.undoing import TakenBack

ALLOWANCE = load("allowance", "postgres")
BATCHES = load("batches", "postgres")
CALLS = load("judge_calls", "postgres")
REVIEWS = load("reviews", "postgres")


class Judging(Access):
    """What a judge and those who watch over it need; part of `Store`."""

    async def previous_turns(self, queries: Sequence[VoiceQuery], limit: int) -> dict[str, list[Interaction]]:
        """Give what came before these queries in their sessions."""
        async with self._reading() as connection:
            return await chosen.previous_turns(connection, queries, limit)

    async def note_calls(self, calls: Sequence[JudgeCall]) -> None:
        """Note requests to a model."""
        async with self._changing() as connection:
            await judge_calls.note(connection, calls)

    async def reserve(self, demand: Demand, *, now: int) -> Grant:
        """Take as much of a demand as may be had."""
        async with self._changing() as connection:
            return await judge_calls.reserve(connection, demand, now=now)

    async def judge_calls(self, *, since: int, until: int, store_id: str | None) -> list[CallSums]:
        """Sum up the requests to models."""
        rows = await self._read(CALLS["sums"], since=since, until=until, store_id=_text(store_id))
        return [CallSums(**_named(CallSums, row)) for row in sorted(rows)]

    async def answered_calls(self, *, since: int, until: int, store_id: str | None) -> AnsweredCalls:
        """Look at the answered requests together."""
        [row] = await self._read(CALLS["answered"], since=since, until=until, store_id=_text(store_id))
        return AnsweredCalls(**_named(AnsweredCalls, row))

    async def spent_usd(self, *, now: int) -> float:
        """Give what the day has cost by now."""
        rows = await self._read(ALLOWANCE["level"], name=spent_on(now))
        return max([0.0, *(float(level) for level, _ in rows)])

    async def requeue(self, choice: Choice, *, now: int) -> int:
        """Make interactions due again, a page in a transaction."""
        count = 0
        async for ids in self._chosen(choice):
            async with self._changing() as connection:
                count += await chosen.requeue(connection, ids, now=now)
        return count

    async def choose(self, choice: Choice, limit: int) -> list[Interaction]:
        """Give the interactions of a choice whose ids have the lowest hashes."""
        lowest = Lowest(limit)
        async for ids in self._chosen(choice):
            await asyncio.to_thread(lowest.show, ids)
        async with self._reading() as connection:
            return await chosen.interactions(connection, lowest.ids)

    async def review(self, verdict: Verdict) -> bool:
        """Store a person's label."""
        return await recalling(self.past, lambda: self._review(verdict))

    async def _review(self, verdict: Verdict) -> bool:
        """Store a person's label."""
        async with self._changing() as connection:
            return await reviews.review(connection, verdict, now=self._clock())

    async def take_back(self, query_id: str, *, given_at: int | None, now: int) -> TakenBack | None:
        """Take a person's label back."""
        return await recalling(self.past, partial(self._take_back, query_id, given_at=given_at, now=now))

    async def _take_back(self, query_id: str, *, given_at: int | None, now: int) -> TakenBack | None:
        async with self._changing() as connection:
            return await reviews.take_back(connection, query_id, given_at=given_at, now=now)

    async def lease_reviews(
        self, query_ids: Sequence[str], *, reviewer: str, limit: int, now: int, until: int
    ) -> list[str]:
        """Lease some of these to a person."""
        async with self._changing() as connection:
            return await reviews.lease_reviews(
                connection, query_ids, reviewer=reviewer, limit=limit, now=now, until=until
            )

    async def leased_reviews(self, *, now: int) -> dict[str, str]:
        """Give who has what."""
        return dict(await self._read(REVIEWS["leased"], now=now))

    async def save_batch(self, batch: JudgeBatch) -> None:
        """Store a batch."""
        cells = {name: _text(cell) for name, cell in msgspec.structs.asdict(batch).items()}
        await self._execute(BATCHES["save"], **cells)

    async def hold_batch(self, id: str, *, holder: str, now: int, until: int) -> bool:
        """Have a batch for oneself."""
        held = {"id": storable(id), "holder": storable(holder), "now": now, "until": until}
        return await self._execute(BATCHES["hold"], **held) == 1

    async def open_batches(self) -> list[JudgeBatch]:
        """Give the batches that haven't ended."""
        return [JudgeBatch(**_named(JudgeBatch, row)) for row in await self._read(BATCHES["open"])]

    async def _chosen(self, choice: Choice) -> AsyncIterator[list[str]]:
        """Give the ids of a choice, page by page; each page is a read by itself."""
        after: int | None = 0
        while after is not None:
            async with self._reading() as connection:
                ids, after = await chosen.page(connection, choice, after=after)
            if ids:
                yield ids


# Any, below: what a cell can be.
def _text(cell: Any) -> Any:
    """Give a cell as it can be bound."""
    return storable(cell) if isinstance(cell, str) else cell


def _named(record: type[msgspec.Struct], row: tuple[Any, ...]) -> dict[str, Any]:
    """Name the cells of a row by a record's fields."""
    return dict(zip(record.__struct_fields__, row, strict=True))
