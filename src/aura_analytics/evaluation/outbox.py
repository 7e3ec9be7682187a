"""The outbox: what became of claims, until the store has it. Many are committed together.

A claim is held until its end is stored; whatever is lost before that comes back by its lease.
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Sequence

import msgspec

from aura_analytics.clock import Clock
from aura_analytics.evaluation.tally import Tally
from aura_analytics.events.records import JudgeCall, Verdict
from aura_analytics.spans import Span, current, together
from aura_analytics.store import Store
from aura_analytics.store.port import Claim

GATHER_S = 0.25
"""For so long verdicts are gathered for one commit: a commit waits for the disk, and so does ingest behind it."""

GROUP = 64
"""From so many on they aren't gathered any longer."""

Calls = Sequence[JudgeCall]


class Later(msgspec.Struct, frozen=True, kw_only=True):
    """That a claim is due again, and why it isn't labelled now."""

    error: str
    due_at: int
    counts: bool


class Outbox:
    """What is to be stored of one run; each claim that is given to it is done with.

    Args:
        store: where it goes.
        held: the claims that the run has, by their ids; what is stored is taken out.
        tally: counts what is stored.
        clock: the present.
        on_progress: told after each commit.
    """

    def __init__(
        self,
        store: Store,
        held: dict[str, Claim],
        tally: Tally,
        clock: Clock,
        on_progress: Callable[[Tally], None] | None = None,
    ) -> None:
        self._store = store
        self._held = held
        self._tally = tally
        self._clock = clock
        self._on_progress = on_progress
        self._labelled: list[tuple[Claim, Verdict, Calls, Span | None]] = []
        self._left: list[Claim] = []
        self._paused: dict[tuple[str, int], list[Claim]] = defaultdict(list)
        self._later: list[tuple[Claim, Later, Calls]] = []
        self._given_up: list[tuple[Claim, str, Calls]] = []
        self._back: list[Claim] = []
        self._filled = asyncio.Event()
        self._full = asyncio.Event()
        self._committing = asyncio.Lock()

    def label(self, claim: Claim, verdict: Verdict, calls: Calls = ()) -> None:
        """Have a verdict stored, and the requests that it took noted."""
        self._labelled.append((claim, verdict, calls, current()))
        self._announce()

    def leave(self, claim: Claim) -> None:
        """Have the work of a claim removed."""
        self._left.append(claim)
        self._announce()

    def pause(self, claim: Claim, *, error: str, due_at: int) -> None:
        """Have a claim put off that nobody was asked about."""
        self._paused[error, due_at].append(claim)
        self._announce()

    def postpone(self, claim: Claim, later: Later, calls: Calls) -> None:
        """Have a claim put off that was asked about."""
        self._later.append((claim, later, calls))
        self._announce()

    def give_up(self, claim: Claim, error: str, calls: Calls) -> None:
        """Have a claim moved to the failed ones."""
        self._given_up.append((claim, error, calls))
        self._announce()

    def give_back(self, claim: Claim) -> None:
        """Have a claim given back untouched."""
        self._back.append(claim)
        self._announce()

    async def keep_storing(self) -> None:
        """Store what comes, in groups, until cancelled."""
        while True:
            await self._filled.wait()
            try:
                async with asyncio.timeout(GATHER_S):
                    await self._full.wait()
            except TimeoutError:
                pass
            await self.store()

    async def make_room(self) -> None:
        """Store what there is, if that is much; so that not more comes in than goes out."""
        if self._full.is_set():
            await self.store()

    async def store(self) -> None:
        """Store everything that there is now. What can't be stored stays.

        Raises:
            StoreUnavailable: the database can't be used.
        """
        async with self._committing:
            self._filled.clear()
            self._full.clear()
            await self._store_labels()
            await self._store_others()
            await self._store_failures()
        if self._on_progress:
            self._on_progress(self._tally)

    def _announce(self) -> None:
        self._filled.set()
        if len(self._labelled) + len(self._left) + len(self._back) >= GROUP:
            self._full.set()

    async def _store_labels(self) -> None:
        if group := self._labelled[:]:
            calls = [call for _, _, calls, _ in group for call in calls]
            with together(
                "store verdicts", "internal", {"aura.evaluation.verdicts": len(group)}, [one[3] for one in group]
            ):
                await self._store.settle([(claim, verdict) for claim, verdict, _, _ in group], calls)
            del self._labelled[: len(group)]
            self._tally.labels.update(verdict.label for _, verdict, _, _ in group)
            self._done([claim for claim, _, _, _ in group])

    async def _store_others(self) -> None:
        if left := self._left[:]:
            await self._store.leave(left)
            del self._left[: len(left)]
            self._tally.left += len(left)
            self._done(left)
        if back := self._back[:]:
            await self._store.release(back, now=self._clock())
            del self._back[: len(back)]
            self._done(back)
        for (error, due_at), paused in list(self._paused.items()):
            del self._paused[error, due_at]
            await self._store.postpone_all(paused, error=error, due_at=due_at)
            self._tally.paused += len(paused)
            self._done(paused)

    async def _store_failures(self) -> None:
        while self._later:
            claim, later, calls = self._later[0]
            await self._store.postpone(claim, error=later.error, due_at=later.due_at, counts=later.counts, calls=calls)
            del self._later[0]
            self._tally.postponed += 1
            self._done([claim])
        while self._given_up:
            claim, error, calls = self._given_up[0]
            await self._store.give_up(claim, error=error, now=self._clock(), calls=calls)
            del self._given_up[0]
            self._tally.failed += 1
            self._done([claim])

    def _done(self, claims: Sequence[Claim]) -> None:
        for claim in claims:
            held = self._held.get(claim.query_id)
            if held is not None and held.lease == claim.lease:  # else its lease was over, and it is claimed anew
                del self._held[claim.query_id]
