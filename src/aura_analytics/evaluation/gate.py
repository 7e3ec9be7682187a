"""The gate before the models: who may ask now, within what the provider bears and what may be spent.

A model's trouble is known to this process alone (its breaker). The limits are kept in the store, by all evaluators
together.
"""

import asyncio
import contextlib
import math
import time
from collections.abc import Callable, Sequence

import msgspec
import structlog

from aura_analytics.clock import Clock, now
from aura_analytics.errors import JudgePaused
from aura_analytics.evaluation.breaker import Breaker, Change
from aura_analytics.events.records import JudgeCall
from aura_analytics.store import Store
from aura_analytics.store.judging import Demand

log = structlog.get_logger()

PATIENCE_S = 30.0
"""A turn that comes within this time is waited for."""

REST_S = 5.0
"""A model that rests no longer than this is waited for; meanwhile nobody else's work would go on for long."""

BLOCK = 16
"""So many requests are reserved at once, at most: what is reserved and not used is lost."""

KEPT_S = 1.0
"""For so long what was reserved is used: a minute's requests aren't kept for a later one."""

LEAST_WAIT_S = 0.02
DAY_MS = 86_400_000
DUST_USD = 1e-9


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What all evaluators together may ask of a model: requests and tokens a minute; and dollars a day. None: no limit."""

    rpm: int | None = None
    tpm: int | None = None
    budget_usd: float | None = None

    @property
    def any(self) -> bool:
        """Whether there is a limit at all."""
        return self.rpm is not None or self.tpm is not None or self.budget_usd is not None


class Asking(msgspec.Struct, frozen=True, eq=False):
    """A request that waits for its turn: about how many tokens and dollars it takes."""

    tokens: int
    cost_usd: float


class Allowance:
    """What this process has reserved of a model's limits, in small blocks.

    Each request of a block counts as the largest of it; what that is too much is left for the next block.
    """

    def __init__(self, store: Store, model: str, limits: Limits, clock: Clock) -> None:
        self._store = store
        self._model = model
        self._limits = limits
        self._clock = clock
        self._requests = self._tokens = 0
        self._reserved_at = self._closed_until = 0.0
        self._usd, self._day = 0.0, 0
        self._spent = False

    @property
    def is_limited(self) -> bool:
        """Whether there is anything to reserve."""
        return self._limits.any

    def wait_s(self) -> float:
        """After how long asking the store again is worth it."""
        return max(0.0, self._closed_until - time.monotonic())

    async def take(self, line: Sequence[Asking], room: int) -> bool:
        """Take what the first of a line needs, and reserve for those behind it, as many as there is room for.

        Tell whether it could be taken; else see `wait_s`.

        Raises:
            JudgePaused: the day's money is spent.
        """
        if not self._limits.any or self._use(line[0]):
            return True
        if not self.wait_s():
            await self._reserve([one for one, _ in zip(line, range(min(room, BLOCK)), strict=False)])
            if self._use(line[0]):
                return True
        if self._spent:
            raise JudgePaused(f"{self._model}: the day's money is spent", self.wait_s(), spent=True)
        return False

    def give_back(self, asking: Asking) -> None:
        """Put back what was taken and isn't used, for the next one."""
        if self._limits.any:
            self._requests += 1
            self._tokens += asking.tokens
            self._usd += asking.cost_usd

    def _use(self, asking: Asking) -> bool:
        self._forget_old()
        enough = self._tokens >= asking.tokens and self._usd + DUST_USD >= asking.cost_usd
        if not self._requests or not enough:
            self._requests = 0  # it came later, and needs more than those for whom it was reserved
            return False
        self._requests -= 1
        self._tokens -= asking.tokens
        self._usd -= asking.cost_usd
        return True

    async def _reserve(self, first: Sequence[Asking]) -> None:
        count, day = len(first), self._clock() // DAY_MS
        demand = Demand(
            model=self._model,
            requests=count,
            tokens=max(0, math.ceil(max(one.tokens for one in first) - self._tokens / count)),
            cost_usd=max(0.0, max(one.cost_usd for one in first) - self._usd / count),
            rpm=self._limits.rpm,
            tpm=self._limits.tpm,
            budget_usd=self._limits.budget_usd,
        )
        grant = await self._store.reserve(demand, now=self._clock())
        self._requests, self._day, self._reserved_at = grant.requests, day, time.monotonic()
        self._tokens += grant.requests * demand.tokens
        self._usd += grant.requests * demand.cost_usd
        self._spent = grant.spent and not grant.requests
        wait_s = max(LEAST_WAIT_S, grant.wait_ms / 1000)
        if not grant.requests or (grant.requests < count and wait_s <= PATIENCE_S):
            self._closed_until = time.monotonic() + wait_s

    def _forget_old(self) -> None:
        """Let go of a minute's requests and tokens when it passes, and of a day's money with the day."""
        if time.monotonic() - self._reserved_at > KEPT_S:
            self._requests = self._tokens = 0
        if self._clock() // DAY_MS != self._day:
            self._usd = 0.0


