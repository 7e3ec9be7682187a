"""The commands about the judge: how good its labels are, what it cost, and which of two is better."""

from typing import Annotated, Any

import msgspec
import typer

from aura_analytics.clock import now
from aura_analytics.errors import LoadError
from aura_analytics.events.records import Label
from aura_analytics.ingest.files import Source
from aura_analytics.settings import Settings
from aura_analytics.terminal import choices, commands, options, rivals, service
from aura_analytics.terminal.judge_tables import agreement_table, cost_table
from aura_analytics.terminal.reading import HELP_JSON, Database
from aura_analytics.terminal.rival_tables import comparison_table
from aura_analytics.terminal.running import run, settings_for
from aura_analytics.terminal.screen import results

AGREEMENT, COST = "/stats/agreement", "/stats/judge"
# Labels are what is compared, so nothing is chosen by them.
ASKED = tuple(option for option in options.SCOPE if option.name not in ("label", "reason"))
# What a request to a model has: a moment, and one store.
WINDOW = (*(option for option in options.SCOPE if option.name in ("period", "from", "to")), choices.STORE)
HELP_JUDGE = "A judge: provider:model, a rubric's file, or provider:model@file; the rest is as the settings say."
HELP_REFERENCE = (
    "What is true instead of people's labels: a line of JSON for each interaction, with query_id and label, or"
    " intent_correct; also gzip."
)


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """What a reference says of one interaction: its label, or whether the intent was the one that was meant."""

    query_id: str
    label: Label | None = None
    intent_correct: bool | None = None


def add_to(cli: typer.Typer) -> None:
    """Add the commands to the command line."""
    group = typer.Typer(help="Look at the labels that were given automatically.", no_args_is_help=True)
    for command in (report, cost, compare):
        group.command()(command)
    cli.add_typer(group, name="judge")


@options.taking(ASKED)
def report(
    where: dict[str, Any],  # Any: a text, or several
    *,
    database: Database = None,
    reference: Annotated[str | None, typer.Option(metavar="FILE", help=HELP_REFERENCE)] = None,
    as_json: Annotated[bool, typer.Option("--json", help=HELP_JSON)] = False,
) -> None:
    """Say how good the labels are, by people's or a reference's; by default of all times."""
    if not {"period", "from", "to"} & where.keys():
        where = where | {"period": "all"}
    found = run(asked(settings_for(database), where, None if reference is None else read_reference(reference)))
    commands.show(found, agreement_table, as_json=as_json or not results().is_terminal)


@options.taking(WINDOW)
def cost(
    where: dict[str, Any],  # Any: a text, or several
    *,
    database: Database = None,
    as_json: Annotated[bool, typer.Option("--json", help=HELP_JSON)] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV: a line for each model and rubric.")] = False,
) -> None:
    """Say what the judge cost, how its requests failed, and what waits for it."""
    settings = settings_for(database)
    if as_csv:
        commands.show_csv(run(commands.ask_for_csv(settings, COST, where)))
        return
    found = run(commands.ask(settings, COST, where))
    commands.show(found, cost_table, as_json=as_json or not results().is_terminal)


@options.taking(choices.CHOICE)
def compare(
    where: dict[str, Any],  # Any: a text, or a number
    *,
    a: Annotated[str, typer.Argument(metavar="A", help=HELP_JUDGE)],
    b: Annotated[str, typer.Argument(metavar="B", help="The other, named likewise.")],
    database: Database = None,
    limit: Annotated[
        int, typer.Option(min=1, max=rivals.MOST, help="Most interactions; the same ones each time.")
    ] = rivals.DEFAULT_LIMIT,
    as_json: Annotated[bool, typer.Option("--json", help=HELP_JSON)] = False,
) -> None:
    """Have two judges judge the same interactions, and hold them against each other; no label changes."""
    choice = choices.chosen(where, now=now())
    found = run(rivals.compare(settings_for(database), (a, b), choice, limit))
    commands.show(rivals.as_json(found), comparison_table, as_json=as_json or not results().is_terminal)


async def asked(settings: Settings, where: dict[str, Any], reference: dict[str, Label] | None) -> Any:
    """Ask this database's service. Any: the endpoint's JSON, and options as Typer makes them."""
    async with service.reached_service(settings) as client:
        return (await service.answer(client, AGREEMENT, where, reference)).json()


def read_reference(name: str) -> dict[str, Label]:
    """Read the true labels of a file; what it says last of an interaction counts.

    Raises:
        LoadError: it can't be read, or says something else.
    """
    found: dict[str, Label] = {}
    try:
        for batch in Source(name).batches():
            for event, place in zip(batch.events, batch.places, strict=True):
                line = _line(event, place)
                found[line.query_id] = line.label or ("GOOD" if line.intent_correct else "BAD")
    except OSError as error:
        raise LoadError(f"{name} can't be read: {error.strerror}") from error
    return found


def _line(event: msgspec.Raw, place: str) -> Line:
    try:
        line = msgspec.json.decode(event, type=Line)
    except (ValueError, RecursionError) as error:
        raise LoadError(f"{place}: {error}") from error
    if line.label is None and line.intent_correct is None:
        raise LoadError(f"{place}: neither label nor intent_correct is there")
    return line
