"""How good the automatic labels are, as tables."""

from collections.abc import Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from aura_analytics.events.records import LABELS
from aura_analytics.terminal import cells
from aura_analytics.terminal.cells import Bar
from aura_analytics.terminal.figures import heading

# Any, throughout: the endpoint's JSON, as it is.
Row = dict[str, Any]

# Below, those whose truth is known don't look like a random sample.
NOT_RANDOM = 0.01
BY = {"human": "people", "reference": "the reference"}


def agreement_table(answer: Row) -> RenderableType:
    """Show how good the automatic labels are."""
    by = BY[answer["truth"]]
    parts: list[RenderableType] = [_figures(answer, by)]
    if answer["confusion"]:
        parts.append(_matrix(answer["confusion"], by))
    parts += [_bad_rate(answer["badRate"], by), *_warning(answer["badRate"])]
    if len(answer["methods"]) > 1:
        parts.append(_methods(answer["methods"]))
    if answer["calibration"]:
        parts.append(_calibration(answer["calibration"]))
    if answer["behaviour"]:
        parts.append(_behaviour(answer["behaviour"]))
    return Group(*parts)


def _figures(answer: Row, by: str) -> Table:
    table = cells.table(heading(answer), "", ">", ">95 % interval")
    found, calibration = answer["accuracy"], answer["calibration"]
    table.add_row(f"labelled by {by}", f"{answer['known']:,}", "")
    table.add_row("of them automatically too", f"{answer['pairs']:,}", "")
    table.add_row("others, automatically only", f"{answer['others']:,}", "")
    table.add_row("accuracy", cells.rate(found and found["value"]), _interval(found))
    table.add_row("Cohen's κ", _number(answer["kappa"] and answer["kappa"]["value"]), _numbers(answer["kappa"]))
    table.add_row("calibration error", _number(calibration and calibration["ece"]), "")
    table.add_row("Brier score", _number(calibration and calibration["brier"]), "")
    return table


def _matrix(rows: Sequence[Row], by: str) -> Table:
    """Show which label met which: a line for each automatic one."""
    counts = {(row["automatic"], row["truth"]): row["count"] for row in rows}
    title = f"Which labels met those of {by}"
    table = cells.table(title, "automatic", *(f">{label}" for label in LABELS), ">right")
    for automatic in LABELS:
        row = [counts[automatic, true] for true in LABELS]
        right = counts[automatic, automatic] / sum(row) if sum(row) else None
        table.add_row(automatic, *(f"{count:,}" for count in row), cells.rate(right))
    return table


def _bad_rate(rate: Row, by: str) -> Table:
    table = cells.table("How much is BAD", "", ">share", ">95 % interval", ">worth labels")
    table.add_row("by the automatic labels alone", cells.rate(rate["automatic"]), "", "")
    plain, corrected = rate["plain"], rate["corrected"]
    worth = f"{plain['of']:,}" if plain else ""
    table.add_row(f"by {by} alone", cells.rate(plain and plain["value"]), _interval(plain), worth)
    worth = f"{corrected['worth']:,.0f}" if corrected else ""
    table.add_row("by both, corrected", cells.rate(corrected and corrected["value"]), _interval(corrected), worth)
    return table


def _warning(rate: Row) -> list[RenderableType]:
    if rate["samplingP"] is None or rate["samplingP"] >= NOT_RANDOM:
        return []
    text = (
        "The automatic labels of these differ from all others' by more than chance: they aren't a random sample, and"
        " neither rate is about all interactions."
    )
    return [Text(text, style="yellow")]


def _methods(rows: Sequence[Row]) -> Table:
    table = cells.table("Who labelled", "method", ">pairs", ">accuracy", ">95 % interval", ">κ")
    for row in rows:
        found = row["accuracy"]
        numbers = (f"{row['pairs']:,}", cells.rate(found["value"]), _interval(found))
        table.add_row(cells.said(row["method"]), *numbers, _number(row["kappa"] and row["kappa"]["value"]))
    return table


def _calibration(answer: Row) -> Table:
    table = cells.table("Whether confidence can be trusted", "confidence", ">labels", ">said", ">true", "")
    for row in answer["bins"]:
        numbers = (f"{row['count']:,}", cells.rate(row["confidence"]), cells.rate(row["accuracy"]))
        table.add_row(f"{row['low']:.1f} to {row['high']:.1f}", *numbers, Bar(row["accuracy"], cells.SHORT_BAR))
    return table


def _behaviour(rows: Sequence[Row]) -> Table:
    table = cells.table("What shoppers did next", "label", ">queries", ">said again", ">share", ">95 % interval")
    for row in rows:
        again = row["saidAgain"]
        numbers = (f"{row['queries']:,}", f"{row['rephrased'] + row['repeated']:,}", cells.rate(again["value"]))
        table.add_row(row["label"], *numbers, _interval(again))
    return table


def _interval(share: Row | None) -> str:
    return cells.NOTHING if share is None else f"{100 * share['low']:.1f} to {100 * share['high']:.1f} %"


def _number(value: float | None) -> str:
    return cells.NOTHING if value is None else f"{value:.3f}"


def _numbers(kappa: Row | None) -> str:
    return cells.NOTHING if kappa is None or kappa["low"] is None else f"{kappa['low']:.3f} to {kappa['high']:.3f}"
