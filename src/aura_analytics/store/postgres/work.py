"""The evaluation's side of a store: its work queue."""

from collections.abc import Sequence

from aura_analytics.events.records import JudgeCall, Verdict
from aura_analytics.store.past import automatic_verdict, read_past
from aura_analytics.store.port import Claim, FailedEvaluation, QueueDepth
from aura_analytics.store.postgres import evaluation, judge_calls
from aura_analytics.store.postgres.access import Access
from aura_analytics.store.postgres.append import storable
from aura_analytics.store.queries import load
from aura_analytics.store.tolerance import verdict_of

EVALUATION = load("evaluation", "postgres")


class Work(Access):
    """What waits to be labelled; part of `Store`."""

    async def claim_due(self, limit: int, *, now: int, lease_ms: int, lease: str | None = None) -> list[Claim]:
        """Claim what is due."""
        async with self._changing() as connection:
            return await evaluation.claim_due(connection, limit, now=now, lease_ms=lease_ms, lease=lease)

    async def claims(self, lease: str) -> list[Claim]:
        """Give what is held under a lease."""
        async with self._reading() as connection:
            return await evaluation.claims(connection, lease)

    async def settle(self, verdicts: Sequence[tuple[Claim, Verdict]], calls: Sequence[JudgeCall] = ()) -> int:
        """Store verdicts, remove their work, note their requests."""
        async with self._changing() as connection:
            return await evaluation.settle(connection, verdicts, calls, now=self._clock())

    async def postpone(
        self, claim: Claim, *, error: str, due_at: int, counts: bool = True, calls: Sequence[JudgeCall] = ()
    ) -> None:
        """Give a claim back, to be due later."""
        told = {"error": storable(error), "due_at": due_at, "uncounted": int(not counts)}
        await self._rest("postpone", claim, calls, **told)

    async def postpone_all(self, claims: Sequence[Claim], *, error: str, due_at: int) -> None:
        """Give claims back that nobody was asked about."""
        async with self._changing() as connection:
            await evaluation.postpone_all(connection, claims, error=error, due_at=due_at)

    async def give_up(self, claim: Claim, *, error: str, now: int, calls: Sequence[JudgeCall] = ()) -> None:
        """Move a claim to the failed ones."""
        await self._rest("give_up", claim, calls, error=storable(error), now=now)

    async def leave(self, claims: Sequence[Claim]) -> None:
        """Remove the work of claims without a label."""
        async with self._changing() as connection:
            await evaluation.leave(connection, claims)

    async def release(self, claims: Sequence[Claim], *, now: int) -> None:
        """Give claims back untouched."""
        async with self._changing() as connection:
            await evaluation.release(connection, claims, now=now)

    async def prolong(self, claims: Sequence[Claim], *, until: int) -> None:
        """Keep claims for longer."""
        async with self._changing() as connection:
            await evaluation.prolong(connection, claims, until=until)

    async def failed_evaluations(self, limit: int) -> list[FailedEvaluation]:
        """List the failed ones."""
        rows = await self._read(EVALUATION["failed"], limit=limit)
        return [FailedEvaluation(query_id=row[0], attempts=row[1], last_error=row[2], failed_at=row[3]) for row in rows]

    async def retry_failed(self, *, now: int, query_ids: Sequence[str] | None = None) -> int:
        """Make failed ones due again."""
        if query_ids is None:
            return await self._execute(EVALUATION["retry_all"], now=now)
        return await self._execute(EVALUATION["retry_some"], now=now, ids=[storable(id) for id in query_ids])

    async def automatic_verdicts(self, query_ids: Sequence[str]) -> list[Verdict]:
        """Give the last automatic verdicts of these interactions."""
        ids = [storable(id) for id in query_ids]
        rows = await self._read(EVALUATION["automatic"], ids=ids)
        past = await read_past(self.past, await self._archived(ids))
        return [verdict_of(row) for row in rows] + list(filter(None, map(automatic_verdict, past.values())))

    async def queue_depth(self, *, now: int) -> QueueDepth:
        """Count what waits to be labelled."""
        [(due, waiting, failed, *since)] = await self._read(EVALUATION["depth"], now=now)
        first = min([moment for moment in since if moment is not None], default=None)
        return QueueDepth(due=due, waiting=waiting, failed=failed, since=first)

    async def _rest(self, statement: str, claim: Claim, calls: Sequence[JudgeCall], **told: object) -> None:
        """Change what is queued of a claim, and note the requests that it took."""
        key = {"query_id": claim.query_id, "lease": storable(claim.lease)}
        async with self._changing() as connection:
            await connection.execute(EVALUATION[statement], told | key)
            await judge_calls.note(connection, calls)
