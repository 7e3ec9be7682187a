"""The hearing of one interaction: by the rules, by a judge where those leave it open, and what then becomes of it."""

from collections.abc import Sequence
from typing import Literal

import msgspec
import structlog

from aura_analytics.clock import Clock, now
from aura_analytics.errors import JudgeError, JudgePaused, JudgeRefused, JudgeUnavailable
from aura_analytics.evaluation.judgement import BUDGET_SPENT, NO_JUDGE, Case, Judge, Judgement
from aura_analytics.evaluation.outbox import Later, Outbox
from aura_analytics.evaluation.rule import Rule
from aura_analytics.evaluation.rules import judge_by_rules
from aura_analytics.evaluation.sample import is_chosen
from aura_analytics.evaluation.tracing import hearing_of, note_failure, note_label
from aura_analytics.events.records import JudgeCall, Verdict
from aura_analytics.spans import Tracer
from aura_analytics.store.port import Claim

log = structlog.get_logger()

LONGEST_PAUSE_MS = 3_600_000
LEAST_PAUSE_MS = 1_000


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """How an evaluator works.

    `batch_size`: interactions a claim; `concurrency`: calls of the judge in flight; `lease_ms`: how long a claim keeps
    others away; `max_attempts`: tries before an interaction rests among the failed ones; `first_pause_ms`: after the
    first failure, doubled with each; `sample_rate`: the share that the judge is asked about; `session_turns`: how many
    turns before it the judge is shown; `budget_spent`: what becomes of the rest when the day's money is; `tracer`: begins
    what is traced of it, if anything is.
    """

    rules: tuple[Rule, ...]
    batch_size: int = 50
    concurrency: int = 16
    lease_ms: int = 300_000
    max_attempts: int = 5
    first_pause_ms: int = 30_000
    sample_rate: float = 1.0
    session_turns: int = 3
    budget_spent: Literal["wait", "leave"] = "wait"
    clock: Clock = now
    tracer: Tracer | None = None


class Standing(msgspec.Struct):
    """How it stands with the judge, from one run to the next.

    `pause` is why it isn't asked, until a moment; `accepts`: whether the last that it said was an answer, and no refusal.
    """

    paused_until: int = 0
    pause: JudgePaused | None = None
    accepts: bool = False


