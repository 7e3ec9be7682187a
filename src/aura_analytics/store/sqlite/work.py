"""The evaluation's side of a store: its work queue."""

from collections.abc import Sequence
from functools import partial

from aura_analytics.events.records import JudgeCall, Verdict
from aura_analytics.store import queries
from aura_analytics.store.past import automatic_verdict, read_past
from aura_analytics.store.port import Claim, FailedEvaluation, QueueDepth
from aura_analytics.store.sqlite import evaluation
from aura_analytics.store.sqlite.access import Access
from aura_analytics.store.sqlite.append import json_of
from aura_analytics.store.sqlite.archived import archived_among
from aura_analytics.store.sqlite.connection import fetch
from aura_analytics.store.tolerance import verdict_of

EVALUATION = queries.load("evaluation", "sqlite")


class Work(Access):
    """What waits to be labelled; part of `Store`."""

    async def claim_due(self, limit: int, *, now: int, lease_ms: int, lease: str | None = None) -> list[Claim]:
        """Claim what is due."""
        claim = partial(evaluation.claim_due, limit=limit, now=now, lease_ms=lease_ms, lease=lease)
        return await self._write.change(claim)

    async def claims(self, lease: str) -> list[Claim]:
        """Give what is held under a lease."""
        return await self._read(partial(evaluation.claims, lease=lease))

    async def settle(self, verdicts: Sequence[tuple[Claim, Verdict]], calls: Sequence[JudgeCall] = ()) -> int:
        """Store verdicts, remove their work, note their requests."""
        return await self._write.change(partial(evaluation.settle, verdicts=verdicts, calls=calls, now=self._clock()))

    async def postpone(
        self, claim: Claim, *, error: str, due_at: int, counts: bool = True, calls: Sequence[JudgeCall] = ()
    ) -> None:
        """Give a claim back, to be due later."""
        postpone = partial(evaluation.postpone, claims=[claim], error=error, due_at=due_at, counts=counts, calls=calls)
        await self._write.change(postpone)

    async def postpone_all(self, claims: Sequence[Claim], *, error: str, due_at: int) -> None:
        """Give claims back that nobody was asked about."""
        await self._write.change(partial(evaluation.postpone, claims=claims, error=error, due_at=due_at, counts=False))

    async def give_up(self, claim: Claim, *, error: str, now: int, calls: Sequence[JudgeCall] = ()) -> None:
        """Move a claim to the failed ones."""
        await self._write.change(partial(evaluation.give_up, claim=claim, error=error, now=now, calls=calls))

    async def leave(self, claims: Sequence[Claim]) -> None:
        """Remove the work of claims without a label."""
        await self._write.change(partial(evaluation.leave, claims=claims))

    async def release(self, claims: Sequence[Claim], *, now: int) -> None:
        """Give claims back untouched."""
        await self._write.change(partial(evaluation.release, claims=claims, now=now))

    async def prolong(self, claims: Sequence[Claim], *, until: int) -> None:
        """Keep claims for longer."""
        await self._write.change(partial(evaluation.prolong, claims=claims, until=until))

    async def failed_evaluations(self, limit: int) -> list[FailedEvaluation]:
        """List the failed ones."""
        rows = await self._read(
            lambda connection: connection.execute(EVALUATION["failed"], {"limit": limit}).fetchall()
        )
        return [FailedEvaluation(query_id=row[0], attempts=row[1], last_error=row[2], failed_at=row[3]) for row in rows]

    async def retry_failed(self, *, now: int, query_ids: Sequence[str] | None = None) -> int:
        """Make failed ones due again."""
        if query_ids is None:
            return await self._execute("retry_all", now=now)
        return await self._execute("retry_some", now=now, ids=json_of(list(query_ids)))

    async def automatic_verdicts(self, query_ids: Sequence[str]) -> list[Verdict]:
        """Give the last automatic verdicts of these interactions."""
        keys = {"ids": json_of(list(query_ids))}
        rows = await self._read(lambda connection: fetch(connection, EVALUATION["automatic"], keys))
        past = await read_past(self.past, await self._read(partial(archived_among, query_ids=query_ids)))
        return [verdict_of(row) for row in rows] + list(filter(None, map(automatic_verdict, past.values())))

    async def queue_depth(self, *, now: int) -> QueueDepth:
        """Count what waits to be labelled."""
        due, waiting, failed, *since = await self._read(
            lambda connection: connection.execute(EVALUATION["depth"], {"now": now}).fetchone()
        )
        first = min([moment for moment in since if moment is not None], default=None)
        return QueueDepth(due=due, waiting=waiting, failed=failed, since=first)

    async def _execute(self, statement: str, **parameters: str | int) -> int:
        sql = EVALUATION[statement]
        return await self._write.change(lambda connection: connection.execute(sql, parameters).rowcount)
