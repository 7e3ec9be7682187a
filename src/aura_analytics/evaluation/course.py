"""The course of one run: claims come in while calls are in flight, and verdicts are stored as they come.

No call waits for another one. What the rules settle goes straight to the outbox; what is left is asked about, so many
at a time. A judge that rests keeps nobody waiting: what needs it is put off, and the rest goes on.
"""

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Callable, Coroutine, Sequence

import msgspec

from aura_analytics.errors import StoreUnavailable
from aura_analytics.evaluation.hearing import Hearing, Standing, Terms
from aura_analytics.evaluation.judgement import Case, Judge
from aura_analytics.evaluation.outbox import Outbox
from aura_analytics.evaluation.tally import Tally
from aura_analytics.evaluation.tracing import Batch
from aura_analytics.store import Store
from aura_analytics.store.port import Claim

RELEASE_S = 5.0
LOOK_AGAIN_S = 1.0
"""While calls are in flight and nothing was due, it is looked for work again after this time."""

LEAST_CLAIM = 50

PROLONGED = 4
"""So many times in a lease it is prolonged, so that a hearing may take longer than one."""


class Waiting(msgspec.Struct, frozen=True):
    """A claim that is to be heard; not after a moment, when its lease would not last."""

    claim: Claim
    case: Case
    until: int


class Course:
    """One run. Make one, and `run` it once."""

    def __init__(
        self,
        store: Store,
        judge: Judge | None,
        terms: Terms,
        standing: Standing,
        on_progress: Callable[[Tally], None] | None = None,
    ) -> None:
        self.tally = Tally()
        self._store = store
        self._terms = terms
        self._asks = judge is not None
        self._held: dict[str, Claim] = {}
        self._outbox = Outbox(store, self._held, self.tally, terms.clock, on_progress)
        self._hearing = Hearing(judge, terms, standing, self._outbox)
        self._waiting: deque[Waiting] = deque()
        self._lanes: set[asyncio.Task[None]] = set()
        self._changed = asyncio.Event()
        self._look_at = 0.0
        self._drained = self._gave_back = False
        self._error: BaseException | None = None

    async def run(self) -> None:
        """Label until nothing is due.

        Raises:
            StoreUnavailable: the work stays where it is.
        """
        beside = [self._begun(self._outbox.keep_storing())]
        if self._asks:  # rules take no time
            beside.append(self._begun(self._keep_claims()))
        try:
            while not await self._is_over():
                if self._wants_more():
                    await self._take_in()
                else:
                    await self._until_changed()
        finally:
            await asyncio.shield(self._end(beside))

    async def _is_over(self) -> bool:
        """Tell whether nothing is due, and nothing on its way; what was given back at last is due again."""
        if self._error is not None:
            raise self._error
        if not self._drained or self._lanes:
            return False
        await self._outbox.store()
        given_back, self._gave_back = self._gave_back, False
        if given_back:
            self._drained, self._look_at = False, 0.0
        return not given_back

    def _wants_more(self) -> bool:
        return len(self._waiting) < self._terms.concurrency and time.monotonic() >= self._look_at

    async def _until_changed(self) -> None:
        self._changed.clear()
        longest_s = max(0.0, self._look_at - time.monotonic()) if self._drained else None
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(longest_s):
                await self._changed.wait()

    async def _take_in(self) -> None:
        """Claim what is due, send what is clear to the outbox, and have the rest heard."""
        batch = Batch(self._terms.tracer)
        claims = await self._claim()
        self._drained = not claims
        self._look_at = time.monotonic() + LOOK_AGAIN_S if self._drained else 0.0
        with batch.looked_through(len(claims)):
            if opened := [claim for claim in claims if not self._hearing.settles(claim)]:
                self._waiting += await self._cases(opened)
        self._open_lanes()
        await self._outbox.make_room()

    async def _claim(self) -> list[Claim]:
        """Claim a batch; one that comes when this run was stopped already goes back at once."""
        terms = self._terms
        # What waits for a judge that is slow would outlast its lease, so no more is claimed than is soon asked about.
        limit = min(terms.batch_size, max(LEAST_CLAIM, 2 * terms.concurrency)) if self._asks else terms.batch_size
        claiming = asyncio.ensure_future(self._store.claim_due(limit, now=terms.clock(), lease_ms=terms.lease_ms))
        claims: list[Claim] = []
        try:
            claims = await asyncio.shield(claiming)
        except asyncio.CancelledError:
            with contextlib.suppress(StoreUnavailable):
                claims = await claiming
            raise
        finally:
            self._held |= {claim.query_id: claim for claim in claims}
        return claims

    async def _cases(self, claims: Sequence[Claim]) -> list[Waiting]:
        """Put with each claim what came before it in its session; half of its lease is for waiting."""
        until = self._terms.clock() + self._terms.lease_ms // 2
        queries, turns = [claim.interaction.query for claim in claims], self._terms.session_turns
        previous = await self._store.previous_turns(queries, turns) if turns else {}
        return [Waiting(claim, Case(claim.interaction, previous.get(claim.query_id, ())), until) for claim in claims]

    async def _keep_claims(self) -> None:
        """Prolong the leases of what is held, until cancelled: else a long hearing would be held again and again."""
        lease_ms = self._terms.lease_ms
        while True:
            await asyncio.sleep(lease_ms / PROLONGED / 1000)
            if held := list(self._held.values()):
                await self._store.prolong(held, until=self._terms.clock() + lease_ms)

    def _open_lanes(self) -> None:
        for _ in range(min(len(self._waiting), self._terms.concurrency - len(self._lanes))):
            lane = self._begun(self._hear_all())
            self._lanes.add(lane)
            lane.add_done_callback(self._close_lane)

    async def _hear_all(self) -> None:
        """Hear one after the other, as long as any wait."""
        while self._waiting:
            one = self._waiting.popleft()
            if len(self._waiting) < self._terms.concurrency:
                self._changed.set()
            if self._terms.clock() > one.until:
                self._outbox.give_back(one.claim)
                self._gave_back = True
            else:
                await self._hearing.hear(one.claim, one.case)

    def _close_lane(self, lane: asyncio.Task[None]) -> None:
        self._lanes.discard(lane)
        if not self._lanes:  # whether anything is due is looked at once more, since it took its time
            self._drained, self._look_at = False, 0.0
        self._changed.set()

    def _begun(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        """Have some work done beside; an error of it ends the run."""
        task = asyncio.create_task(work)
        task.add_done_callback(self._note_error)
        return task

    def _note_error(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self._error = self._error or error
            self._changed.set()

    async def _end(self, beside: Sequence[asyncio.Task[None]]) -> None:
        """Stop what runs; store what came of it, and give the rest back, so that nobody has to wait for the lease.

        Whoever stops us doesn't wait for long either.
        """
        running = [*beside, *self._lanes]
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        if not self._held:
            return
        with contextlib.suppress(StoreUnavailable, TimeoutError):
            async with asyncio.timeout(RELEASE_S):
                try:
                    await self._outbox.store()
                finally:
                    await self._store.release(list(self._held.values()), now=self._terms.clock())
                    await self._store.note_calls(self._hearing.unfinished_calls)
