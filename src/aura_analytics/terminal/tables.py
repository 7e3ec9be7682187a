"""The lists as tables: what was said, hours, groups, interactions, and what the other commands list."""

from collections.abc import Callable, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from aura_analytics.terminal import cells
from aura_analytics.terminal.figures import change

# Any, throughout: the endpoints' JSON, as it is.
Row = dict[str, Any]


def top_queries_table(rows: Sequence[Row]) -> Table:
    """Show what shoppers say most."""
    table = cells.table("What shoppers say most", "query", "intent", ">count", ">latency", ">success")
    for row in rows:
        table.add_row(
            cells.said(row["queryText"]),
            cells.said(row["intent"]),
            f"{row['count']:,}",
            cells.ms(row["avgLatencyMs"]),
            cells.percent(row["successRate"]),
        )
    return table


def unanswered_table(rows: Sequence[Row]) -> Table:
    """Show what they didn't get."""
    table = cells.table("What they didn't get", "query", "intent", ">times", "last seen", "why")
    for row in rows:
        table.add_row(
            cells.said(row["queryText"]),
            cells.said(row["intent"]),
            f"{row['occurrences']:,}",
            cells.moment(row["lastSeen"]),
            ", ".join(row["reasons"]),
        )
    return table


def hourly_table(rows: Sequence[Row]) -> Table:
    """Show the hours."""
    table = cells.table(
        f"Hour by hour{_zone(rows)}",
        "hour",
        ">queries",
        ">successes",
        ">failures",
        ">latency",
        ">cost",
        ">sessions",
    )
    for row in rows:
        table.add_row(
            _hour(row["hour"]),
            f"{row['queries']:,}",
            f"{row['successes']:,}",
            f"{row['failures']:,}",
            cells.ms(row["avgLatencyMs"]),
            cells.dollars(row["costUsd"]),
            f"{row['sessions']:,}",
        )
    return table


def _hour(hour: str) -> str:
    """Show the start of an hour; where it isn't UTC, with its offset."""
    return f"{hour[:16].replace('T', ' ')} {hour[19:].removesuffix('Z')}".rstrip()


def _zone(rows: Sequence[Row]) -> str:
    """Name the zone where the hours don't: with an offset each says it itself."""
    return " (UTC)" if all(row["hour"].endswith("Z") for row in rows) else ""


def groups_table(title: str, what: str, field: str) -> Callable[[Sequence[Row]], Table]:
    """Make what shows the figures of each intent, model or store; beside the window before where it is there.

    Args:
        title: of the table.
        what: a group is, in a word.
        field: that names it in a row.
    """

    def groups(rows: Sequence[Row]) -> Table:
        if any("change" in row for row in rows):
            return _compared_groups(title, what, field, rows)
        table = cells.table(title, what, ">queries", ">success", ">missed", ">p95", ">cost", ">quality", ">converted")
        for row in rows:
            table.add_row(
                cells.said(row[field]),
                f"{row['queries']:,}",
                cells.percent(row["successRate"]),
                cells.rate(row["unansweredRate"]),
                cells.ms(row["p95LatencyMs"]),
                cells.dollars(row["costUsd"]),
                cells.rate(row["quality"]),
                cells.rate(row["conversionRate"]),
            )
        return table

    return groups


def _compared_groups(title: str, what: str, field: str, rows: Sequence[Row]) -> Table:
    columns = (">queries", ">change", ">success", ">change", ">p95", ">change")
    table = cells.table(f"{title}, beside the window before", what, *columns)
    figures = (("queries", cells.count), ("successRate", cells.percent), ("p95LatencyMs", cells.ms))
    for row in rows:
        before = row["previous"] or {}
        shown = [
            text for name, form in figures for text in (form(row[name]), change(row[name], before.get(name), form))
        ]
        table.add_row(cells.said(row[field]), *shown)
    return table


intents_table = groups_table("How each intent fares", "intent", "intent")
models_table = groups_table("How each model fares", "model", "modelName")
stores_table = groups_table("How each store fares", "store", "storeId")


def dataset_table(rows: Sequence[Row]) -> Table:
    """Show labelled interactions."""
    table = cells.table("Labelled interactions", "when (UTC)", "said", "answer", "intent", "action")
    for row in rows:
        table.add_row(
            cells.moment(row["created_at"]),
            cells.said(row["prompt"]),
            cells.said(row["completion"]),
            cells.said(row["intent"]),
            cells.said(row["action_taken"]),
        )
    return table


def interactions_table(page: Row) -> RenderableType:
    """Show a page of interactions; each id is what `interaction` takes."""
    table = cells.table("Interactions", "when (UTC)", "said", "intent", ">latency", "label", "id")
    for row in page["interactions"]:
        table.add_row(
            cells.moment(row["createdAt"]),
            cells.said(row["queryText"]),
            cells.said(row["intent"]),
            cells.ms(row["latencyMs"]),
            cells.said(row["label"]),
            cells.said(row["id"]),
        )
    if page["nextCursor"] is None:
        return table
    return Group(table, Text("There are more: --limit N, or --cursor with the nextCursor that --json shows."))


def failed_table(rows: Sequence[Row]) -> Table:
    """Show the interactions that got no label, and why."""
    table = cells.table("No label, and why", "interaction", ">tries", "given up", "last error")
    for row in rows:
        table.add_row(
            cells.said(row["query_id"]),
            str(row["attempts"]),
            cells.moment(row["failed_at"]),
            cells.said(row["last_error"]),
        )
    return table


def migrations_table(rows: Sequence[Row]) -> Table:
    """Show the migrations, and when each was applied."""
    table = cells.table("Migrations", "number", "name", "applied (UTC)")
    for row in rows:
        applied_at = row["applied_at"]
        table.add_row(
            f"{row['version']:03}",
            cells.said(row["name"]),
            "pending" if applied_at is None else cells.moment(applied_at),
        )
    return table


def differences_table(rows: Sequence[Row]) -> Table:
    """Show where rows and columns disagree."""
    table = cells.table("Rows and columns disagree", "interaction", "column", "in the rows", "in the columns")
    for row in rows:
        whole = row["column"] is None
        table.add_row(
            cells.said(row["query_id"]),
            "the whole row" if whole else row["column"],
            cells.said(f"{row['in_rows']} times" if whole else repr(row["in_rows"])),
            cells.said(f"{row['in_columns']} times" if whole else repr(row["in_columns"])),
        )
    return table
