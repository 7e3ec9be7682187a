"""Metrics over time, without gaps: in steps of a time zone, for all interactions or for the largest groups of them."""

import asyncio
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from aura_analytics.projection import Question
from aura_analytics.stats import comparison
from aura_analytics.stats.counting import counted, nothing
from aura_analytics.stats.grid import REST, Grid
from aura_analytics.stats.groups import COLUMNS, Split, largest
from aura_analytics.stats.metrics import METRICS, Metric
from aura_analytics.stats.reader import Reader
from aura_analytics.stats.scope import Scope
from aura_analytics.stats.steps import FIRST_MS, LAST_MS, MOST_STEPS, StepName, Steps, divided

# A point: `at`, and the metrics by their names.
Point = dict[str, Any]

# When the first and the last interaction of a window was.
SPAN = f"SELECT min(created_at), max(created_at) FROM {{rows}} WHERE created_at BETWEEN {FIRST_MS} AND {LAST_MS}"


class Series(msgspec.Struct, frozen=True, kw_only=True):
    """The points of one group: that of the value `split`, or of all `other` values together."""

    split: str | None
    other: bool
    points: list[Point]


class Timeseries(msgspec.Struct, frozen=True, kw_only=True):
    """Series over the same steps; a point's `at` is the start of its step, ISO 8601 with its offset."""

    step: StepName
    tz: str
    metrics: list[str]
    series: list[Series]


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What a series is to show."""

    metrics: Sequence[Metric] = (METRICS["queries"],)
    step: StepName = "hour"
    zone: ZoneInfo
    split: Split | None = None
    top: int = 5
    compare: bool = False


async def timeseries(reader: Reader, scope: Scope, asked: Asked) -> Timeseries:
    """Count the metrics of each step between the first and the last of the window, or of its interactions."""
    before = comparison.previous(scope, reader.now) if asked.compare else None
    groups = [] if asked.split is None else await largest(reader, scope, asked.split, asked.top)
    windows = [scope] if before is None else [scope, before]
    series, *earlier = await asyncio.gather(*(_series(reader, window, asked, groups) for window in windows))
    if earlier:
        series = _compared(series, earlier[0], asked.metrics)
    return Timeseries(
        step=asked.step, tz=asked.zone.key, metrics=[metric.name for metric in asked.metrics], series=series
    )


async def _series(reader: Reader, scope: Scope, asked: Asked, groups: Sequence[str | None]) -> list[Series]:
    window, steps = await in_steps(reader, scope, asked.step, asked.zone)
    split = COLUMNS[asked.split] if asked.split else None
    found = await counted(reader, Grid(scope=window, steps=steps, split=split, groups=groups), asked.metrics)
    labels = steps.labels
    empty = nothing(asked.metrics)

    def series(place: int, value: str | None, *, other: bool) -> Series:
        points = [{"at": at, **found.get((step, place), empty)} for step, at in enumerate(labels)]
        return Series(split=value, other=other, points=points)

    of_groups = [series(place, value, other=False) for place, value in enumerate(groups, 1)]
    if asked.split is None:
        return [series(REST, None, other=False)]
    return of_groups + ([series(REST, None, other=True)] if any(place == REST for _, place in found) else [])


async def in_steps(
    reader: Reader, scope: Scope, step: StepName, zone: ZoneInfo, *, most: int = MOST_STEPS
) -> tuple[Scope, Steps]:
    """Give a window ends, and its steps.

    Raises:
        ParameterError: there are too many steps.
    """
    window = await _bounded(reader, scope)
    if window.start is None or window.end is None:
        return window, Steps(zone=zone, starts=[])
    return window, divided(step, zone, window.start, window.end, most=most)


async def _bounded(reader: Reader, scope: Scope) -> Scope:
    """Give a window ends, where it has none: those of its interactions, or the present where it reaches back from there.

    The ends stay None where there is nothing that would give them.
    """
    low, high = scope.start, scope.end
    if low is None or high is None:
        [(first, last)] = await reader.ask(Question(sql=SPAN, about=scope))
        present = None if low is None else reader.now
        high = max((moment for moment in (last, present) if moment is not None), default=None) if high is None else high
        low = first if low is None else low
    return msgspec.structs.replace(
        scope,
        start=None if low is None else max(low, FIRST_MS),
        end=None if high is None else min(high, LAST_MS),
    )


def _compared(series: Sequence[Series], before: Sequence[Series], metrics: Sequence[Metric]) -> list[Series]:
    """Put beside each point that of the same place in the window before, and what has changed."""
    known = {(one.split, one.other): one.points for one in before}
    return [
        msgspec.structs.replace(one, points=_beside(one.points, known.get((one.split, one.other), []), metrics))
        for one in series
    ]


def _beside(points: Sequence[Point], before: Sequence[Point], metrics: Sequence[Metric]) -> list[Point]:
    earlier: list[Point | None] = [*before[: len(points)], *([None] * (len(points) - len(before)))]
    return [
        {**point, "previous": base, "change": _changes(point, base, metrics) if base else None}
        for point, base in zip(points, earlier, strict=True)
    ]


def _changes(point: Point, base: Point, metrics: Sequence[Metric]) -> Mapping[str, Any]:
    names = [metric.name for metric in metrics]
    return comparison.changes({name: point[name] for name in names}, base)


def flat(answer: Timeseries, *, compare: bool) -> tuple[list[msgspec.Struct], type[msgspec.Struct]]:
    """Give a row for each point, and what such a row is: a table has the series one after the other."""
    kind = _row(tuple(answer.metrics), compare)
    rows = [kind(split=one.split, other=one.other, **point) for one in answer.series for point in one.points]
    return rows, kind


@lru_cache(maxsize=64)
def _row(names: tuple[str, ...], compare: bool) -> type[msgspec.Struct]:  # noqa: FBT001 (a key of the cache)
    beside = [("previous", dict[str, Any] | None), ("change", dict[str, Any] | None)] if compare else []
    return msgspec.defstruct(
        "TimeseriesRow",
        [("split", str | None), ("other", bool), ("at", str), *((name, METRICS[name].kind) for name in names), *beside],
        frozen=True,
        kw_only=True,
    )
