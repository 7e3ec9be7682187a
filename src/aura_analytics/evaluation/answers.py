"""The answers of a batch: from what a provider says of each request to verdicts, and to what has to be tried again."""

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence

import msgspec

from aura_analytics.evaluation.hearing import LONGEST_PAUSE_MS, Terms, verdict_of
from aura_analytics.evaluation.job import Answer, Job, Jobs
from aura_analytics.evaluation.judgement import Judgement
from aura_analytics.evaluation.tally import Tally
from aura_analytics.events.records import CallOutcome, JudgeCall, Verdict
from aura_analytics.store import Store
from aura_analytics.store.judging import JudgeBatch
from aura_analytics.store.port import Claim

GROUP = 200
"""Answers that are settled in one transaction."""


class Progress(Tally, kw_only=True):
    """What a run with batches did, and how many are with the provider. `cost_usd` is of those whose price is known."""

    handed_over: int = 0
    waiting: int = 0
    cost_usd: float = 0.0


class Answers:
    """Keeps what was answered.

    Args:
        store: where verdicts go.
        jobs: where answers come from.
        progress: what is counted.
        terms: how often and when what wasn't answered is tried again.
    """

    def __init__(self, store: Store, jobs: Jobs, progress: Progress, terms: Terms) -> None:
        self._store = store
        self._jobs = jobs
        self._progress = progress
        self._terms = terms
        self._clock = terms.clock

    async def keep_rules(self, judged: Sequence[tuple[Claim, Judgement]]) -> None:
        """Settle what no model was asked about."""
        if not judged:
            return
        verdicts = [(claim, verdict_of(claim, judgement, (), now=self._clock())) for claim, judgement in judged]
        await self._store.settle(verdicts)
        self._progress.labels.update(verdict.label for _, verdict in verdicts)

    async def collect(self, batch: JudgeBatch, job: Job, hold: Callable[[], Awaitable[bool]]) -> bool:
        """Settle the answers of a job, in groups; what wasn't answered is tried again, or given up.

        Args:
            batch: whose answers they are.
            job: which is answered.
            hold: asked before each group whether the batch is still ours; if not, nothing more is done.

        Returns:
            Whether all is settled.
        """
        answers = await self._jobs.answers(job.name)
        claims = {claim.query_id: claim for claim in await self._store.claims(batch.id)}
        there = {answer.query_id for answer in answers}
        missing = [_missing(id) for id in sorted(claims.keys() - there)]
        for group in (*_groups(answers), *_groups(missing)):
            if not await hold():
                return False
            await self._keep(batch, group, claims)
        return True

    async def give_back(self, batch: JudgeBatch, outcome: CallOutcome | None, reason: str) -> None:
        """Make the interactions of a batch due again, with no attempt counted.

        Args:
            batch: that has no answers.
            outcome: what its requests are noted with, so that their money is free again; None where none was made.
            reason: why.
        """
        claims = await self._store.claims(batch.id)
        await self._store.postpone_all(claims, error=reason, due_at=self._clock())
        self._progress.paused += len(claims)
        if outcome is not None:
            ends = [Answer(query_id=claim.query_id, outcome=outcome, cost_usd=0.0) for claim in claims]
            calls = [self._call(batch, _store(claim), end) for claim, end in zip(claims, ends, strict=True)]
            await self._store.note_calls(calls)

    async def _keep(self, batch: JudgeBatch, group: Sequence[Answer], claims: Mapping[str, Claim]) -> None:
        """Settle one group. One whose good answers are claimed no more was settled by a run that was killed."""
        good = [(answer, answer.judgement) for answer in group if answer.judgement is not None]
        for answer in group:
            if answer.judgement is None and (claim := claims.get(answer.query_id)):
                await self._try_later(claim, self._call(batch, _store(claim), answer), answer.error)
        if not any(answer.query_id in claims for answer, _ in good):
            return
        verdicts: list[tuple[Claim, Verdict]] = []
        calls: list[JudgeCall] = []
        for answer, judgement in good:
            claim = claims.get(answer.query_id)
            if claim is not None:
                call = self._call(batch, _store(claim), answer)
                by = msgspec.structs.replace(judgement, model=batch.model, rubric=batch.rubric)
                verdicts.append((claim, verdict_of(claim, by, [call], now=self._clock())))
            else:  # it got its outcome meanwhile, and is judged anew; the answer is paid for all the same
                call = self._call(batch, await self._store_of(answer.query_id), answer)
            calls.append(call)
        await self._store.settle(verdicts, calls)
        self._progress.labels.update(verdict.label for _, verdict in verdicts)
        self._progress.cost_usd += sum(call.cost_usd or 0.0 for call in calls)

    async def _try_later(self, claim: Claim, call: JudgeCall, error: str) -> None:
        """Put an interaction back with what went wrong, or, after the last try, to the failed ones."""
        now = self._clock()
        counts = call.outcome != "rate_limited"  # that would have been the same with any other
        self._progress.cost_usd += call.cost_usd or 0.0
        if counts and claim.attempts >= self._terms.max_attempts:
            await self._store.give_up(claim, error=error, now=now, calls=[call])
            self._progress.failed += 1
            return
        pause_ms = min(LONGEST_PAUSE_MS, self._terms.first_pause_ms * 2 ** (claim.attempts - 1))
        await self._store.postpone(claim, error=error, due_at=now + pause_ms, counts=counts, calls=[call])
        self._progress.postponed += 1

    async def _store_of(self, query_id: str) -> str:
        found = await self._store.interaction(query_id)
        return found.query.store_id if found else ""

    def _call(self, batch: JudgeBatch, store_id: str, answer: Answer) -> JudgeCall:
        """Note a request of a batch; one of another model than now is asked has no price."""
        return JudgeCall(
            query_id=answer.query_id,
            store_id=store_id,
            called_at=batch.made_at,
            model=batch.model,
            rubric=batch.rubric,
            outcome=answer.outcome,
            duration_ms=None,
            tokens_prompt=answer.tokens_prompt,
            tokens_completion=answer.tokens_completion,
            cost_usd=answer.cost_usd if batch.model == self._jobs.model else None,
            reserved_usd=self._jobs.expected_usd or 0.0,
        )


def _store(claim: Claim) -> str:
    return claim.interaction.query.store_id


def _missing(query_id: str) -> Answer:
    return Answer(query_id=query_id, outcome="unavailable", error="the job has no answer to it", cost_usd=0.0)


def _groups(answers: Sequence[Answer]) -> Iterator[Sequence[Answer]]:
    return (answers[at : at + GROUP] for at in range(0, len(answers), GROUP))
