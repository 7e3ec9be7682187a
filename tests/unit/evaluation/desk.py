"""Where an evaluator's work waits, in memory: the few methods of a store that it needs, as `Store` describes them.

And judges that do as they are told. Neither takes time, so that a test can be about the order of things.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from itertools import count
from typing import cast

import msgspec

from aura_analytics.evaluation.hearing import Terms
from aura_analytics.evaluation.judgement import Case, Judgement
from aura_analytics.evaluation.rules import default_rules
from aura_analytics.evaluation.worker import Evaluator
from aura_analytics.events.records import CallOutcome, Interaction, JudgeCall, Verdict, VoiceQuery
from aura_analytics.store import Store
from aura_analytics.store.port import Claim
from contract.making import Watch, outcome, query

PATIENCE_S = 10.0
GOOD = Judgement("GOOD", "correct", 0.9, "It was right.", "some:model", "rubric/1")


class Work(msgspec.Struct):
    """What waits of one interaction."""

    interaction: Interaction
    due_at: int = 0
    attempts: int = 0
    lease: str | None = None
    error: str | None = None


class Desk:
    """A queue of work, and what became of it.

    Args:
        clock: the present.
        interactions: what is due at the beginning.
    """

    def __init__(self, clock: Callable[[], int], interactions: Iterable[Interaction] = ()) -> None:
        self.clock = clock
        self.works = {one.query.id: Work(one) for one in interactions}
        self.labels: dict[str, list[Verdict]] = {}
        self.failed: dict[str, str] = {}
        self.left: list[str] = []
        self.calls: list[JudgeCall] = []
        self.groups: list[int] = []
        self.claimed: list[int] = []
        self.looked_back: list[list[str]] = []
        self.broken: Exception | None = None
        self.gate: asyncio.Event | None = None
        self.hangs = False
        self._leases = count(1)

    def store(self) -> Store:
        """It, as what it stands for."""
        return cast("Store", self)

    def add(self, *interactions: Interaction) -> None:
        """Have more work."""
        self.works |= {one.query.id: Work(one) for one in interactions}

    async def claim_due(self, limit: int, *, now: int, lease_ms: int, lease: str | None = None) -> list[Claim]:
        """Claim what is due."""
        if self.gate:
            await self.gate.wait()
        if self.broken:
            raise self.broken
        name = lease or str(next(self._leases))
        due = sorted((work for work in self.works.values() if work.due_at <= now), key=lambda work: work.due_at)[:limit]
        for work in due:
            work.lease, work.due_at, work.attempts = name, now + lease_ms, work.attempts + 1
        self.claimed.append(len(due))
        return [Claim(interaction=work.interaction, lease=name, attempts=work.attempts) for work in due]

    async def previous_turns(self, queries: Sequence[VoiceQuery], limit: int) -> dict[str, list[Interaction]]:
        """Give one turn for each that is in a session."""
        self.looked_back.append([one.id for one in queries])
        before = {one.id: Interaction(query=query(f"before {one.id}")) for one in queries if one.session_id}
        return {id: [one] * limit for id, one in before.items()}

    async def settle(self, verdicts: Sequence[tuple[Claim, Verdict]], calls: Sequence[JudgeCall] = ()) -> int:
        """Keep the labels of those that are still held."""
        await asyncio.sleep(0)
        if self.broken:
            raise self.broken
        self.calls += calls
        self.groups.append(len(verdicts))
        kept = [verdict for claim, verdict in verdicts if self._held(claim)]
        for verdict in kept:
            self.labels.setdefault(verdict.query_id, []).append(verdict)
            del self.works[verdict.query_id]
        return len(kept)

    async def postpone(
        self, claim: Claim, *, error: str, due_at: int, counts: bool = True, calls: Sequence[JudgeCall] = ()
    ) -> None:
        """Put one off."""
        self.calls += calls
        self._put_off(claim, error, due_at, counts=counts)

    async def postpone_all(self, claims: Sequence[Claim], *, error: str, due_at: int) -> None:
        """Put many off."""
        for claim in claims:
            self._put_off(claim, error, due_at, counts=False)

    async def give_up(self, claim: Claim, *, error: str, now: int, calls: Sequence[JudgeCall] = ()) -> None:  # noqa: ARG002
        """Move one to the failed ones."""
        self.calls += calls
        if self._held(claim):
            self.failed[claim.query_id] = error
            del self.works[claim.query_id]

    async def leave(self, claims: Sequence[Claim]) -> None:
        """Remove work."""
        for claim in filter(self._held, claims):
            self.left.append(claim.query_id)
            del self.works[claim.query_id]

    async def release(self, claims: Sequence[Claim], *, now: int) -> None:
        """Take claims back."""
        if self.hangs:
            await asyncio.Event().wait()
        for claim in claims:
            self._put_off(claim, None, now, counts=False)

    async def prolong(self, claims: Sequence[Claim], *, until: int) -> None:
        """Keep claims for longer."""
        for claim in filter(self._held, claims):
            self.works[claim.query_id].due_at = until

    async def note_calls(self, calls: Sequence[JudgeCall]) -> None:
        """Note requests."""
        self.calls += calls

    def _held(self, claim: Claim) -> bool:
        work = self.works.get(claim.query_id)
        return work is not None and work.lease == claim.lease

    def _put_off(self, claim: Claim, error: str | None, due_at: int, *, counts: bool) -> None:
        if self._held(claim):
            work = self.works[claim.query_id]
            work.lease, work.due_at, work.error = None, due_at, error or work.error
            work.attempts -= 0 if counts else 1


Answer = Callable[[Case, list[JudgeCall]], Awaitable[Judgement]]


class Told:
    """A judge that answers as a test says; it knows how many it judges at once."""

    name = "some:model"

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self.asked: list[str] = []
        self.cases: dict[str, Case] = {}
        self.flying = self.most = 0

    async def judge(self, case: Case, calls: list[JudgeCall]) -> Judgement:
        """Answer."""
        self.asked.append(case.interaction.query.id)
        self.cases[case.interaction.query.id] = case
        self.flying += 1
        self.most = max(self.most, self.flying)
        try:
            return await self._answer(case, calls)
        finally:
            self.flying -= 1

    async def aclose(self) -> None:
        """Have nothing to close."""


def saying(judgement: Judgement = GOOD) -> Told:
    """A judge that says the same of everything, by one request each."""

    async def answer(case: Case, calls: list[JudgeCall]) -> Judgement:
        calls.append(call(case.interaction.query.id))
        await asyncio.sleep(0)
        return judgement

    return Told(answer)


def failing(error: Exception, *outcomes: CallOutcome) -> Told:
    """A judge that fails, after requests that ended so."""

    async def answer(case: Case, calls: list[JudgeCall]) -> Judgement:
        calls += [call(case.interaction.query.id, outcome) for outcome in outcomes]
        await asyncio.sleep(0)
        raise error

    return Told(answer)


def thinking() -> Told:
    """A judge that makes a request, and never comes to an end."""

    async def answer(case: Case, calls: list[JudgeCall]) -> Judgement:
        calls.append(call(case.interaction.query.id, "disconnected"))
        await asyncio.Event().wait()
        raise AssertionError

    return Told(answer)


def call(id: str, outcome: CallOutcome = "answered", cost_usd: float | None = 0.25) -> JudgeCall:
    """A request."""
    return JudgeCall(
        query_id=id, store_id="shop", called_at=1, model="some:model", rubric="rubric/1", outcome=outcome,
        duration_ms=2.0, tokens_prompt=100, tokens_completion=10, cost_usd=cost_usd,
    )  # fmt: skip


def unclear(id: str, session: str | None = None) -> Interaction:
    """An interaction that no rule settles."""
    return Interaction(query=query(id, session_id=session), outcome=outcome(id))


def unclear_ones(number: int) -> list[Interaction]:
    """So many of them."""
    return [unclear(f"q{n}") for n in range(number)]


def ruled(id: str) -> Interaction:
    """An interaction that a rule settles."""
    return Interaction(query=query(id), outcome=outcome(id, error_flag=True))


def evaluator(desk: Desk, judge: Told | None, **terms: object) -> Evaluator:
    """An evaluator at a desk; its terms as in `Terms`, by the desk's clock."""
    made = Terms(rules=default_rules(), clock=desk.clock)
    return Evaluator(desk.store(), judge, msgspec.structs.replace(made, **terms))


async def until(look: Callable[[], bool]) -> None:
    """Look again and again until it is so."""
    async with asyncio.timeout(PATIENCE_S):
        while not look():  # noqa: ASYNC110 (polls what the evaluator does)
            await asyncio.sleep(0.001)


def desk_of(*interactions: Interaction) -> tuple[Desk, Watch]:
    """A desk with work, and its clock."""
    watch = Watch()
    return Desk(watch, interactions), watch
