"""The endpoints about alerts: how each stands, what was said, and whether who is told hears it."""

from collections.abc import Sequence
from typing import Annotated, Protocol

import msgspec
from fastapi import APIRouter, Query, Response

from aura_analytics.alerts.measure import Gauge
from aura_analytics.alerts.rule import Rule
from aura_analytics.alerts.webhook import Webhooks, test_body
from aura_analytics.api.endpoints import described
from aura_analytics.clock import Clock, now
from aura_analytics.store.alerts import AlertState, AlertStore, Message

MOST_TOLD = 50


class Standing(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A rule, and how it stands: `calm`, `pending`, `raised`, or `unseen` where nobody has looked; moments in epoch ms.

    `held_against` is what is held against the threshold: of a share, the lower end of its 95 % interval.
    """

    name: str
    metric: str
    above: float
    clear: float
    window: str
    store: str | None
    state: str
    since: int | None = None
    looked_at: int | None = None
    value: float | None = None
    held_against: float | None = None
    interactions: int = 0


class Telling(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What was said to somebody: `waiting` is to be tried again. Of an address only the host is told."""

    id: str
    host: str
    name: str
    kind: str
    made_at: int
    outcome: str
    attempts: int
    error: str | None


class Alerts(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What is watched, whether a server does so, and what was said last."""

    watched: bool
    alerts: list[Standing]
    messages: list[Telling]


class Kept(Protocol):
    """What is asked of the row database."""

    @property
    def alerts(self) -> AlertStore:
        """How alerts stand."""


def router(
    store: Kept, rules: Sequence[Rule], gauge: Gauge, webhooks: Webhooks, *, watched: bool, clock: Clock = now
) -> APIRouter:
    """Make the endpoints.

    Args:
        store: the row database.
        rules: what is watched.
        gauge: measures them.
        webhooks: who is told.
        watched: whether a server with these settings watches.
        clock: the present.
    """
    routes = APIRouter()

    @routes.get("/alerts", **described(Alerts, forms=False), summary="What is watched, and how it stands")
    async def get_alerts(
        *,
        measure: Annotated[bool, Query(description="Measure each now, instead of telling what was seen last.")] = False,
    ) -> Response:
        states = {state.rule: state for state in await store.alerts.states()}
        standing = [_standing(rule, states.get(rule.name)) for rule in rules]
        if measure:
            standing = [await _measured(gauge, rule, one) for rule, one in zip(rules, standing, strict=True)]
        said = [_told(message, webhooks.names()) for message in await store.alerts.log(MOST_TOLD)]
        return _json(Alerts(watched=watched, alerts=standing, messages=said))

    @routes.post("/alerts/test", **described(list[Telling], forms=False), summary="Tell everybody, as a test")
    async def post_test() -> Response:
        moment = clock()
        made = webhooks.messages("alert.test", "test", test_body(now=moment), now=moment)
        # Nobody waits for a test: what isn't heard now isn't tried again.
        tried = [msgspec.structs.replace(message, due_at=None) for message in await webhooks.deliver(made)]
        await store.alerts.save((), tried, now=clock())
        return _json([_told(message, webhooks.names()) for message in tried])

    return routes


def _standing(rule: Rule, state: AlertState | None) -> Standing:
    standing = Standing(
        name=rule.name,
        metric=rule.metric,
        above=rule.above,
        clear=rule.clears_at,
        window=rule.window,
        store=rule.store,
        state="unseen",
    )
    if state is None:
        return standing
    seen = {"state": state.state, "since": state.since, "looked_at": state.looked_at}
    return msgspec.structs.replace(standing, **seen, value=state.value, interactions=state.of)


async def _measured(gauge: Gauge, rule: Rule, standing: Standing) -> Standing:
    seen = await gauge.measure(rule)
    return msgspec.structs.replace(standing, value=seen.value, held_against=seen.held, interactions=seen.of)


def _told(message: Message, hosts: dict[str, str]) -> Telling:
    outcome = "delivered" if message.delivered_at is not None else "failed" if message.due_at is None else "waiting"
    return Telling(
        id=message.id,
        host=hosts.get(message.target, "no longer among the settings"),
        name=message.rule,
        kind=message.kind,
        made_at=message.made_at,
        outcome=outcome,
        attempts=message.attempts,
        error=message.error,
    )


def _json(content: object) -> Response:
    return Response(msgspec.json.encode(content), media_type="application/json")
