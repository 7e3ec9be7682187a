"""The statistics as tables."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from rich import box
from rich.table import Table
from rich.text import Text

from aura_analytics.logs import plain

# Any, throughout: the endpoints' JSON, as it is.
Row = dict[str, Any]


def summary_table(summary: Row) -> Table:
    """Show the figures of a window."""
    total = summary["totalQueries"]
    table = _table(f"{_store(summary['storeId'])} · {summary['period']}", "", ">")
    table.show_header = False
    rows = (
        ("queries", f"{total:,}"),
        ("successful", f"{summary['successfulQueries']:,}{_share(summary['successfulQueries'], total)}"),
        ("failed", f"{summary['failedQueries']:,}{_share(summary['failedQueries'], total)}"),
        ("unanswered", _percent(100 * summary["unansweredRate"])),
        ("average latency", _ms(summary["averageLatencyMs"])),
        ("cost", f"${summary['totalCostUsd']:,.4f}"),
        ("sessions", f"{summary['uniqueSessions']:,}"),
        ("conversion rate", _percent(100 * summary["conversionRate"])),
    )
    for name, value in rows:
        table.add_row(name, value)
    return table


def top_queries_table(rows: Sequence[Row]) -> Table:
    """Show what shoppers say most."""
    table = _table("What shoppers say most", "query", "intent", ">count", ">latency", ">success")
    for row in rows:
        table.add_row(
            _said(row["queryText"]),
            _said(row["intent"]),
            f"{row['count']:,}",
            _ms(row["avgLatencyMs"]),
            _percent(row["successRate"]),
        )
    return table


def unanswered_table(rows: Sequence[Row]) -> Table:
    """Show what they didn't get."""
    table = _table("What they didn't get", "query", "intent", ">times", "last seen", "why")
    for row in rows:
        table.add_row(
            _said(row["queryText"]),
            _said(row["intent"]),
            f"{row['occurrences']:,}",
            _moment(row["lastSeen"]),
            ", ".join(row["reasons"]),
        )
    return table


def hourly_table(rows: Sequence[Row]) -> Table:
    """Show the hours."""
    table = _table(
        "Hour by hour (UTC)", "hour", ">queries", ">successes", ">failures", ">latency", ">cost", ">sessions"
    )
    for row in rows:
        table.add_row(
            row["hour"].removesuffix(":00Z").replace("T", " "),
            f"{row['queries']:,}",
            f"{row['successes']:,}",
            f"{row['failures']:,}",
            _ms(row["avgLatencyMs"]),
            f"${row['costUsd']:,.4f}",
            f"{row['sessions']:,}",
        )
    return table


def failed_table(rows: Sequence[Row]) -> Table:
    """Show the interactions that got no label, and why."""
    table = _table("No label, and why", "interaction", ">tries", "given up", "last error")
    for row in rows:
        table.add_row(_said(row["query_id"]), str(row["attempts"]), _moment(row["failed_at"]), _said(row["last_error"]))
    return table


def differences_table(rows: Sequence[Row]) -> Table:
    """Show where rows and columns disagree."""
    table = _table("Rows and columns disagree", "interaction", "column", "in the rows", "in the columns")
    for row in rows:
        whole = row["column"] is None
        table.add_row(
            _said(row["query_id"]),
            "the whole row" if whole else row["column"],
            _said(f"{row['in_rows']} times" if whole else repr(row["in_rows"])),
            _said(f"{row['in_columns']} times" if whole else repr(row["in_columns"])),
        )
    return table


def _table(title: str, *columns: str) -> Table:
    """Make an empty table; a column that begins with `>` is a number's."""
    table = Table(title=Text(plain(title)), title_justify="left", title_style="bold", box=box.SIMPLE_HEAD)
    for column in columns:
        number = column.startswith(">")
        table.add_column(column.removeprefix(">"), justify="right" if number else "left", no_wrap=number)
    return table


def _said(text: str | None) -> Text:
    """Show what people said as it is: neither markup nor control characters mean anything."""
    return Text(plain(text), overflow="ellipsis") if text is not None else Text("–", style="dim")


def _store(store: str) -> str:
    return "all stores" if store == "all" else store


def _moment(epoch_ms: int) -> str:
    return datetime.fromtimestamp(epoch_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M")


def _ms(value: float | None) -> str:
    return "–" if value is None else f"{value:,.0f} ms"


def _percent(value: float) -> str:
    return f"{value:.1f} %"


def _share(part: int, whole: int) -> str:
    return f"  ({_percent(100 * part / whole)})" if whole else ""
