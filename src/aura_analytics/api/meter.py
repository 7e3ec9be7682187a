"""Counting what is served, on the way of every request: plain numbers, which `/metrics` writes down when it is asked.

All of it happens on the event loop, so nothing is locked; that is what makes it cheap.
"""

from bisect import bisect_left
from collections import Counter
from typing import Any

from starlette.types import Scope

from aura_analytics.guard.access import route_of

# Upper bounds, in seconds.
BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
# These last for as long as somebody listens, which is no duration of ours.
STREAMS = frozenset({"/stats/live", "/logs/tail"})
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"})
# How many of a request's events became what, by the facts of its line in the log.
OUTCOMES = ("accepted", "duplicates", "rejected")


class Served:
    """What was served of a route by a method: how often with which status, and how long that took.

    `counts` are how many lie in each bucket of durations; the last one is beyond all bounds.
    """

    __slots__ = ("counts", "statuses", "sum_s")

    def __init__(self) -> None:
        self.statuses: dict[int, int] = {}
        self.counts = [0] * (len(BOUNDS) + 1)
        self.sum_s = 0.0


class Meter:
    """The counts of one server since its start."""

    def __init__(self) -> None:
        self.served: dict[tuple[str, str], Served] = {}
        self.events = dict.fromkeys(OUTCOMES, 0)
        self.refusals: Counter[str] = Counter()

    def note(self, scope: Scope, facts: dict[str, Any], seconds: float) -> None:
        """Count a request that has ended. Any: what is known of it, as the log has it.

        Args:
            scope: of the request; what isn't in the table of routes is counted together, whatever its path.
            facts: with the status, where there was an answer.
            seconds: that it took.
        """
        served = self.served.get((scope["method"], scope["path"])) or self._of(scope["method"], scope["path"])
        status = facts.get("status", 0)
        served.statuses[status] = served.statuses.get(status, 0) + 1
        served.counts[bisect_left(BOUNDS, seconds)] += 1
        served.sum_s += seconds
        if "accepted" in facts:
            for outcome in OUTCOMES:
                if count := facts.get(outcome):
                    self.events[outcome] += count
        if (code := facts.get("code")) is not None:
            self.refusals[code] += 1
            if code == "events_rejected":
                self.events["rejected"] += facts["rejected"]

    def _of(self, method: str, path: str) -> Served:
        """Find where a request is counted whose path isn't a route by itself, or comes for the first time."""
        route = route_of(method, path)
        method = method if method in METHODS else "other"
        return self.served.setdefault((method, route), Served())
