"""The figures of a window as tables: each figure a line; beside the window before, where both were asked for."""

from collections.abc import Callable, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table

from aura_analytics.terminal import cells
from aura_analytics.terminal.cells import Bar, Sparkline

# Any, throughout: the endpoints' JSON, as it is.
Row = dict[str, Any]
Figure = tuple[str, str, Callable[[Any], str]]
"""What a figure is called, its name in the answer, and how it looks."""

SUMMARY: tuple[Figure, ...] = (
    ("queries", "totalQueries", cells.count),
    ("successful", "successfulQueries", cells.count),
    ("failed", "failedQueries", cells.count),
    ("unanswered", "unansweredRate", cells.rate),
    ("latency, average", "averageLatencyMs", cells.ms),
    ("latency, p50", "p50LatencyMs", cells.ms),
    ("latency, p95", "p95LatencyMs", cells.ms),
    ("latency, p99", "p99LatencyMs", cells.ms),
    ("cost", "totalCostUsd", cells.dollars),
    ("cost per success", "costPerSuccessfulQueryUsd", cells.dollars),
    ("tokens", "totalTokens", cells.count),
    ("sessions", "uniqueSessions", cells.count),
    ("conversion rate", "conversionRate", cells.rate),
)
LATENCY: tuple[Figure, ...] = (
    ("answers", "count", cells.count),
    ("average", "averageLatencyMs", cells.ms),
    ("fastest", "minLatencyMs", cells.ms),
    ("p50", "p50LatencyMs", cells.ms),
    ("p75", "p75LatencyMs", cells.ms),
    ("p90", "p90LatencyMs", cells.ms),
    ("p95", "p95LatencyMs", cells.ms),
    ("p99", "p99LatencyMs", cells.ms),
    ("slowest", "maxLatencyMs", cells.ms),
)
SESSIONS: tuple[Figure, ...] = (
    ("sessions", "sessions", cells.count),
    ("successful", "successShare", cells.rate),
    ("abandoned", "abandonedShare", cells.rate),
    ("of one turn", "singleTurnShare", cells.rate),
    ("turns, average", "averageTurns", cells.count),
    ("turns, p95", "p95Turns", cells.count),
    ("turns, most", "maxTurns", cells.count),
    ("length, average", "averageLengthMs", cells.length),
    ("length, p95", "p95LengthMs", cells.length),
)
# Figures that are shown with their share of all queries.
SHARED = frozenset({"successfulQueries", "failedQueries"})
LABELS = ("GOOD", "REVIEW", "BAD", "unlabelled")


def summary_table(summary: Row) -> Table:
    """Show the figures of a window."""
    table = _figures(summary, SUMMARY)
    for name in LABELS:
        _add(table, summary, name if name == "unlabelled" else f"labelled {name}", _label(name), cells.count)
    if summary.get("evaluationQueue"):
        queue = summary["evaluationQueue"]
        table.add_row("to be labelled", f"{queue['due'] + queue['waiting']:,}")
        table.add_row("given up", f"{queue['failed']:,}")
    return table


def _label(name: str) -> Callable[[Row], Any]:
    return lambda answer: answer["labels"][name]


def latency_table(answer: Row) -> RenderableType:
    """Show how long answers took, and how many took how long."""
    rows = [(cells.ms(bar["from"]), bar["count"]) for bar in answer["histogram"]]
    return _with_bars(_figures(answer, LATENCY), "How long answers took", "from", "answers", rows)


def sessions_table(answer: Row) -> RenderableType:
    """Show how sessions went, and how many turns they had."""
    rows = [(_turns(bar), bar["count"]) for bar in answer["turns"]]
    return _with_bars(_figures(answer, SESSIONS), "How many turns", "turns", "sessions", rows)


def _with_bars(figures: Table, title: str, what: str, counted: str, rows: Sequence[tuple[str, int]]) -> RenderableType:
    """Put a distribution below figures, where there is anything."""
    return Group(figures, _bars(title, what, counted, rows)) if rows else figures


def _bars(title: str, what: str, counted: str, rows: Sequence[tuple[str, int]]) -> Table:
    """Show a distribution: a bar for each row, the greatest of them fills its column."""
    table = cells.table(title, f">{what}", f">{counted}", ">share", "")
    total = sum(number for _, number in rows)
    most = max((number for _, number in rows), default=0)
    for name, number in rows:
        table.add_row(
            name, f"{number:,}", cells.rate(number / total if total else 0.0), Bar(number / most if most else 0)
        )
    return table


def _turns(bar: Row) -> str:
    """Name the turns of a bar."""
    low, below = bar["from"], bar["below"]
    if below is None:
        return f"{low:,.0f} and more"
    return f"{low:,.0f}" if below - low <= 1 else f"{low:,.0f} to {below - 1:,.0f}"