class Turnstile:
    """The way to one model: those who want to ask stand in line, and only the first looks whether it may."""

    def __init__(self, model: str, breaker: Breaker, allowance: Allowance, patience_s: float) -> None:
        self._model = model
        self._breaker = breaker
        self._allowance = allowance
        self._patience_s = patience_s
        self._line: list[Asking] = []
        self._first = asyncio.Lock()  # it is given in the order in which it was asked for
        self._changed = asyncio.Event()

    async def admit(self, asking: Asking) -> bool:
        """Wait for a turn; see `Gate.admit`."""
        if not self._line and not self._allowance.is_limited and self._breaker.room():
            self._breaker.begun()
            return False
        self._line.append(asking)
        try:
            async with asyncio.timeout(self._patience_s), self._first:
                await self._pass(asking)
        except TimeoutError as error:
            wait_s = max(1.0, self._breaker.wait_s(), self._allowance.wait_s())
            raise JudgePaused(f"{self._model}: no turn within {self._patience_s:g} s", wait_s) from error
        finally:
            self._line.remove(asking)
        return self._allowance.is_limited

    def ended(self, call: JudgeCall, retry_after_s: float | None) -> None:
        """Take note of how a request ended; see `Gate.ended`."""
        match call.outcome:
            case "answered" | "invalid" | "cut_off" | "blocked":
                self._tell(self._breaker.answered())
            case "refused":
                self._tell(self._breaker.refused())
            case "rate_limited":
                self._tell(self._breaker.failed(retry_after_s))
            case "unavailable" | "timed_out" | "disconnected":  # it may be the trouble of one request
                self._tell(self._breaker.failed())
        self._changed.set()

    def _tell(self, change: Change | None) -> None:
        match change:
            case "refused":
                log.warning("judge_refused", model=self._model, again_in_s=round(self._breaker.wait_s()))
            case "rests":
                log.warning("judge_rests", model=self._model, again_in_s=round(self._breaker.wait_s(), 1))
            case "accepted":
                log.info("judge_accepted", model=self._model)
            case "answers":
                log.info("judge_answers", model=self._model)

    async def _pass(self, asking: Asking) -> None:
        """Wait until the first of the line may ask."""
        while True:
            if rest_s := self._breaker.wait_s():
                await self._rest(rest_s)
            elif not (room := self._breaker.room()):
                await self._until_changed(self._breaker.full_for_s())
            elif not await self._allowance.take(self._line, room):
                if (wait_s := self._allowance.wait_s()) > self._patience_s:
                    raise JudgePaused(f"{self._model}: the limits let nothing through", wait_s)
                await asyncio.sleep(wait_s)
            elif self._breaker.room():
                self._breaker.begun()
                return
            else:
                self._allowance.give_back(asking)

    async def _rest(self, rest_s: float) -> None:
        if rest_s > REST_S or self._breaker.is_refused:
            cause = "the key, the model or the request isn't accepted" if self._breaker.is_refused else "it rests"
            raise JudgePaused(f"{self._model}: {cause}", rest_s)
        await self._until_changed(rest_s)

    async def _until_changed(self, longest_s: float) -> None:
        self._changed.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(longest_s):
                await self._changed.wait()


class StoreGate:
    """The `Gate` of one process; see there.

    Args:
        store: where the limits are kept.
        limits: of each model; the money is that of all models.
        patience_s: for how long a turn is waited for.
        clock: the present.
        make_breaker: makes the breaker of a model.
    """

    def __init__(
        self,
        store: Store,
        limits: Limits,
        *,
        patience_s: float = PATIENCE_S,
        clock: Clock = now,
        make_breaker: Callable[[], Breaker] = Breaker,
    ) -> None:
        self._make: Callable[[str], Turnstile] = lambda model: Turnstile(
            model, make_breaker(), Allowance(store, model, limits, clock), patience_s
        )
        self._turnstiles: dict[str, Turnstile] = {}

    async def admit(self, model: str, *, tokens: int, cost_usd: float | None) -> bool:
        """Wait for a request's turn; see `Gate.admit`."""
        return await self._of(model).admit(Asking(tokens, cost_usd or 0.0))

    def ended(self, call: JudgeCall, retry_after_s: float | None = None) -> None:
        """Take note of how a request ended; see `Gate.ended`."""
        self._of(call.model).ended(call, retry_after_s)

    def _of(self, model: str) -> Turnstile:
        if model not in self._turnstiles:
            self._turnstiles[model] = self._make(model)
        return self._turnstiles[model]
