"""How good the automatic labels are, and what they cost, as tables."""

from collections.abc import Iterable, Sequence
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
    table.add_row("accuracy", cells.rate(found and found["value"]), cells.interval(found))
    table.add_row(
        "Cohen's κ", cells.number(answer["kappa"] and answer["kappa"]["value"]), cells.number_interval(answer["kappa"])
    )
    table.add_row("calibration error", cells.number(calibration and calibration["ece"]), "")
    table.add_row("Brier score", cells.number(calibration and calibration["brier"]), "")
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
    table.add_row(f"by {by} alone", cells.rate(plain and plain["value"]), cells.interval(plain), worth)
    worth = f"{corrected['worth']:,.0f}" if corrected else ""
    table.add_row("by both, corrected", cells.rate(corrected and corrected["value"]), cells.interval(corrected), worth)
    stratified = rate["stratified"]
    table.add_row(
        "by both, label by label", cells.rate(stratified and stratified["value"]), cells.interval(stratified), ""
    )
    return table


def _warning(rate: Row) -> list[RenderableType]:
    if rate["samplingP"] is None or rate["samplingP"] >= NOT_RANDOM:
        return []
    text = (
        "The automatic labels of these differ from all others' by more than chance: they aren't a random sample, and"
        " neither their rate nor the corrected one is about all interactions. The one label by label is, if nothing but"
        " the automatic label decided who was looked at."
    )
    return [Text(text, style="yellow")]


def _methods(rows: Sequence[Row]) -> Table:
    table = cells.table("Who labelled", "method", "rubric", ">pairs", ">accuracy", ">95 % interval", ">κ")
    for row in rows:
        found = row["accuracy"]
        numbers = (f"{row['pairs']:,}", cells.rate(found["value"]), cells.interval(found))
        kappa = cells.number(row["kappa"] and row["kappa"]["value"])
        table.add_row(cells.said(row["method"]), cells.said(row["rubric"]), *numbers, kappa)
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
        table.add_row(row["label"], *numbers, cells.interval(again))
    return table


def cost_table(answer: Row) -> RenderableType:
    """Show what the judge cost, by model and altogether, how its requests failed, and what waits."""
    parts = list(_spending(answer))
    if answer["failures"]:
        parts.append(_failures(answer["failures"], answer["calls"]))
    parts += [_today(answer["today"])] if answer["today"] else []
    parts += [_queue(answer["queue"])] if answer["queue"] else []
    return Group(*parts)


def _spending(answer: Row) -> Iterable[RenderableType]:
    """Show each model with each rubric, and all; in two tables, since one is too wide for most terminals."""
    columns = (">requests", ">failed", ">cost", ">per 1,000 labels")
    cost = cells.table(f"What the judge cost · {heading(answer)}", "asked", *columns)
    effort = cells.table("What its requests took", "asked", ">tokens in", ">tokens out", ">p50", ">p95")
    for row in answer["byModel"]:
        asked = cells.lines([cells.said(row["model"]), cells.said(row["rubric"])])
        cost.add_row(asked, *_spent(row))
        effort.add_row(asked, *_took(row))
    if len(answer["byModel"]) != 1:
        for table, shown in ((cost, _spent(answer)), (effort, _took(answer))):
            table.add_section()
            table.add_row("all", *shown, style="bold")
    yield cost
    if answer["unpricedCalls"]:
        yield Text(f"The price of {answer['unpricedCalls']:,} requests isn't known.", style="yellow")
    if answer["calls"]:
        yield effort


def _spent(row: Row) -> list[str]:
    per_label = row["costPerLabelUsd"]
    return [
        f"{row['calls']:,}",
        cells.rate(row["failureRate"]),
        cells.dollars(row["costUsd"]),
        cells.dollars(None if per_label is None else 1_000 * per_label),
    ]


def _took(row: Row) -> list[str]:
    latency = row["latencyMs"]
    tokens = (f"{row['tokensPrompt']:,}", f"{row['tokensCompletion']:,}")
    return [*tokens, *(cells.ms(latency and latency[name]) for name in ("p50", "p95"))]


def _failures(failures: Row, calls: int) -> Table:
    table = cells.table("Requests without an answer", "because", ">requests", ">of all", "")
    for outcome, count in failures.items():
        share = count / calls
        table.add_row(outcome.replace("_", " "), f"{count:,}", cells.rate(share), Bar(share, cells.SHORT_BAR))
    return table


def _today(today: Row) -> Table:
    table = cells.table("Today (UTC), with what is being asked", "", ">", "")
    table.show_header = False
    spent, budget = today["spentUsd"], today["budgetUsd"]
    table.add_row("spent", cells.dollars(spent), "" if budget is None else Bar(spent / budget, cells.SHORT_BAR))
    table.add_row("budget", "no limit" if budget is None else cells.dollars(budget), "")
    if budget is not None:
        table.add_row("left", cells.dollars(max(0.0, budget - spent)), f"until {cells.moment(today['resetsAt'])}")
    return table


def _queue(queue: Row) -> Table:
    table = cells.table("What waits", "", ">")
    table.show_header = False
    table.add_row("due", f"{queue['due']:,}")
    table.add_row("the oldest, for", cells.length(queue["oldestAgeMs"]))
    table.add_row("not yet due", f"{queue['waiting']:,}")
    table.add_row("given up", f"{queue['failed']:,}")
    return table
