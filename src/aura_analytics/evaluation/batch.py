"""Batches: what is due, handed to a provider at once for half the price, and its answers fetched when they are there.

Each step is noted in the store before the next one, so that whoever comes after a run that was killed goes on where it
stopped: a job is made with an id that was noted before, by which it is found again, and nothing is asked for twice.
While one run looks after a batch, others don't (`Store.hold_batch`).
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import suppress
from uuid import uuid4

import msgspec
import structlog

from aura_analytics.clock import Clock
from aura_analytics.errors import JudgeRefused, JudgeUnavailable, StoreUnavailable
from aura_analytics.evaluation.answers import Answers, Progress
from aura_analytics.evaluation.hearing import Terms
from aura_analytics.evaluation.job import Jobs
from aura_analytics.evaluation.judgement import BUDGET_SPENT, Case
from aura_analytics.evaluation.rules import judge_by_rules
from aura_analytics.evaluation.sample import is_chosen
from aura_analytics.evaluation.trial import cases
from aura_analytics.events.records import CallOutcome
from aura_analytics.store import Store
from aura_analytics.store.judging import Demand, JudgeBatch
from aura_analytics.store.port import Claim

log = structlog.get_logger()

MOST_REQUESTS = 10_000
"""In one batch; a file of as many is far from the provider's limit, and one that fails isn't a whole backfill."""

LEASE_MS = 50 * 3_600_000
"""How long a batch keeps its interactions from others. Gemini lets a job expire after 48 hours."""

LATEST_MS = 3_600_000
"""A batch that wasn't handed over within this is given up: its lease would end too soon after the job."""

CLAIMED_AT_ONCE = 500
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 60.0
_GROWTH = 1.5


