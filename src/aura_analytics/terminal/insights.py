"""What is to be mended, as tables: what was said again, where it broke, what was asked for in vain, which words."""

from collections.abc import Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from aura_analytics.terminal import cells
from aura_analytics.terminal.cells import Bar, Sparkline
from aura_analytics.terminal.figures import heading

# Any, throughout: the endpoints' JSON, as it is.
Row = dict[str, Any]

# The causes in the order of the answer, as the steps of a series and the parts of a split name them.
CAUSES = {
    "heard_wrong": "heardWrong",
    "understood_wrong": "understoodWrong",
    "did_wrong": "didWrong",
    "too_slow": "tooSlow",
    "no_answer": "noAnswer",
    "answered_badly": "answeredBadly",
}
MOST_EXAMPLES = 3
HEADING_WIDTH = 10


def rephrasings_table(answer: Row) -> RenderableType:
    """Show how often shoppers had to say it again, and what they said first and then."""
    table = cells.table(heading(answer), "", ">", ">")
    table.show_header = False
    table.add_row("queries", f"{answer['queries']:,}", "")
    table.add_row("said again in other words", f"{answer['rephrased']:,}", cells.rate(answer["rate"]))
    table.add_row("said again in the same words", f"{answer['repeated']:,}", cells.rate(answer["repeatedRate"]))
    parts: list[RenderableType] = [table]
    if answer["intents"]:
        parts.append(_rephrased_intents(answer["intents"]))
    if answer["examples"]:
        parts.append(_pairs(answer["examples"]))
    return Group(*parts)


def _rephrased_intents(rows: Sequence[Row]) -> Table:
    table = cells.table("Which intents", "intent", ">queries", ">said again", ">share", "")
    most = max(row["rate"] for row in rows)
    for row in rows:
        numbers = (f"{row['queries']:,}", f"{row['rephrased']:,}", cells.rate(row["rate"]))
        table.add_row(cells.said(row["intent"]), *numbers, Bar(row["rate"] / most if most else 0.0))
    return table


def _pairs(rows: Sequence[Row]) -> Table:
    table = cells.table("What they said", "first", "then", ">after", ">times", "intent")
    for row in rows:
        table.add_row(
            cells.said(row["queryText"]),
            cells.said(row["nextText"]),
            cells.length(row["gapMs"]),
            f"{row['count']:,}",
            cells.said(row["intent"]),
        )
    return table


def causes_table(answer: Row) -> RenderableType:
    """Show where interactions broke; by what they were split, over time, and a few of them."""
    parts: list[RenderableType] = [where_it_broke(answer)]
    if answer["parts"]:
        parts.append(_parts(answer["split"], answer["parts"]))
    if answer["steps"]:
        parts.append(_steps(answer["steps"]))
    if answer["examples"]:
        parts.append(_examples(answer["examples"]))
    return Group(*parts)


def where_it_broke(answer: Row) -> Table:
    """Show how many interactions broke, and where."""
    title = f"Where it broke: {answer['broken']:,} of {answer['queries']:,} ({cells.rate(answer['rate'])})"
    table = cells.table(title, "cause", ">times", ">share", ">of all", "")
    for row in answer["causes"]:
        numbers = (f"{row['count']:,}", cells.rate(row["share"]), cells.rate(row["rate"]))
        table.add_row(_words(row["cause"]), *numbers, Bar(row["share"]))
    return table


def _words(cause: str) -> str:
    return cause.replace("_", " ")


def _parts(split: str, rows: Sequence[Row]) -> Table:
    table = cells.table(f"By {split}", split, ">queries", ">broken")
    for cause in CAUSES:
        table.add_column(_words(cause), justify="right", max_width=HEADING_WIDTH)
    for row in rows:
        numbers = (f"{row[name]:,}" for name in ("queries", "broken", *CAUSES.values()))
        table.add_row(cells.said(row["value"]), *numbers)
    return table


def _steps(rows: Sequence[Row]) -> Table:
    title = f"Over time: {cells.start(rows[0]['start'])} to {cells.start(rows[-1]['start'])}"
    table = cells.table(title, "cause", "over time", ">most", ">last")
    for cause, name in CAUSES.items():
        values = [row[name] for row in rows]
        table.add_row(_words(cause), Sparkline(values), f"{max(values):,}", f"{values[-1]:,}")
    return table


def _examples(rows: Sequence[Row]) -> Table:
    table = cells.table("The newest of each", "cause", "said", "answer", "id")
    for row in rows:
        table.add_row(
            _words(row["cause"]), cells.said(row["queryText"]), cells.said(row["answerText"]), cells.said(row["id"])
        )
    return table


def demand_table(answer: Row) -> RenderableType:
    """Show what shoppers asked for in vain, by topic."""
    title = f"Asked for in vain: {answer['unanswered']:,} queries · {heading(answer)}"
    table = cells.table(title, "topic", ">times", ">texts", ">trend", ">at stake", "among them", "most in")
    for topic in answer["topics"]:
        others = [one["queryText"] for one in topic["examples"] if one["queryText"] != topic["name"]]
        table.add_row(
            cells.said(topic["name"]),
            f"{topic['volume']:,}",
            f"{topic['texts']:,}",
            _trend(topic),
            _stake(topic["moneyAtStake"]),
            cells.said("; ".join(others[:MOST_EXAMPLES])),
            cells.said(topic["stores"][0]["storeId"] if topic["stores"] else None),
        )
    return table


def _trend(topic: Row) -> Text:
    if topic["trend"] is None:
        return Text("new", style="dim")
    return Text(f"{100 * topic['trend']:+,.0f} %")


def _stake(money: Sequence[Row] | None) -> Text:
    return cells.lines(cells.amount(one["value"], one["currency"]) for one in money or [])


def key_terms_table(rows: Sequence[Row]) -> Table:
    """Show the words that stand out in what wasn't answered."""
    table = cells.table("Words for the recogniser to expect", "term", ">times", ">more often than elsewhere")
    for row in rows:
        table.add_row(cells.said(row["term"]), f"{row['count']:,}", f"{2 ** row['weight']:,.1f} ×")
    return table


def synonyms_table(rows: Sequence[Row]) -> Table:
    """Show the words that shoppers say where answered queries have another."""
    table = cells.table("Words that may mean another", "shoppers say", "answered queries say", ">texts", ">times")
    for row in rows:
        table.add_row(cells.said(row["said"]), cells.said(row["known"]), f"{row['places']:,}", f"{row['count']:,}")
    return table