class Hearing:
    """Hears interactions, many at a time, and sends to an outbox what comes of it."""

    def __init__(self, judge: Judge | None, terms: Terms, standing: Standing, outbox: Outbox) -> None:
        self._judge = judge
        self._terms = terms
        self._standing = standing
        self._outbox = outbox
        self._calls: dict[tuple[str, str], list[JudgeCall]] = {}

    @property
    def unfinished_calls(self) -> list[JudgeCall]:
        """The requests that were made for interactions whose hearing goes on."""
        return [call for calls in self._calls.values() for call in calls]

    def settles(self, claim: Claim) -> bool:
        """Send a claim to the outbox that needs no judge, or can't have one now; tell whether it was one."""
        judgement = judge_by_rules(claim.interaction, self._terms.rules)
        if judgement is None and self._judge is None:
            judgement = NO_JUDGE
        if judgement is not None:
            self._outbox.label(claim, self._verdict(claim, judgement))
        elif not is_chosen(claim.interaction, self._terms.sample_rate):
            self._outbox.leave(claim)
        else:
            return self.puts_off(claim)
        return True

    def puts_off(self, claim: Claim, calls: Sequence[JudgeCall] = ()) -> bool:
        """Send a claim to the outbox while the judge isn't to be asked; tell whether that is so."""
        standing = self._standing
        if standing.pause is None or standing.paused_until <= self._terms.clock():
            return False
        error, due_at = str(standing.pause), standing.paused_until
        if standing.pause.spent and self._terms.budget_spent == "leave":
            self._outbox.label(claim, self._verdict(claim, BUDGET_SPENT), calls)
        elif calls:
            self._outbox.postpone(claim, Later(error=error, due_at=due_at, counts=False), calls)
        else:
            self._outbox.pause(claim, error=error, due_at=due_at)
        return True

    async def hear(self, claim: Claim, case: Case) -> None:
        """Ask the judge about a claim, and send to the outbox what it says, or that it doesn't."""
        if self.puts_off(claim):
            return
        with hearing_of(claim, self._terms.tracer):
            await self._hear(claim, case)

    async def _hear(self, claim: Claim, case: Case) -> None:
        assert self._judge is not None  # noqa: S101 (without a judge the rules settle everything)
        calls = self._calls[claim.query_id, claim.lease] = []
        try:
            judgement = await self._judge.judge(case, calls)
        except JudgePaused as error:
            self._note_pause(error)
            self.puts_off(claim, calls)
        except JudgeError as error:
            self._try_later(claim, error, calls)
            note_failure(error)
        else:
            self._standing.accepts = True
            note_label(judgement)
            self._outbox.label(claim, self._verdict(claim, judgement, calls), calls)
        del self._calls[claim.query_id, claim.lease]

    def _note_pause(self, error: JudgePaused) -> None:
        """Remember for how long nobody needs to ask; that is said once."""
        now = self._terms.clock()
        if self._standing.paused_until <= now:
            log.info("judge_paused", error=str(error), again_in_s=round(error.retry_after_s, 1))
        until = now + max(LEAST_PAUSE_MS, round(error.retry_after_s * 1000))
        if until > self._standing.paused_until:
            self._standing.paused_until, self._standing.pause = until, error

    def _try_later(self, claim: Claim, error: JudgeError, calls: Sequence[JudgeCall]) -> None:
        """Put an interaction off with what went wrong, or, after the last try, to the failed ones."""
        log.warning("judge_failed", query_id=claim.query_id, attempts=claim.attempts, error=str(error))
        counts = self._is_about_it(error, calls)
        if counts and claim.attempts >= self._terms.max_attempts:
            self._outbox.give_up(claim, str(error), calls)
            return
        pause = min(LONGEST_PAUSE_MS, self._terms.first_pause_ms * 2 ** (claim.attempts - 1))
        if isinstance(error, JudgeUnavailable) and error.retry_after_s:
            pause = max(pause, round(error.retry_after_s * 1000))
        due_at = self._terms.clock() + pause
        self._outbox.postpone(claim, Later(error=str(error), due_at=due_at, counts=counts), calls)

    def _is_about_it(self, error: JudgeError, calls: Sequence[JudgeCall]) -> bool:
        """Tell whether a failure counts as an attempt: not where it would have been the same with any interaction.

        A refusal is about the key as long as nobody else gets an answer, and else about this request.
        """
        if isinstance(error, JudgeRefused):
            accepts, self._standing.accepts = self._standing.accepts, False
            return accepts
        return not (calls and calls[-1].outcome == "rate_limited")

    def _verdict(self, claim: Claim, judgement: Judgement, calls: Sequence[JudgeCall] = ()) -> Verdict:
        return verdict_of(claim, judgement, calls, now=self._terms.clock())


def verdict_of(claim: Claim, judgement: Judgement, calls: Sequence[JudgeCall], *, now: int) -> Verdict:
    """Give a judgement as the verdict on a claim, with what the requests took that it needed."""
    costs = [call.cost_usd for call in calls]
    durations = [call.duration_ms for call in calls]
    return Verdict(
        query_id=claim.query_id,
        label=judgement.label,
        reason=judgement.reason,
        confidence=judgement.confidence,
        evaluated_at=now,
        method=judgement.model or "rules",
        explanation=judgement.explanation,
        rubric=judgement.rubric,
        tokens_prompt=sum(call.tokens_prompt for call in calls) if calls else None,
        tokens_completion=sum(call.tokens_completion for call in calls) if calls else None,
        cost_usd=sum(cost for cost in costs if cost is not None) if calls and None not in costs else None,
        duration_ms=sum(took for took in durations if took is not None) if calls and None not in durations else None,
    )
