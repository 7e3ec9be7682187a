"""The figures of each intent, each model, each store, the one with the most queries first."""

from collections.abc import Sequence
from typing import Any, TypeVar

import msgspec

from aura_analytics.stats import comparison
from aura_analytics.stats.counting import counted
from aura_analytics.stats.grid import Grid
from aura_analytics.stats.groups import COLUMNS, Split, largest
from aura_analytics.stats.metrics import METRICS
from aura_analytics.stats.reader import Reader
from aura_analytics.stats.scope import Scope


class Figures(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The figures of one group of queries, those with `value` in common; in an answer it is called what it is.

    Rates are 0…1 but for `success_rate`, which is percent as in every list. `quality` is the share of GOOD among what is
    labelled, `revenue` the amounts by currency, `conversions` the queries that a conversion is owed to.
    """

    value: str | None
    queries: int
    successes: int
    failures: int
    unanswered: int
    success_rate: float
    unanswered_rate: float
    avg_latency_ms: float | None
    p95_latency_ms: float | None
    cost_usd: float
    tokens: int
    sessions: int
    good: int
    review: int
    bad: int
    quality: float | None
    conversions: int
    conversion_rate: float
    revenue: dict[str, float]


class IntentFigures(Figures, frozen=True, kw_only=True):
    """The figures of one intent; None for queries without one."""

    value: str | None = msgspec.field(name="intent")


class ModelFigures(Figures, frozen=True, kw_only=True):
    """The figures of one model; None for queries that no known model answered."""

    value: str | None = msgspec.field(name="modelName")


class StoreFigures(Figures, frozen=True, kw_only=True):
    """The figures of one store."""

    value: str | None = msgspec.field(name="storeId")


Row = TypeVar("Row", IntentFigures, ModelFigures, StoreFigures)

SPLITS: dict[type[Figures], Split] = {IntentFigures: "intent", ModelFigures: "model", StoreFigures: "store"}
# The metric behind each figure that isn't called the same.
CALLED = {"avg_latency_ms": "latency_avg", "p95_latency_ms": "latency_p95", "cost_usd": "cost"}
ASKED = {name: METRICS[CALLED.get(name, name)] for name in Figures.__struct_fields__ if name != "value"}


async def breakdown(
    reader: Reader, scope: Scope, kind: type[Row], limit: int, values: Sequence[str | None] | None = None
) -> list[Row]:
    """List the figures of a scope's groups.

    Args:
        reader: asks.
        scope: the interactions.
        kind: what makes the groups.
        limit: how many at most.
        values: the groups, in this order, instead of the largest ones.
    """
    split = SPLITS[kind]
    groups = await largest(reader, scope, split, limit) if values is None else values
    if not groups:
        return []
    found = await counted(reader, Grid(scope=scope, split=COLUMNS[split], groups=groups), list(ASKED.values()))
    rows = [(value, found.get((0, place))) for place, value in enumerate(groups, 1)]
    return [kind(value=value, **_figures(counts)) for value, counts in rows if counts]


async def compared_breakdown(reader: Reader, scope: Scope, kind: type[Row], limit: int) -> list[msgspec.Struct]:
    """List the same beside those of the window before; a group that has vanished isn't in the list.

    Raises:
        ParameterError: there is no window before.
    """
    before = comparison.previous(scope, reader.now)
    rows = await breakdown(reader, scope, kind, limit)
    same = [row.value for row in rows]
    earlier = {row.value: row for row in await breakdown(reader, before, kind, limit, same)}
    return [comparison.compared(row, earlier.get(row.value)) for row in rows]


def _figures(counts: dict[str, Any]) -> dict[str, Any]:  # Any: see `Metric.value`
    figures = {name: counts[metric.name] for name, metric in ASKED.items()}
    return figures | {"success_rate": 100 * figures["success_rate"]}
