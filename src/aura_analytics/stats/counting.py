"""Figures by the steps of a series and by groups of interactions, in one question: all of one moment, and each exact.

What adds up comes from cells. Percentiles, sessions and conversions don't: each has a part of its own, asked for only
where it is wanted.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from aura_analytics.projection import Question
from aura_analytics.projection.measures import merged
from aura_analytics.stats.grid import Grid
from aura_analytics.stats.metrics import PERCENTS, Metric, figures_of, measures_of
from aura_analytics.stats.percentiles import percentiles
from aura_analytics.stats.reader import Reader
from aura_analytics.stats.sessions import add_up, sessions_of

Place = tuple[int, int]
# What a step or a group without interactions has, where it isn't 0.
NOTHING: dict[str, Any] = {"revenue": {}} | {f"latency_p{percent}": None for percent in PERCENTS}

# What conversions are owed to, with the moment of the query; and the filters and the splits that it knows.
OWED = "(SELECT *, query_at AS created_at FROM attributions)"
OWED_KNOWS = frozenset({"stores", "intents", "session", "text"})
OWED_SPLITS = (None, "store_id", "intent")


async def counted(reader: Reader, grid: Grid, metrics: Sequence[Metric]) -> dict[Place, dict[str, Any]]:
    """Count the metrics of each step and group that has interactions; Any: see `Metric.value`.

    Returns:
        By the number of the step (0 without steps) and of the group (`REST`, or its place in the groups from 1 on).
    """
    if grid.steps is not None and not grid.steps.starts:
        return {}
    wanted = ["queries", *(name for name in figures_of(metrics) if name != "queries")]
    by_cells = "sessions" in wanted and add_up(grid)
    sums = (*measures_of(wanted), *(("sessions",) if by_cells else ()))
    parts = _parts(grid, [name for name in wanted if name not in sums])
    names = [*sums, *(name for _, of_part in parts for name in of_part)]
    rows = await reader.ask(_question(reader, grid, sums, [sql for sql, _ in parts]))
    found = {(step, place): dict(zip(names, cells, strict=True)) for step, place, *cells in rows}
    return {at: _named(figures, metrics) for at, figures in found.items() if figures["queries"]}


def nothing(metrics: Sequence[Metric]) -> dict[str, Any]:
    """Give the metrics of no interactions."""
    return _named({}, metrics)


def _named(figures: Mapping[str, Any], metrics: Sequence[Metric]) -> dict[str, Any]:
    present = {name: value for name, value in figures.items() if value is not None}
    complete = dict.fromkeys(figures_of(metrics), 0) | NOTHING | present
    if "revenue" in present:
        complete["revenue"] = {one["currency"]: one["amount"] for one in present["revenue"]}
    return {metric.name: metric.value(complete) for metric in metrics}


def _question(reader: Reader, grid: Grid, sums: tuple[str, ...], parts: Sequence[str]) -> Question:
    merging = "".join(f", {merged(name)}" for name in sums)
    cells = (
        f"SELECT {grid.names}{merging} FROM {grid.placed('{cells}', f'source.bucket * {grid.unit_ms}')} GROUP BY ALL"
    )
    joined = "".join(f" LEFT JOIN ({part}) AS part_{n} USING (step, place)" for n, part in enumerate(parts))
    return Question(
        sql=f"SELECT * FROM ({cells}) AS sums{joined}",
        parameters={"starts": grid.steps.starts if grid.steps else [], "groups": list(grid.groups)},
        about=grid.scope,
        answered_until=reader.answered_until,
        measures=sums,
        split=grid.split,
        buckets=grid.buckets,
    )


def _parts(grid: Grid, figures: Sequence[str]) -> list[tuple[str, list[str]]]:
    """Give the SQL of what doesn't add up, and the figures of each part in the order of its columns."""
    parts = []
    if percents := [percent for percent in PERCENTS if f"latency_p{percent}" in figures]:
        parts.append((_latencies(grid, percents), [f"latency_p{percent}" for percent in percents]))
    if "sessions" in figures:
        parts.append((sessions_of(grid), ["sessions"]))
    if "conversions" in figures:
        parts.append((_conversions(grid), ["conversions"]))
    if "revenue" in figures:
        parts.append((_revenue(grid), ["revenue"]))
    return parts


def _latencies(grid: Grid, percents: Sequence[int]) -> str:
    source = grid.placed("{latencies}", f"source.bucket * {grid.unit_ms}")
    return percentiles(f"(SELECT {grid.names}, latency_ms, queries FROM {source})", percents, ("step", "place"))


def _owed(grid: Grid) -> str:
    """Give the relation of what conversions are owed to."""
    if grid.scope.filters <= OWED_KNOWS and grid.split in OWED_SPLITS:
        return f"(SELECT * FROM {OWED} WHERE {grid.scope.where()})"
    split = f", row.{grid.split}" if grid.split else ""
    return f"""(
        SELECT row.created_at, owed.query_id, owed.value, owed.currency{split}
        FROM {{rows}} AS row JOIN (SELECT query_id, value, currency FROM attributions) AS owed ON owed.query_id = row.id
    )"""


def _conversions(grid: Grid) -> str:
    source = grid.placed(_owed(grid), "source.created_at")
    return f"SELECT {grid.names}, count(DISTINCT source.query_id) FROM {source} GROUP BY ALL"


def _revenue(grid: Grid) -> str:
    source = grid.placed(_owed(grid), "source.created_at")
    return f"""
    SELECT step, place, list({{'currency': currency, 'amount': amount}} ORDER BY currency) FROM (
        SELECT {grid.names}, coalesce(source.currency, '(none)') AS currency, round(fsum(source.value), 9) AS amount
        FROM {source} WHERE source.value IS NOT NULL GROUP BY ALL
    ) GROUP BY step, place
    """
