"""The metrics that can be asked for by name: each one a sum of figures, or such a sum over another.

The names are those of the query string and of the answer alike. Rates are 0…1. A count of nothing is 0; a rate or an
average of nothing is None, for nothing was rated.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from aura_analytics.errors import ParameterError
from aura_analytics.projection.measures import DOUBLES, MEASURES
from aura_analytics.projection.turns import CAUSES

COST_DIGITS = 9
PERCENTS = (50, 75, 90, 95, 99)


class Metric(msgspec.Struct, frozen=True, kw_only=True):
    """A metric out of figures: measures of the columns, percentiles, `sessions`, `conversions` or `revenue`."""

    name: str
    of: tuple[str, ...]
    over: tuple[str, ...] = ()

    def value(self, figures: Mapping[str, Any]) -> Any:
        """Give its value. Any: a number, None, or the amounts by currency."""
        if self.over:
            below = sum(figures[name] for name in self.over)
            return sum(figures[name] for name in self.of) / below if below else None
        [name] = self.of
        found = figures[name]
        return round(found, COST_DIGITS) if name in DOUBLES else found

    @property
    def kind(self) -> Any:
        """Give the type of its values. Any: an annotation."""
        if self.name == "revenue":
            return dict[str, float]
        if self.name.startswith("latency_p") or self.over:
            return float | None
        return float if self.name in DOUBLES else int


_LABELLED = ("good", "review", "bad")
_COUNTS = (
    *("queries", "successes", "failures", "unanswered", "tokens", "good", "review", "bad"),
    *("rephrased", "repeated", *CAUSES),
    *("cost", "sessions", "conversions", "revenue"),
    *(f"latency_p{percent}" for percent in PERCENTS),
)
_SHARES = {
    "success_rate": (("successes",), ("queries",)),
    "failure_rate": (("failures",), ("queries",)),
    "unanswered_rate": (("unanswered",), ("queries",)),
    "latency_avg": (("latency_sum",), ("latency_count",)),
    "cost_per_success": (("cost",), ("successes",)),
    "quality": (("good",), _LABELLED),
    "confidence_avg": (("confidence_sum",), ("confidence_count",)),
    "fast_path_rate": (("fast_path",), ("queries",)),
    "rephrased_rate": (("rephrased",), ("queries",)),
    "conversion_rate": (("conversions",), ("queries",)),
}
METRICS = {name: Metric(name=name, of=(name,)) for name in _COUNTS} | {
    name: Metric(name=name, of=of, over=over) for name, (of, over) in _SHARES.items()
}
DEFAULT = ("queries", "success_rate", "latency_avg")


def read_metrics(names: Sequence[str] | None) -> list[Metric]:
    """Read the names of metrics, each text one or several with commas between; each name counts once.

    Raises:
        ParameterError: there is no such metric.
    """
    wanted = dict.fromkeys(name for text in names or DEFAULT for name in text.split(","))
    for name in wanted:
        if name not in METRICS:
            raise ParameterError(f"metric is one or more of {', '.join(METRICS)}")
    return [METRICS[name] for name in wanted]


def figures_of(metrics: Sequence[Metric]) -> list[str]:
    """Give the figures that some metrics are made of."""
    return list(dict.fromkeys(name for metric in metrics for name in (*metric.of, *metric.over)))


def measures_of(figures: Sequence[str]) -> tuple[str, ...]:
    """Give those of some figures that add up."""
    return tuple(name for name in figures if name in MEASURES and name != "sessions")
