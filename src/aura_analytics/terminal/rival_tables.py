"""Two judges beside each other, as tables."""

from collections.abc import Callable, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from aura_analytics.events.records import LABELS
from aura_analytics.terminal import cells

# Any, throughout: a comparison as JSON has it.
Row = dict[str, Any]
Figure = tuple[str, Callable[[Row], str]]

MOST_EXAMPLES = 10
# Below, one of the judges is better by more than chance.
BETTER = 0.05


def comparison_table(found: Row) -> RenderableType:
    """Show what two judges said of the same interactions, and what they took."""
    parts: list[RenderableType] = [_rivals(found)]
    if found["contest"]["pairs"]:
        parts += [_agreement(found["contest"]), _flips(found["contest"]["flips"])]
    if found["contest"]["byPeople"]:
        parts += _by_people(found["contest"]["byPeople"])
    if found["examples"]:
        parts.append(_examples(found["examples"]))
    return Group(*parts)


def _rivals(found: Row) -> Table:
    table = cells.table(f"Two judges, {found['interactions']:,} interactions", "", "A", "B")
    table.add_row("judge", cells.said(found["a"]["name"]), cells.said(found["b"]["name"]))
    table.add_row("model", cells.said(found["a"]["model"]), cells.said(found["b"]["model"]))
    table.add_row("rubric", _rubrics(found["a"]), _rubrics(found["b"]))
    for name, shown in (*_labels(), *_efforts()):
        table.add_row(name, shown(found["a"]), shown(found["b"]))
    for cause in dict.fromkeys((*found["a"]["failures"], *found["b"]["failures"])):
        table.add_row(
            f"none: {cause.replace('_', ' ')}", *(f"{found[side]['failures'].get(cause, 0):,}" for side in "ab")
        )
    return table


def _rubrics(rival: Row) -> Text:
    return cells.lines(cells.said(rubric) for rubric in rival["rubrics"])


def _labels() -> list[Figure]:
    def shown(label: str) -> Callable[[Row], str]:
        return lambda rival: f"{rival['labels'][label]:,}"

    return [(label, shown(label)) for label in LABELS]


def _efforts() -> list[Figure]:
    return [
        ("requests", lambda rival: cells.count(rival["effort"]["calls"])),
        ("of them failed", lambda rival: cells.count(rival["effort"]["failedCalls"])),
        ("tokens, prompt", lambda rival: cells.count(rival["effort"]["tokensPrompt"])),
        ("tokens, answer", lambda rival: cells.count(rival["effort"]["tokensCompletion"])),
        ("cost", lambda rival: _cost(rival["effort"])),
        ("cost per 1,000 labels", lambda rival: _per_thousand(rival["effort"]["costPerLabelUsd"])),
        ("latency, p50", lambda rival: _latency(rival, "p50")),
        ("latency, p95", lambda rival: _latency(rival, "p95")),
    ]


def _cost(effort: Row) -> str:
    cost = cells.dollars(effort["costUsd"])
    return cost if not effort["unpricedCalls"] else f"{cost} ({effort['unpricedCalls']:,} of unknown price)"


def _per_thousand(cost: float | None) -> str:
    return cells.dollars(None if cost is None else 1_000 * cost)


def _latency(rival: Row, name: str) -> str:
    found = rival["effort"]["latencyMs"]
    return cells.ms(found and found[name])


def _agreement(contest: Row) -> Table:
    table = cells.table(f"Their agreement, of {contest['pairs']:,}", "", ">", ">95 % interval")
    table.add_row("the same label", cells.rate(contest["agreement"]["value"]), cells.interval(contest["agreement"]))
    kappa = contest["kappa"]
    table.add_row("Cohen's κ", cells.number(kappa and kappa["value"]), cells.number_interval(kappa))
    return table


def _flips(rows: Sequence[Row]) -> Table:
    counts = {(row["a"], row["b"]): row["count"] for row in rows}
    table = cells.table("Which labels of A became which of B", "A", *(f">B: {label}" for label in LABELS), ">the same")
    for of_a in LABELS:
        row = [counts[of_a, of_b] for of_b in LABELS]
        shown = [
            Text(f"{count:,}", style="bold" if of_a == of_b else "yellow" if count else "dim")
            for of_b, count in zip(LABELS, row, strict=True)
        ]
        table.add_row(of_a, *shown, cells.rate(counts[of_a, of_a] / sum(row) if sum(row) else None))
    return table


def _by_people(found: Row) -> list[RenderableType]:
    table = cells.table(f"By people's labels, of {found['pairs']:,}", "", ">accuracy", ">95 % interval", ">right alone")
    for side in "AB":
        right = found[f"accuracy{side}"]
        table.add_row(side, cells.rate(right["value"]), cells.interval(right), f"{found[f'only{side}']:,}")
    return [table, Text(_verdict(found))]


def _verdict(found: Row) -> str:
    p = f"McNemar's exact p = {found['p']:.4f}" if found["p"] >= 0.0001 else "McNemar's exact p < 0.0001"
    if found["p"] >= BETTER:
        return f"Neither is shown to be better ({p})."
    return f"{'A' if found['onlyA'] > found['onlyB'] else 'B'} is better by more than chance ({p})."


def _examples(rows: Sequence[Row]) -> Table:
    shown = min(MOST_EXAMPLES, len(rows))
    table = cells.table(f"Labelled differently, {shown:,} of {len(rows):,}", "said", "answer", "A", "B", "people")
    table.leading = 1
    for row in rows[:MOST_EXAMPLES]:
        table.add_row(
            cells.said(row["queryText"]),
            cells.said(row["answerText"]),
            _judgement(row["a"]),
            _judgement(row["b"]),
            row["people"] or cells.NOTHING,
        )
    return table


def _judgement(found: Row) -> Text:
    words = cells.said(found["explanation"] or found["reason"].replace("_", " "))
    return Text.assemble((f"{found['label']} ", "bold"), words, overflow="fold")
