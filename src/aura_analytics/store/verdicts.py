"""Which label stands where another one comes."""

from aura_analytics.events.records import Verdict
from aura_analytics.store.queries import Row


def gives_way(standing: Row, verdict: Verdict) -> bool:
    """Whether a label is overwritten by another one: not a person's by an automatic one, and not by the same."""
    _, label, reason, evaluated_by, method = standing
    if evaluated_by == "human" and verdict.evaluated_by != "human":
        return False
    new = (verdict.label, verdict.reason, verdict.evaluated_by, verdict.method)
    return (label, reason, evaluated_by, method) != new
