"""One interaction, whole: what was said and done, its labels, what was bought, and the conversation around it."""

import json
from collections.abc import Iterable, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from aura_analytics.terminal import cells

# Any, throughout: the endpoint's JSON, as it is.
Row = dict[str, Any]


def interaction_table(answer: Row) -> RenderableType:
    """Show one interaction."""
    query = answer["query"]
    table = cells.table(f"{query['storeId']} · {cells.moment(query['createdAt'])} (UTC)", "", "")
    table.show_header = False
    for name, value in (*_asked(query), *_answered(answer["outcome"]), *_judged(answer)):
        if value:
            table.add_row(name, cells.said(value))
    parts: list[RenderableType] = [table]
    if answer["verdict"] is not None:
        verdicts = [answer["verdict"], *answer["history"]]
        parts.append(_verdicts(verdicts))
        if judged := [one for one in verdicts if one["rubric"] is not None or one["durationMs"] is not None]:
            parts.append(_efforts(judged))
    if answer["conversions"]:
        parts.append(_conversions(answer["conversions"]))
    return Group(*parts, _turns(answer["turns"], query["id"]))


def facts(answer: Row) -> Iterable[tuple[str, str | None]]:
    """Give what was said, answered and done; by whom it was isn't needed to judge it."""
    kept = ("said", "heard", "intent", "answer", "action", "latency", "tools", "error")
    rows = (*_asked(answer["query"]), *_answered(answer["outcome"]))
    return [(name, value) for name, value in rows if name in kept]


def _asked(query: Row) -> Iterable[tuple[str, str | None]]:
    yield "id", query["id"]
    yield "said", query["queryText"]
    yield "heard", _heard(query)
    yield "intent", query["intent"]
    yield "session", query["sessionId"]
    yield "user", query["userId"]
    yield "own fields", _json(query["extra"])


def _heard(query: Row) -> str:
    sure = query["transcriptionConfidence"]
    parts = [query["querySource"], None if sure is None else f"confidence {sure:.2f}"]
    parts += [None if query["audioDurationMs"] is None else cells.ms(query["audioDurationMs"])]
    return ", ".join(part for part in parts if part)


def _answered(outcome: Row | None) -> Iterable[tuple[str, str | None]]:
    if outcome is None:
        yield "answer", "no outcome"
        return
    yield "answer", outcome["answerText"] or cells.NOTHING
    yield "action", _action(outcome)
    yield "latency", cells.ms(outcome["latencyMs"])
    yield "model", outcome["modelName"]
    yield "tokens", _tokens(outcome)
    yield "cost", None if outcome["costUsd"] is None else f"${outcome['costUsd']:,.6f}"
    yield "tools", _tools(outcome["toolCalls"])
    yield "error", outcome["errorMessage"] or ("yes" if outcome["errorFlag"] else None)
    yield "own fields", _json(outcome["extra"])


def _action(outcome: Row) -> str | None:
    success = {True: "done", False: "failed", None: None}[outcome["actionSuccess"]]
    return ", ".join(part for part in (outcome["actionTaken"], success) if part)


def _tokens(outcome: Row) -> str | None:
    total = outcome["tokensTotal"]
    given = {"prompt": outcome["tokensPrompt"], "completion": outcome["tokensCompletion"], "total": total}
    return ", ".join(f"{number:,} {name}" for name, number in given.items() if number is not None)


def _tools(calls: Sequence[Any] | None) -> str | None:
    """Name the tools; a call that is no name is shown as it is."""
    return ", ".join(call if isinstance(call, str) else json.dumps(call, ensure_ascii=False) for call in calls or [])


def _judged(answer: Row) -> Iterable[tuple[str, str | None]]:
    yield "broke", answer["cause"] and answer["cause"].replace("_", " ")
    if answer["saidAgain"] is not None:
        yield "rephrased" if answer["rephrased"] else "repeated", answer["saidAgain"]["queryText"]


def _json(value: Any) -> str | None:
    return json.dumps(value, ensure_ascii=False) if value else None


def _verdicts(rows: Sequence[Row]) -> Table:
    table = cells.table(
        "Its labels, the one that stands first", "when (UTC)", "label", "why", ">sure", "by", "in words"
    )
    for row in rows:
        table.add_row(
            cells.moment(row["evaluatedAt"]),
            cells.said(row["label"]),
            cells.said(row["reason"]),
            cells.rate(row["confidence"]),
            cells.said(row["method"]),
            cells.said(row["explanation"]),
        )
    return table


def _efforts(rows: Sequence[Row]) -> Table:
    table = cells.table(
        "What its labels took", "when (UTC)", "model", "rubric", ">prompt", ">completion", ">cost", ">took"
    )
    for row in rows:
        table.add_row(
            cells.moment(row["evaluatedAt"]),
            cells.said(row["method"]),
            cells.said(row["rubric"]),
            cells.count(row["tokensPrompt"]),
            cells.count(row["tokensCompletion"]),
            cells.NOTHING if row["costUsd"] is None else f"${row['costUsd']:,.6f}",
            cells.ms(row["durationMs"]),
        )
    return table


def _conversions(rows: Sequence[Row]) -> Table:
    table = cells.table("What was bought", "when (UTC)", ">worth", "order", "id")
    for row in rows:
        worth = cells.amount(row["value"], row["currency"])
        table.add_row(cells.moment(row["occurredAt"]), worth, cells.said(row["orderId"]), cells.said(row["id"]))
    return table


def _turns(rows: Sequence[Row], itself: str) -> Table:
    table = cells.table("The conversation", "", "when (UTC)", "said", "answer", ">latency", "label")
    for row in rows:
        table.add_row(
            Text("▸" if row["id"] == itself else " "),
            cells.moment(row["createdAt"]),
            cells.said(row["queryText"]),
            cells.said(row["answerText"]),
            cells.ms(row["latencyMs"]),
            cells.said(row["label"]),
        )
    return table
