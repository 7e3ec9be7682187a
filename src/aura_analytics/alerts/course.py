"""How a rule's state goes on: calm, pending, raised, and calm again; pure, and the same after any restart."""

from aura_analytics.alerts.measure import Measured
from aura_analytics.alerts.rule import Rule
from aura_analytics.store.alerts import AlertState, Kind, State


def begun(rule: Rule, *, now: int) -> AlertState:
    """Give how a rule stands that nobody has looked at."""
    return AlertState(rule=rule.name, state="calm", since=now, looked_at=now)


def went_on(rule: Rule, before: AlertState, seen: Measured, *, now: int) -> tuple[AlertState, Kind | None]:
    """Give how a rule stands after somebody looked, and what is to be said of it, if anything.

    Where nothing could be measured a raised one stays as it is: that nobody speaks doesn't say that all is well again. A
    pending one is calm.
    """
    state = _next(rule, before, seen.held, now)
    since = before.since if state == before.state else now
    after = AlertState(rule=rule.name, state=state, since=since, looked_at=now, value=seen.value, of=seen.of)
    if state == "raised" and before.state != "raised":
        return after, "alert.raised"
    return after, "alert.cleared" if before.state == "raised" and state != "raised" else None


def _next(rule: Rule, before: AlertState, held: float | None, now: int) -> State:
    if before.state == "raised":
        return "calm" if held is not None and held <= rule.clears_at else "raised"
    if held is None or held <= rule.above:
        return "calm"
    since = before.since if before.state == "pending" else now
    return "raised" if now - since >= rule.lasting_ms else "pending"