def quality_table(answer: Row) -> RenderableType:
    """Show the labels, why they were given, and how good answers were over time."""
    table = cells.table(heading(answer), "", ">", ">", "")
    table.show_header = False
    labels = answer["labels"]
    total = sum(labels.values())
    for name in LABELS:
        share = labels[name] / total if total else 0.0
        table.add_row(name, f"{labels[name]:,}", cells.rate(share), Bar(share))
    table.add_row("quality", cells.rate(answer["quality"]), "", "")
    reasons = [_reasons(answer["reasons"])] if answer["reasons"] else []
    return Group(table, *reasons, _over_time(answer))


def _reasons(rows: Sequence[Row]) -> Table:
    table = cells.table("Why", "label", "reason", "by", ">labels", ">share", "")
    for row in rows:
        texts = [cells.said(row[name]) for name in ("label", "reason", "evaluatedBy")]
        table.add_row(*texts, f"{row['count']:,}", cells.rate(row["share"]), Bar(row["share"], cells.SHORT_BAR))
    return table


def _over_time(answer: Row) -> Table:
    points = answer["series"]
    table = cells.table(f"Each {answer['step']} ({answer['tz']})", "metric", "over time", ">last")
    shown: tuple[tuple[str, Callable[[Any], str]], ...] = (
        ("good", cells.count),
        ("review", cells.count),
        ("bad", cells.count),
        ("quality", cells.rate),
    )
    for name, form in shown:
        values = [point[name] for point in points]
        table.add_row(name, Sparkline(values), form(values[-1]) if values else cells.NOTHING)
    return table


def conversions_table(answer: Row) -> RenderableType:
    """Show what was bought, and after which queries."""
    table = cells.table(heading(answer), "", ">", ">")
    table.show_header = False
    table.add_row("queries", f"{answer['queries']:,}", "")
    table.add_row("led to something", f"{answer['convertedQueries']:,}", cells.rate(answer["conversionRate"]))
    table.add_row("conversions", f"{answer['conversions']:,}", "")
    if answer["unattributed"] is not None:
        table.add_row("after no known query", f"{answer['unattributed']:,}", "")
    for revenue in answer["revenue"]:
        table.add_row("revenue", cells.amount(revenue["value"], revenue["currency"]), "")
    return Group(table, _by_intent(answer["byIntent"])) if answer["conversions"] else table


def _by_intent(rows: Sequence[Row]) -> Table:
    table = cells.table("After which queries", "intent", ">queries", ">conversions", ">rate", ">revenue")
    for row in rows:
        if row["conversions"]:
            revenue = cells.lines(cells.amount(one["value"], one["currency"]) for one in row["revenue"])
            numbers = (f"{row['queries']:,}", f"{row['conversions']:,}", cells.rate(row["conversionRate"]))
            table.add_row(cells.said(row["intent"]), *numbers, revenue)
    return table


def heading(answer: Row) -> str:
    """Say which stores and which window an answer is about."""
    store = "all stores" if answer["storeId"] == "all" else answer["storeId"]
    if answer["period"] != "custom" or "from" not in answer:
        return f"{store} · {answer['period']}"
    ends = ["…" if answer[end] is None else cells.moment(answer[end]) for end in ("from", "to")]
    return f"{store} · {ends[0]} to {ends[1]} (UTC)"


def _figures(answer: Row, figures: Sequence[Figure]) -> Table:
    """Show figures, each a line; beside the window before where the answer has it."""
    compared = answer.get("previous") is not None
    table = (
        cells.table(heading(answer), "", ">", ">before", ">change")
        if compared
        else cells.table(heading(answer), "", ">", ">")
    )
    table.show_header = compared
    for called, name, shown in figures:
        _add(table, answer, called, name, shown)
    return table


def _add(table: Table, answer: Row, called: str, name: str | Callable[[Row], Any], shown: Callable[[Any], str]) -> None:
    value = _value(answer, name)
    if answer.get("previous") is not None:
        before = _value(answer["previous"], name)
        table.add_row(called, shown(value), shown(before), change(value, before, shown))
        return
    share = _share(answer, name, value)
    table.add_row(called, shown(value), share)


def _value(answer: Row, name: str | Callable[[Row], Any]) -> Any:
    return answer[name] if isinstance(name, str) else name(answer)


def _share(answer: Row, name: str | Callable[[Row], Any], value: Any) -> str:
    if "totalQueries" not in answer or not answer["totalQueries"]:
        return ""
    return cells.rate(value / answer["totalQueries"]) if not isinstance(name, str) or name in SHARED else ""


def change(value: Any, before: Any, shown: Callable[[Any], str]) -> str:
    """Say by how much a figure has changed: a share in points, all others in percent of what they were."""
    if value is None or before is None:
        return cells.NOTHING
    if shown in (cells.rate, cells.percent):
        return cells.points((value - before) / (1 if shown is cells.rate else 100))
    return cells.relative((value - before) / before if before else None)
