"""Metrics over time: a line of blocks for each series, and the last points as numbers."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from aura_analytics.logs import plain
from aura_analytics.terminal import cells
from aura_analytics.terminal.cells import Sparkline
from aura_analytics.terminal.figures import change

# Any, throughout: the endpoint's JSON, as it is.
Row = dict[str, Any]
Show = Callable[[Any], str]

LAST_POINTS = 8
# Beyond, the last points of all series don't stand beside each other in a terminal.
MOST_COLUMNS = 4


class Line(msgspec.Struct, frozen=True):
    """One metric of one series: the points, and those of the window before, None where that wasn't asked for."""

    series: Text
    name: str
    points: Sequence[Any]
    before: Sequence[Any] | None
    show: Show


def timeseries_table(answer: Row) -> RenderableType:
    """Show each series, and its last points where there is room."""
    lines = [line for series in answer["series"] for line in _lines(series)]
    parts: list[RenderableType] = [_shapes(answer, lines)]
    if 0 < len(lines) <= MOST_COLUMNS:
        parts.append(_last_points(answer["series"][0]["points"], lines))
    return Group(*parts)


def _lines(series: Row) -> list[Line]:
    points = [_flat(point) for point in series["points"]]
    compared = any("previous" in point for point in points)
    before = [_flat(point["previous"] or {}) for point in points] if compared else None
    names = dict.fromkeys(name for point in points for name in point if name not in ("at", "previous", "change"))
    return [
        Line(
            _name(series),
            name,
            [point.get(name) for point in points],
            None if before is None else [point.get(name) for point in before],
            _form(name),
        )
        for name in names
    ]


def _flat(point: Mapping[str, Any]) -> Row:
    """Give revenue a metric for each currency: amounts of several don't add up."""
    revenue = {f"revenue {plain(currency)}".strip(): value for currency, value in (point.get("revenue") or {}).items()}
    return {name: value for name, value in point.items() if name != "revenue"} | revenue


def _name(series: Row) -> Text:
    if series["other"]:
        return Text("all others", style="dim")
    return cells.said(series["split"])


def _form(name: str) -> Show:
    if name.endswith("_rate") or name in ("quality", "confidence_avg"):
        return cells.rate
    if name.startswith("latency"):
        return cells.ms
    if name.startswith("cost"):
        return cells.dollars
    return cells.count


def _shapes(answer: Row, lines: Sequence[Line]) -> Table:
    split = any(series["split"] is not None or series["other"] for series in answer["series"])
    title = f"Each {answer['step']} ({answer['tz']}){_span(answer['series'])}"
    table = cells.table(title, *(["series"] if split else []), "metric", "over time", ">least", ">most", ">last")
    for line in lines:
        name = [line.series] if split else []
        table.add_row(
            *name, line.name, Sparkline(line.points, beside=line.before or ()), *_range(line.points, line.show)
        )
        if line.before is not None:
            blank = [Text("")] if split else []
            earlier = Sparkline(line.before, beside=line.points, style="dim")
            table.add_row(*blank, Text("  before", style="dim"), earlier, *_range(line.before, line.show))
    return table


def _span(series: Sequence[Row]) -> str:
    points = series[0]["points"] if series else []
    return f" · {cells.start(points[0]['at'])} to {cells.start(points[-1]['at'])}" if points else ""


def _range(values: Sequence[Any], show: Show) -> tuple[str, str, str]:
    known = [value for value in values if value is not None]
    if not known:
        return (cells.NOTHING,) * 3
    return show(min(known)), show(max(known)), show(values[-1])


def _last_points(points: Sequence[Row], lines: Sequence[Line]) -> Table:
    table = cells.table("The last of them", "from")
    several = len({line.series.plain for line in lines}) > 1
    for line in lines:
        heading = Text.assemble(line.series, " ", line.name) if several else Text(line.name)
        table.add_column(heading, justify="right")
        if line.before is not None:
            table.add_column("change", justify="right", no_wrap=True)
    for place in range(max(0, len(points) - LAST_POINTS), len(points)):
        table.add_row(cells.start(points[place]["at"]), *(text for line in lines for text in _numbers(line, place)))
    return table


def _numbers(line: Line, place: int) -> list[str]:
    value = line.points[place]
    if line.before is None:
        return [line.show(value)]
    return [line.show(value), change(value, line.before[place], line.show)]
