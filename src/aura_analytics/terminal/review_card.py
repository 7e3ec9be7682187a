"""How one interaction looks to a person who labels it, and what is told about the session so far."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from aura_analytics.events.records import LABELS
from aura_analytics.logs import plain
from aura_analytics.terminal import cells
from aura_analytics.terminal.interaction import facts

# Any, throughout: the endpoints' JSON, as it is.
Row = dict[str, Any]

# Turns that are shown before and after the one in question.
BEFORE, AFTER = 4, 2
STYLES = {"GOOD": "green", "REVIEW": "yellow", "BAD": "red"}
# How often it is said is told as a number.
WHY = {
    "review": "asks for a person",
    "unsure": "isn't sure",
    "disputed": "the shopper said it again",
}
# What a person is asked for, in the order in which an utterance goes through an assistant.
REASONS = {
    "poor_transcription": "heard wrong",
    "wrong_intent": "taken for another request",
    "unclear_request": "unclear what was wanted",
    "wrong_answer": "the answer is wrong",
    "unhelpful_answer": "the answer doesn't help",
    "failed_action": "not done",
    "no_answer": "no answer",
    "out_of_scope": "not a matter for an assistant",
    "unsafe": "unsafe",
}


def card(answer: Row, *, note: str, last: Text | None) -> RenderableType:
    """Show an interaction with the turns around it, but not its label, which would lead the person.

    Args:
        answer: what `/interactions/{query_id}` says.
        note: how far the session has come.
        last: what became of the one before.
    """
    query = answer["query"]
    heading = f"{query['storeId']} · {cells.moment(query['createdAt'])} (UTC)"
    parts: list[RenderableType] = [Rule(Text(plain(note), style="dim"), style="dim", align="right")]
    if last is not None:
        parts += [last, Text()]
    parts += [Text(plain(heading), style="bold"), _facts(facts(answer))]
    if len(answer["turns"]) > 1:
        parts.append(_turns(answer["turns"], query["id"]))
    return Group(*parts)


def judged(item: Row) -> Text:
    """Say what it was labelled automatically, and why a look at it is worth something."""
    verdict = item["verdict"]
    told = Text.assemble(("automatic ", "dim"), label(verdict["label"]))
    told.append_text(
        cells.said(f" {verdict['reason']}, {cells.rate(verdict['confidence'])} sure, by {verdict['method']}")
    )
    if verdict["explanation"]:
        told.append_text(cells.said(f": {verdict['explanation']}"))
    why = [WHY[one] for one in item["why"] if one in WHY]
    if item["occurrences"] > 1:
        why.append(f"said {item['occurrences']:,} times")
    return told.append(f" ({', '.join(why)})" if why else "", style="dim")


def outcome(mine: str | None, item: Row) -> Text:
    """Say what became of an interaction, beside its automatic label; None was skipped."""
    if mine is None:
        return Text("skipped", style="dim")
    return Text.assemble(("you ", "dim"), label(mine), (" · ", "dim"), judged(item))


def label(name: str) -> Text:
    """Show a label in its colour."""
    return Text(plain(name), style=f"bold {STYLES.get(name, '')}".strip())


def bar() -> Text:
    """Name the keys."""
    names = {"g": "GOOD", "r": "REVIEW", "b": "BAD", "s": "skip", "j": "its label", "u": "back", "q": "quit"}
    return _keys(names)


def reasons() -> Text:
    """Name the keys of what can have gone wrong."""
    numbered = {str(number): words for number, words in enumerate(REASONS.values(), 1)}
    listed = [_keys({key: words}) for key, words in numbered.items()]
    return Text("\n").join([Text("What went wrong?", style="bold"), *listed, _keys({"⏎": "don't say", "u": "back"})])


def summary(mine: Mapping[str, tuple[str, str]], skipped: int) -> Text:
    """Sum up a session.

    Args:
        mine: by id, the person's label and the automatic one.
        skipped: how many have none.
    """
    found = Text(f"{len(mine):,} labelled")
    counts = {name: sum(one == name for one, _ in mine.values()) for name in LABELS}
    if mine:
        found += Text(f" ({', '.join(f'{count:,} {name}' for name, count in counts.items() if count)})")
        found += Text(f", {agreement(mine)}")
    return found + Text(f", {skipped:,} skipped" if skipped else "")


def agreement(mine: Mapping[str, tuple[str, str]]) -> str:
    """Say how often a person gave the label that was there."""
    agreed = sum(one == other for one, other in mine.values())
    return f"{agreed:,} of {len(mine):,} as they were labelled" if mine else ""


def _facts(rows: Iterable[tuple[str, str | None]]) -> Table:
    table = cells.table("", "", "")
    table.title = None
    table.show_header = False
    for name, value in rows:
        if value:
            shown = cells.said(value)
            if name in ("said", "answer"):
                shown.stylize("bold")
            table.add_row(Text(name, style="dim"), shown)
    return table


def _turns(rows: Sequence[Row], itself: str) -> Table:
    """Show the turns around one, without their labels: a label beside it would be taken for a hint."""
    table = cells.table("The conversation", "", ">", "said", "answer")
    place = next((place for place, row in enumerate(rows) if row["id"] == itself), 0)
    for row in rows[max(0, place - BEFORE) : place + AFTER + 1]:
        mine = row["id"] == itself
        apart = (row["createdAt"] - rows[place]["createdAt"]) / cells.SECOND_MS
        answer = cells.said(row["answerText"])
        table.add_row(
            Text("▸" if mine else " "),
            Text("" if mine else f"{apart:+,.0f} s", style="dim"),
            cells.said(row["queryText"]),
            answer,
            style="bold" if mine else None,
        )
    return table


def _keys(names: Mapping[str, str]) -> Text:
    return Text("  ").join(Text(f" {key} ", style="reverse") + Text(f" {words}") for key, words in names.items())
