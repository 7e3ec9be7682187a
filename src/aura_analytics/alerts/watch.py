"""Looking at the rules again and again, one server of a database at a time, and saying what is to be said."""

import asyncio
import secrets
from collections.abc import Mapping, Sequence

import structlog

from aura_analytics.alerts.course import begun, went_on
from aura_analytics.alerts.measure import Gauge, Measured
from aura_analytics.alerts.rule import Rule
from aura_analytics.alerts.webhook import Webhooks, body_of
from aura_analytics.clock import Clock, now
from aura_analytics.errors import AuraError
from aura_analytics.store.alerts import AlertState, AlertStore, Message

# A message that is to be tried again waits for no look at the rules.
DELIVER_S = 1.0
MOST_AT_ONCE = 20
# A server that doesn't come back has had its turn after so many looks, and not before this.
TURN_LOOKS, LEAST_TURN_S = 3, 15.0

log = structlog.get_logger()


class Watch:
    """Watches.

    Args:
        rules: what is watched.
        gauge: measures them.
        store: where it stands how they stand.
        webhooks: who is told.
        interval_s: how long between two looks.
        clock: the present.
    """

    def __init__(
        self,
        rules: Sequence[Rule],
        gauge: Gauge,
        store: AlertStore,
        webhooks: Webhooks,
        *,
        interval_s: float,
        clock: Clock = now,
    ) -> None:
        self._rules = rules
        self._gauge = gauge
        self._store = store
        self._webhooks = webhooks
        self._interval_s = interval_s
        self._clock = clock
        self._holder = secrets.token_hex(8)

    async def run(self) -> None:
        """Watch until cancelled; then let another server have the turn."""
        loop = asyncio.get_running_loop()
        look_at = loop.time()
        try:
            while True:
                try:
                    if await self._has_turn():
                        if loop.time() >= look_at:
                            look_at = loop.time() + self._interval_s
                            await self.look()
                        await self.deliver()
                except AuraError as error:
                    log.warning("alerts_wait", error=str(error))
                except Exception:  # the edge of a loop: the record of what must not happen; it is looked at again
                    log.exception("alerts_failed")
                await asyncio.sleep(min(DELIVER_S, self._interval_s))
        finally:
            await self._give_back()

    async def look(self) -> None:
        """Measure each rule, and keep how it stands together with what is to be said of it."""
        before = {state.rule: state for state in await self._store.states()}
        states: list[AlertState] = []
        messages: list[Message] = []
        for rule in self._rules:
            try:
                seen = await self._gauge.measure(rule)
            except AuraError as error:
                log.warning("alert_unmeasured", alert=rule.name, error=str(error))
                continue
            state, said = self._step(rule, before, seen)
            states.append(state)
            messages += said
        gone = sorted(before.keys() - {rule.name for rule in self._rules})
        await self._store.save(states, messages, gone=gone, now=self._clock())

    def _step(
        self, rule: Rule, before: Mapping[str, AlertState], seen: Measured
    ) -> tuple[AlertState, Sequence[Message]]:
        moment = self._clock()
        state, kind = went_on(rule, before.get(rule.name) or begun(rule, now=moment), seen, now=moment)
        if kind is None:
            return state, ()
        log.warning("alert", alert=rule.name, state=state.state, metric=rule.metric, value=seen.value, of=seen.of)
        return state, self._webhooks.messages(kind, rule.name, body_of(kind, rule, state, seen), now=moment)

    async def deliver(self) -> None:
        """Say what is due."""
        due = await self._store.due(now=self._clock(), limit=MOST_AT_ONCE)
        if not due:
            return
        tried = await self._webhooks.deliver(due)
        await self._store.save((), tried, now=self._clock())
        for message in tried:
            if message.error is not None:
                log.warning("webhook_failed", id=message.id, error=message.error, given_up=message.due_at is None)

    async def _has_turn(self) -> bool:
        moment = self._clock()
        lasts_s = max(LEAST_TURN_S, TURN_LOOKS * self._interval_s)
        return await self._store.hold(self._holder, now=moment, until=moment + round(lasts_s * 1000))

    async def _give_back(self) -> None:
        try:
            await self._store.hold(self._holder, now=self._clock(), until=0)
        except AuraError as error:  # it is over by itself soon
            log.debug("alerts_turn_kept", error=str(error))
