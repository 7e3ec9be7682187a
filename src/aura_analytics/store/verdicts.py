"""Which label stands where another one comes."""

from aura_analytics.events.records import Verdict
from aura_analytics.store.queries import Row


def gives_way(standing: Row, verdict: Verdict) -> bool:
    """Whether a label is overwritten by another one: not a person's by an automatic one, and not by the same."""
    _, label, reason, evaluated_by, method, rubric = standing
    new = (verdict.label, verdict.reason, verdict.evaluated_by, verdict.method, verdict.rubric)
    return not stays(standing, verdict) and (label, reason, evaluated_by, method, rubric) != new


def stays(standing: Row, verdict: Verdict) -> bool:
    """Whether a label stays as it is, so that the other one is only kept beside it: a person's before an automatic one."""
    return standing[3] == "human" and verdict.evaluated_by != "human"