class Batches:
    """Makes batches of what is due, and fetches their answers.

    Args:
        store: where the work waits, and the batches and verdicts go.
        jobs: the provider.
        terms: how they are made.
        budget_usd: what the judge may cost in a day; None is no limit.
        hold_ms: how long nobody else looks after a batch whose run was killed; no call of the provider takes longer.
        sleep: waits for so many seconds.
    """

    def __init__(
        self,
        store: Store,
        jobs: Jobs,
        terms: Terms,
        *,
        budget_usd: float | None,
        hold_ms: int,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._store = store
        self._jobs = jobs
        self._terms = terms
        self._budget_usd = budget_usd
        self._hold_ms = hold_ms
        self._sleep = sleep
        self._clock = terms.clock
        self._progress = Progress()
        self._answers = Answers(store, jobs, self._progress, terms)

    async def run(self, *, waits: bool, on_progress: Callable[[Progress], None] | None = None) -> Progress:
        """Go on with the batches that there are, make new ones of what is due, and wait for their answers, or not.

        Raises:
            JudgeRefused: the key, the model or a request isn't accepted; what wasn't asked about is due again.
            StoreUnavailable: all stays as it is, to be gone on with.
        """
        tell = on_progress or (lambda _: None)
        await self._go_on()
        tell(self._progress)
        while await self._make():
            tell(self._progress)
        pause_s = FIRST_PAUSE_S
        while await self._count_waiting() and waits:
            tell(self._progress)
            await self._sleep(pause_s)
            pause_s = min(LONGEST_PAUSE_S, pause_s * _GROWTH)
            await self._go_on()
        tell(self._progress)
        return self._progress

    async def _count_waiting(self) -> int:
        open_batches = await self._store.open_batches()
        self._progress.waiting = sum(batch.requests for batch in open_batches)
        return len(open_batches)

    async def _go_on(self) -> None:
        """Do for each batch what can be done now."""
        for batch in await self._store.open_batches():
            await self._advance(batch.id, self._resume)

    async def _make(self) -> bool:
        """Make one batch of what is due; tell whether there may be enough for another one."""
        if not (await self._store.queue_depth(now=self._clock())).due:
            return False
        id = f"aura-{uuid4().hex}"
        batch = JudgeBatch(id=id, model=self._jobs.model, rubric=self._jobs.rubric, requests=0, made_at=self._clock())
        await self._store.save_batch(batch)
        more = False

        async def begin(hold: "_Hold", batch: JudgeBatch) -> None:
            nonlocal more
            more = await self._begin(hold, batch)

        await self._advance(id, begin)
        return more

    async def _advance(self, id: str, step: Callable[["_Hold", JudgeBatch], Awaitable[None]]) -> None:
        """Take a step with a batch, unless somebody else looks after it, or has ended it."""
        hold = _Hold(self._store, id, self._hold_ms, self._clock)
        try:
            batch = await self._open_batch(id) if await hold.keep() else None
            if batch is not None:
                await step(hold, batch)
        except JudgeUnavailable as error:
            log.warning("batch_waits", batch=id, error=str(error))
        finally:
            with suppress(StoreUnavailable):
                await asyncio.shield(hold.let_go())

    async def _open_batch(self, id: str) -> JudgeBatch | None:
        """Give a batch as it is now, unless it has ended."""
        return next((batch for batch in await self._store.open_batches() if batch.id == id), None)

    async def _begin(self, hold: "_Hold", batch: JudgeBatch) -> bool:
        """Claim as much as a batch takes, and hand it over; tell whether more may be due, and may be paid for."""
        claims: list[Claim] = []
        claimed = True
        while claimed and len(claims) < MOST_REQUESTS:
            limit = min(CLAIMED_AT_ONCE, MOST_REQUESTS - len(claims))
            found = await self._store.claim_due(limit, now=self._clock(), lease_ms=LEASE_MS, lease=batch.id)
            claims += await self._open(found)
            claimed = bool(found)
            if not await hold.keep():
                return False
        granted = await self._paid_for(claims)
        batch = msgspec.structs.replace(batch, requests=len(granted), made_at=self._clock())
        await self._store.save_batch(batch)
        await self._hand_over(hold, batch, granted)
        return claimed and len(granted) == len(claims)

    async def _open(self, claims: Sequence[Claim]) -> list[Claim]:
        """Settle what the rules settle, leave what the sample leaves out; give the rest."""
        ruled = [
            (claim, judgement)
            for claim in claims
            if (judgement := judge_by_rules(claim.interaction, self._terms.rules))
        ]
        await self._answers.keep_rules(ruled)
        settled = {claim.query_id for claim, _ in ruled}
        rest = [claim for claim in claims if claim.query_id not in settled]
        chosen = [claim for claim in rest if is_chosen(claim.interaction, self._terms.sample_rate)]
        if len(chosen) < len(rest):
            asked = {claim.query_id for claim in chosen}
            await self._store.leave([claim for claim in rest if claim.query_id not in asked])
            self._progress.left += len(rest) - len(chosen)
        return chosen

    async def _paid_for(self, claims: list[Claim]) -> list[Claim]:
        """Reserve the money for as many as the day has it for; the rest waits for tomorrow, or is left to people."""
        if not claims:
            return []
        demand = Demand(
            model=self._jobs.model,
            requests=len(claims),
            tokens=0,
            cost_usd=self._jobs.expected_usd or 0.0,
            rpm=None,
            tpm=None,
            budget_usd=self._budget_usd,
        )
        grant = await self._store.reserve(demand, now=self._clock())
        paid, rest = claims[: grant.requests], claims[grant.requests :]
        if rest and self._terms.budget_spent == "leave":
            await self._answers.keep_rules([(claim, BUDGET_SPENT) for claim in rest])
        elif rest:
            due_at = self._clock() + grant.wait_ms
            await self._store.postpone_all(rest, error="the day's money is spent", due_at=due_at)
            self._progress.paused += len(rest)
        return paid

    async def _resume(self, hold: "_Hold", batch: JudgeBatch) -> None:
        """Go on with a batch, whatever it waits for."""
        if batch.job is None:
            await self._resume_handing_over(hold, batch)
            return
        job = await self._jobs.look(batch.job)
        if job is None:
            await self._release(batch, "unavailable", "the provider doesn't know the job any more")
        elif job.state == "over":
            await self._release(batch, job.outcome, job.reason)
        elif job.state == "answered":
            if await self._answers.collect(batch, job, hold.keep):
                await self._end(batch)
        elif self._clock() >= batch.made_at + LEASE_MS:
            await self._jobs.cancel(job.name)
            await self._release(batch, "timed_out", "the provider didn't answer in time")

    async def _resume_handing_over(self, hold: "_Hold", batch: JudgeBatch) -> None:
        """Find the job that was made, if it was, or else hand the batch over now."""
        job = await self._jobs.find(batch.id) if batch.requests else None
        if job is not None:
            await self._store.save_batch(msgspec.structs.replace(batch, job=job.name))
        elif (reason := self._is_void(batch)) is not None:
            await self._release(batch, None, reason)
        else:
            await self._hand_over(hold, batch, await self._store.claims(batch.id))

    def _is_void(self, batch: JudgeBatch) -> str | None:
        """Why a batch that wasn't handed over isn't to be any more."""
        if not batch.requests or self._clock() >= batch.made_at + LATEST_MS:
            return "it was never handed over"
        if (batch.model, batch.rubric) != (self._jobs.model, self._jobs.rubric):
            return "the model or the rubric has changed"
        return None

    async def _hand_over(self, hold: "_Hold", batch: JudgeBatch, claims: Sequence[Claim]) -> None:
        """Make a job of claims that are paid for."""
        if not claims:
            await self._end(batch)
            return
        try:
            file = await self._jobs.upload(batch.id, self._cases(claims))
            if not await hold.keep():
                return
            hold.stays = True  # where it isn't said whether there is a job now, nobody makes another one for a while
            job = await self._jobs.create(batch.id, file)
            hold.stays = False
        except JudgeRefused as error:
            hold.stays = False
            await self._release(batch, "refused", str(error))
            raise
        await self._store.save_batch(msgspec.structs.replace(batch, job=job.name))
        self._progress.handed_over += len(claims)

    async def _cases(self, claims: Sequence[Claim]) -> AsyncIterator[tuple[str, Case]]:
        for some in (claims[at : at + CLAIMED_AT_ONCE] for at in range(0, len(claims), CLAIMED_AT_ONCE)):
            found = await cases(self._store, [claim.interaction for claim in some], self._terms.session_turns)
            for case in found:
                yield case.interaction.query.id, case

    async def _release(self, batch: JudgeBatch, outcome: CallOutcome | None, reason: str) -> None:
        """Give all interactions of a batch back; no attempt is counted."""
        await self._answers.give_back(batch, outcome, reason)
        await self._end(batch, reason)

    async def _end(self, batch: JudgeBatch, error: str | None = None) -> None:
        if batch.requests:
            await self._jobs.forget(batch.id)
        await self._store.save_batch(msgspec.structs.replace(batch, ended_at=self._clock(), error=error))


class _Hold:
    """The right to look after a batch, for a while; a run that was killed loses it by itself."""

    def __init__(self, store: Store, id: str, hold_ms: int, clock: Clock) -> None:
        self._store = store
        self._id = id
        self._hold_ms = hold_ms
        self._clock = clock
        self._holder = uuid4().hex
        self.stays = False

    async def keep(self) -> bool:
        """Have it for so long from now; tell whether that is so, or somebody else has it."""
        now = self._clock()
        return await self._store.hold_batch(self._id, holder=self._holder, now=now, until=now + self._hold_ms)

    async def let_go(self) -> None:
        """Let others have it, unless it is to stay."""
        if not self.stays:
            now = self._clock()
            await self._store.hold_batch(self._id, holder=self._holder, now=now, until=now - 1)
