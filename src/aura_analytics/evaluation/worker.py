"""Claim, label, save, until nothing is due.

A claim is a lease in the store. Whatever happens to this process, an interaction is labelled once: the verdict and the
end of its work are one transaction, and it counts only while the lease holds.
"""

import asyncio
import contextlib
import random
from collections import Counter
from collections.abc import Callable, Sequence

import msgspec
import structlog

from aura_analytics.clock import Clock, now
from aura_analytics.errors import JudgeError, JudgeRefused, JudgeUnavailable, StoreUnavailable
from aura_analytics.evaluation.judgement import NO_JUDGE, Judge, Judgement
from aura_analytics.evaluation.rule import Rule
from aura_analytics.evaluation.rules import default_rules, judge_by_rules
from aura_analytics.events.records import Verdict
from aura_analytics.store import Store
from aura_analytics.store.port import Claim

log = structlog.get_logger()

FIRST_PAUSE_MS = 30_000
LONGEST_PAUSE_MS = 3_600_000
# By which part the pause between two looks is shorter or longer: evaluators that began together don't stay together.
JITTER = 0.1
RELEASE_S = 5.0


class Tally(msgspec.Struct, kw_only=True):
    """What one run did: labels by label, tries that go on later, and those that were given up. Grows while it runs."""

    labels: Counter[str] = msgspec.field(default_factory=Counter)
    postponed: int = 0
    failed: int = 0

    @property
    def labelled(self) -> int:
        """How many got a label."""
        return sum(self.labels.values())


class Evaluator:
    """Labels what is due.

    Args:
        store: where the work waits and the verdicts go.
        judge: labels what the rules leave open; without one that is REVIEW.
        batch_size: interactions a claim.
        concurrency: calls of the judge in flight.
        lease_ms: how long a claim keeps others away.
        max_attempts: tries before an interaction rests among the failed ones.
        rules: asked first; those of the package by default.
        clock: the present.
    """

    def __init__(
        self,
        store: Store,
        judge: Judge | None,
        *,
        batch_size: int = 50,
        concurrency: int = 16,
        lease_ms: int = 300_000,
        max_attempts: int = 5,
        rules: Sequence[Rule] | None = None,
        clock: Clock = now,
    ) -> None:
        self._store = store
        self._judge = judge
        self._batch_size = batch_size
        self._slots = asyncio.Semaphore(concurrency)
        self._lease_ms = lease_ms
        self._max_attempts = max_attempts
        self._rules = default_rules() if rules is None else rules
        self._clock = clock

    async def run(self, on_progress: Callable[[Tally], None] | None = None) -> Tally:
        """Label until nothing is due.

        Args:
            on_progress: told after each batch.

        Raises:
            StoreUnavailable: the work stays where it is.
        """
        tally = Tally()
        refused = False
        while not refused:
            claims = await self._claim()
            if not claims:
                break
            refused = await self._label(claims, tally)
            if on_progress:
                on_progress(tally)
        return tally

    async def watch(self, interval_s: float) -> None:
        """Run about every so many seconds, until cancelled; a run ends only when nothing is due."""
        while True:
            try:
                tally = await self.run()
                if tally.labelled or tally.postponed or tally.failed:
                    log.info(
                        "evaluation",
                        **tally.labels,
                        labelled=tally.labelled,
                        postponed=tally.postponed,
                        failed=tally.failed,
                    )
            except StoreUnavailable as error:
                log.warning("evaluation_waits", error=str(error))
            except Exception:  # the edge of the worker's loop: the claims come back by their leases
                log.exception("evaluation_failed")
            await asyncio.sleep(interval_s * random.uniform(1 - JITTER, 1 + JITTER))  # noqa: S311 (no secret)

    async def _claim(self) -> list[Claim]:
        """Claim a batch; one that comes when this run was stopped already goes back at once."""
        now = self._clock()
        claiming = asyncio.ensure_future(self._store.claim_due(self._batch_size, now=now, lease_ms=self._lease_ms))
        try:
            return await asyncio.shield(claiming)
        except asyncio.CancelledError:
            with contextlib.suppress(StoreUnavailable):
                await self._release(await claiming)
            raise

    async def _release(self, claims: Sequence[Claim]) -> None:
        """Give claims back, so that others needn't wait for the lease; whoever stops us doesn't wait for long either."""
        with contextlib.suppress(StoreUnavailable, TimeoutError):
            async with asyncio.timeout(RELEASE_S):
                await self._store.release(claims, now=self._clock())

    async def _label(self, claims: list[Claim], tally: Tally) -> bool:
        """Label one batch; tell whether the judge refused to work, so that going on is no use."""
        open_claims = {claim.query_id: claim for claim in claims}
        try:
            ruled = [(claim, verdict) for claim in claims if (verdict := self._rule(claim)) is not None]
            await self._keep(ruled, tally, open_claims)
            left = list(open_claims.values())
            return any(await asyncio.gather(*(self._ask(claim, tally, open_claims) for claim in left)))
        finally:
            if open_claims:  # this run was stopped
                await asyncio.shield(self._release(list(open_claims.values())))

    def _rule(self, claim: Claim) -> Verdict | None:
        judgement = judge_by_rules(claim.interaction, self._rules)
        if judgement is not None:
            return self._verdict(claim, judgement, "rules")
        return None if self._judge else self._verdict(claim, NO_JUDGE, "rules")

    async def _ask(self, claim: Claim, tally: Tally, open_claims: dict[str, Claim]) -> bool:
        """Have one interaction judged; tell whether the judge refused."""
        assert self._judge is not None  # noqa: S101 (without a judge the rules settle everything)
        try:
            async with self._slots:
                judgement = await self._judge.judge(claim.interaction)
        except JudgeError as error:
            await self._try_later(claim, error, tally)
            open_claims.pop(claim.query_id)
            return isinstance(error, JudgeRefused)
        await self._keep([(claim, self._verdict(claim, judgement, self._judge.name))], tally, open_claims)
        return False

    def _verdict(self, claim: Claim, judgement: Judgement, method: str) -> Verdict:
        return Verdict(
            query_id=claim.query_id,
            label=judgement.label,
            reason=judgement.reason,
            confidence=judgement.confidence,
            evaluated_at=self._clock(),
            method=method,
            explanation=judgement.explanation,
        )

    async def _keep(self, verdicts: list[tuple[Claim, Verdict]], tally: Tally, open_claims: dict[str, Claim]) -> None:
        if not verdicts:
            return
        await self._store.settle(verdicts)
        for claim, verdict in verdicts:
            open_claims.pop(claim.query_id)
            tally.labels[verdict.label] += 1

    async def _try_later(self, claim: Claim, error: JudgeError, tally: Tally) -> None:
        """Put an interaction back with what went wrong, or, after the last try, to the failed ones."""
        log.warning("judge_failed", query_id=claim.query_id, attempts=claim.attempts, error=str(error))
        if claim.attempts >= self._max_attempts:
            await self._store.give_up(claim, error=str(error), now=self._clock())
            tally.failed += 1
            return
        pause = min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** (claim.attempts - 1))
        if isinstance(error, JudgeUnavailable) and error.retry_after_s:
            pause = max(pause, round(error.retry_after_s * 1000))
        await self._store.postpone(claim, error=str(error), due_at=self._clock() + pause)
        tally.postponed += 1
