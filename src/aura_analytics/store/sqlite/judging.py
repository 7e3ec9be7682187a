"""The judge's side of a store: what came before, what may be asked and what it cost, and whom people may look over."""

from collections.abc import AsyncIterator, Sequence
from functools import partial

import msgspec

from aura_analytics.events.records import Interaction, JudgeCall, Verdict, VoiceQuery
from aura_analytics.store import queries
from aura_analytics.store.choosing import Lowest
from aura_analytics.store.judging import AnsweredCalls, CallSums, Choice, Demand, Grant, JudgeBatch
from aura_analytics.store.past import recalling
from aura_analytics.store.sqlite import choice as chosen
from aura_analytics.store.sqlite import judge_calls, reviews, turns
from aura_analytics.store.sqlite.access import Access
from aura_analytics.store.undoing import TakenBack

BATCHES = queries.load("batches", "sqlite")


class Judging(Access):
    """What a judge and those who watch over it need; part of `Store`."""

    async def previous_turns(self, queries: Sequence[VoiceQuery], limit: int) -> dict[str, list[Interaction]]:
        """Give what came before these queries in their sessions."""
        return await self._read(partial(turns.previous_turns, asked=queries, limit=limit))

    async def note_calls(self, calls: Sequence[JudgeCall]) -> None:
        """Note requests to a model."""
        await self._write.change(partial(judge_calls.note, calls=calls))

    async def reserve(self, demand: Demand, *, now: int) -> Grant:
        """Take as much of a demand as may be had: the write transaction keeps others away, in other processes too."""
        return await self._write.change(partial(judge_calls.reserve, demand=demand, now=now))

    async def judge_calls(self, *, since: int, until: int, store_id: str | None) -> list[CallSums]:
        """Sum up the requests to models."""
        return await self._read(partial(judge_calls.judge_calls, since=since, until=until, store_id=store_id))

    async def answered_calls(self, *, since: int, until: int, store_id: str | None) -> AnsweredCalls:
        """Look at the answered requests together."""
        return await self._read(partial(judge_calls.answered_calls, since=since, until=until, store_id=store_id))

    async def spent_usd(self, *, now: int) -> float:
        """Give what the day has cost by now."""
        return await self._read(partial(judge_calls.spent_usd, now=now))

    async def requeue(self, choice: Choice, *, now: int) -> int:
        """Make interactions due again, a page in a transaction."""
        count = 0
        async for ids in self._chosen(choice):
            count += await self._write.change(partial(chosen.requeue, query_ids=ids, now=now))
        return count

    async def choose(self, choice: Choice, limit: int) -> list[Interaction]:
        """Give the interactions of a choice whose ids have the lowest hashes."""
        lowest = Lowest(limit)
        async for ids in self._chosen(choice):
            lowest.show(ids)
        return await self._read(partial(chosen.interactions, query_ids=lowest.ids))

    async def review(self, verdict: Verdict) -> bool:
        """Store a person's label."""
        change = partial(reviews.review, verdict=verdict, now=self._clock())
        return await recalling(self.past, lambda: self._write.change(change))

    async def take_back(self, query_id: str, *, given_at: int | None, now: int) -> TakenBack | None:
        """Take a person's label back."""
        change = partial(reviews.take_back, query_id=query_id, given_at=given_at, now=now)
        return await recalling(self.past, lambda: self._write.change(change))

    async def lease_reviews(
        self, query_ids: Sequence[str], *, reviewer: str, limit: int, now: int, until: int
    ) -> list[str]:
        """Lease some of these to a person."""
        lease = partial(
            reviews.lease_reviews, query_ids=query_ids, reviewer=reviewer, limit=limit, now=now, until=until
        )
        return await self._write.change(lease)

    async def leased_reviews(self, *, now: int) -> dict[str, str]:
        """Give who has what."""
        return await self._read(partial(reviews.leased_reviews, now=now))

    async def save_batch(self, batch: JudgeBatch) -> None:
        """Store a batch."""
        row = msgspec.structs.asdict(batch)
        await self._write.change(lambda connection: connection.execute(BATCHES["save"], row).rowcount)

    async def hold_batch(self, id: str, *, holder: str, now: int, until: int) -> bool:
        """Have a batch for oneself."""
        row = {"id": id, "holder": holder, "now": now, "until": until}
        return await self._write.change(lambda connection: connection.execute(BATCHES["hold"], row).rowcount) == 1

    async def open_batches(self) -> list[JudgeBatch]:
        """Give the batches that haven't ended."""
        rows = await self._read(lambda connection: connection.execute(BATCHES["open"]).fetchall())
        return [JudgeBatch(**dict(zip(JudgeBatch.__struct_fields__, row, strict=True))) for row in rows]

    async def _chosen(self, choice: Choice) -> AsyncIterator[list[str]]:
        """Give the ids of a choice, page by page; a page may hold none."""
        after: int | None = 0
        while after is not None:
            ids, after = await self._read(partial(chosen.page, choice=choice, after=after))
            if ids:
                yield ids
