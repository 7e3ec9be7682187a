"""The commands about rules: what a file of them would make of the interactions that are stored."""

from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from rich.console import Group, RenderableType
from rich.text import Text

from aura_analytics.clock import now
from aura_analytics.evaluation.rehearsal import Hits, Rehearsal, rehearse
from aura_analytics.evaluation.rule import Rule
from aura_analytics.evaluation.rules import DEFAULT, read_rules
from aura_analytics.events.records import Interaction
from aura_analytics.labelling import make_rules
from aura_analytics.opening import opened_store
from aura_analytics.settings import Settings
from aura_analytics.stats import scope as scopes
from aura_analytics.stats.scope import Scope
from aura_analytics.terminal import cells, commands
from aura_analytics.terminal.reading import HELP_JSON, Database
from aura_analytics.terminal.running import run, settings_for
from aura_analytics.terminal.screen import progress, results

MOST_CHANGES = 20

# Any, throughout: what is printed, as JSON has it.
Row = dict[str, Any]


def add_to(cli: typer.Typer) -> None:
    """Add the commands to the command line."""
    group = typer.Typer(help="Look at the rules that label before a judge does.", no_args_is_help=True)
    group.callback()(_rules)  # so that `check` has to be said, although it is the only one
    group.command("check")(_check)
    cli.add_typer(group, name="rules")


def _rules() -> None:
    """Look at the rules that label before a judge does."""


def _check(
    file: Annotated[
        Path | None,
        typer.Argument(metavar="FILE", help="A TOML file of rules; EVAL_RULES by default.", show_default=False),
    ] = None,
    *,
    database: Database = None,
    period: Annotated[str | None, typer.Option(metavar="PERIOD", help="30m, 24h, 7d …; by default all.")] = None,
    since: Annotated[
        str | None, typer.Option("--from", metavar="MOMENT", help="ISO 8601 or epoch milliseconds, included.")
    ] = None,
    until: Annotated[
        str | None, typer.Option("--to", metavar="MOMENT", help="ISO 8601 or epoch milliseconds, included.")
    ] = None,
    store: Annotated[
        list[str] | None, typer.Option(metavar="STORE", help="Only this store; may be given several times.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help=HELP_JSON)] = False,
) -> None:
    """Say what rules would make of the interactions that are stored; nothing is changed."""
    settings = settings_for(database)
    rules = read_rules(file) if file else make_rules(settings)
    whole = None if since or until else "all"
    values = {"period": period or whole, "from": since, "to": until, "store": store}
    scope = scopes.parse(values, now=now())
    name = str(file or settings.eval_rules or DEFAULT)
    found = told(name, run(check(settings, rules, scope)))
    commands.show(found, rules_table, as_json=as_json or not results().is_terminal)


async def check(settings: Settings, rules: tuple[Rule, ...], scope: Scope) -> Rehearsal:
    """Try rules on the interactions of a scope, of which only the window and the stores are asked for."""

    def wanted(interaction: Interaction) -> bool:
        query = interaction.query
        return (
            (scope.start is None or query.created_at >= scope.start)
            and (scope.end is None or query.created_at <= scope.end)
            and (not scope.stores or query.store_id in scope.stores)
        )

    async with opened_store(settings) as store:
        with progress("checking", await store.count()) as meter:
            return await rehearse(
                store, rules, wanted=wanted, on_progress=lambda read: meter.set(read, f"{read:,} interactions")
            )


def told(name: str, rehearsal: Rehearsal) -> Row:
    """Say what was found, as it is printed."""
    total = rehearsal.interactions
    return {
        "file": name,
        "interactions": total,
        "rules": [_rule(rule, rehearsal.hits[rule.reason], total) for rule in rehearsal.rules],
        "left_to_judge": rehearsal.left,
        "left_to_judge_share": _share(rehearsal.left, total),
        "labels": [
            {"made_by": maker, **msgspec.structs.asdict(standing)} for maker, standing in rehearsal.standing.items()
        ],
        "differing": rehearsal.standing["rules"].differing,
        "changes": [
            {**msgspec.structs.asdict(change), "count": count} for change, count in rehearsal.changes.most_common()
        ],
    }


def _rule(rule: Rule, hits: Hits, total: int) -> Row:
    shadowed = hits.fitting > 0 and not hits.decided
    return {
        "reason": rule.reason,
        "label": rule.label,
        "confidence": rule.confidence,
        "hits": hits.decided,
        "share": _share(hits.decided, total),
        "fitting": hits.fitting,
        "shadowed_by": [reason for reason, _ in hits.before.most_common()] if shadowed else [],
    }


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def rules_table(found: Row) -> RenderableType:
    """Show what each rule decides, what is left, and which labels would be others."""
    table = cells.table("What the rules decide", "rule", "label", ">confidence", ">hits", ">share", ">fits", "")
    for row in found["rules"]:
        table.add_row(
            row["reason"],
            row["label"],
            f"{row['confidence']:g}",
            f"{row['hits']:,}",
            cells.rate(row["share"]),
            f"{row['fitting']:,}",
            _remark(row),
        )
    left = f"{found['left_to_judge']:,} of {found['interactions']:,} interactions are left to the judge"
    share = found["left_to_judge_share"]
    parts: list[RenderableType] = [table, Text(left if share is None else f"{left} ({cells.rate(share)})")]
    if any(_labels(row) for row in found["labels"]):
        parts.append(_labels_table(found["labels"]))
    if found["changes"]:
        parts.append(_changes_table(found["changes"]))
    return Group(*parts)


def _remark(row: Row) -> str:
    if row["shadowed_by"]:
        return f"shadowed by {', '.join(row['shadowed_by'])}"
    return "" if row["fitting"] or row["share"] is None else "never fits"


def _labels(row: Row) -> int:
    return int(row["same"] + row["differing"] + row["left_to_judge"])


def _labels_table(rows: list[Row]) -> RenderableType:
    table = cells.table(
        "Labels that stand, beside these rules",
        "given by",
        ">labels",
        ">the same",
        ">another label",
        ">left to the judge",
    )
    for row in rows:
        if _labels(row):
            counts = (_labels(row), row["same"], row["differing"], row["left_to_judge"])
            table.add_row(row["made_by"], *(f"{count:,}" for count in counts))
    return table


def _changes_table(rows: list[Row]) -> RenderableType:
    table = cells.table(
        "Labels of the rules that would be others", "stands", "for the reason", "would be", "", ">labels"
    )
    for row in rows[:MOST_CHANGES]:
        table.add_row(
            row["label"],
            cells.said(row["reason"]),
            row["new_label"] or "left to the judge",
            row["new_reason"] or "",
            f"{row['count']:,}",
        )
    return table
