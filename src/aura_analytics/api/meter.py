"""Counting what is served, on the way of every request: plain numbers, which `/metrics` writes down when it is asked.

All of it happens on the event loop, so nothing is locked; that is what makes it cheap.
"""

from bisect import bisect_left
from collections import Counter
from typing import Any

import msgspec
from starlette.types import Scope

from aura_analytics.guard.access import route_of

# Upper bounds, in seconds.
BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
# These last for as long as somebody listens, which is no duration of ours.
STREAMS = frozenset({"/stats/live", "/logs/tail"})
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"})
# How many of a request's events became what, by the facts of its line in the log.
OUTCOMES = ("accepted", "duplicates", "rejected")


class Durations(msgspec.Struct):
    """How long requests took: how many lie in each bucket (the last is beyond all bounds), and their sum in seconds."""

    counts: list[int] = msgspec.field(default_factory=lambda: [0] * (len(BOUNDS) + 1))
    sum_s: float = 0.0


class Meter:
    """The counts of one server since its start."""

    def __init__(self) -> None:
        self.requests: Counter[tuple[str, str, int]] = Counter()
        self.durations: dict[str, Durations] = {}
        self.events: Counter[str] = Counter(dict.fromkeys(OUTCOMES, 0))
        self.refusals: Counter[str] = Counter()

    def note(self, scope: Scope, facts: dict[str, Any], seconds: float) -> None:
        """Count a request that has ended. Any: what is known of it, as the log has it.

        Args:
            scope: of the request; what isn't in the table of routes is counted together, whatever its path.
            facts: with the status, where there was an answer.
            seconds: that it took.
        """
        route = route_of(scope["method"], scope["path"])
        method = scope["method"] if scope["method"] in METHODS else "other"
        self.requests[method, route, facts.get("status", 0)] += 1
        if route not in STREAMS:
            durations = self.durations.get(route)
            if durations is None:
                durations = self.durations[route] = Durations()
            durations.counts[bisect_left(BOUNDS, seconds)] += 1
            durations.sum_s += seconds
        if "events" in facts:
            self._events(facts)
        if (code := facts.get("code")) is not None:
            self.refusals[code] += 1

    def _events(self, facts: dict[str, Any]) -> None:
        if "accepted" in facts:
            for outcome in OUTCOMES:
                if count := facts[outcome]:
                    self.events[outcome] += count
        elif facts.get("code") == "events_rejected":
            self.events["rejected"] += facts["rejected"]
