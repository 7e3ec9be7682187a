"""The commands about the judge: how good its labels are, by people's or by a reference's."""

import inspect
from typing import Annotated, Any

import msgspec
import typer

from aura_analytics.errors import LoadError
from aura_analytics.events.records import Label
from aura_analytics.ingest.files import Source
from aura_analytics.settings import Settings
from aura_analytics.terminal import commands, options, service
from aura_analytics.terminal.judge_tables import agreement_table
from aura_analytics.terminal.reading import HELP_JSON, Database
from aura_analytics.terminal.running import run, settings_for
from aura_analytics.terminal.screen import results

PATH = "/stats/agreement"
# Labels are what is compared, so nothing is chosen by them.
ASKED = tuple(option for option in options.SCOPE if option.name not in ("label", "reason"))
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
    group.callback()(_judge)  # so that `report` has to be said, although it is the only one

    def report(
        *,
        database: Database = None,
        reference: Annotated[str | None, typer.Option(metavar="FILE", help=HELP_REFERENCE)] = None,
        as_json: Annotated[bool, typer.Option("--json", help=HELP_JSON)] = False,
        **values: Any,  # Any: what Typer makes of the options
    ) -> None:
        where = options.given(ASKED, values)
        if not {"period", "from", "to"} & where.keys():
            where["period"] = "all"
        found = run(asked(settings_for(database), where, None if reference is None else read_reference(reference)))
        commands.show(found, agreement_table, as_json=as_json or not results().is_terminal)

    own = [one for one in inspect.signature(report).parameters.values() if one.kind is one.KEYWORD_ONLY]
    parameters = [*own, *(option.parameter for option in ASKED)]
    report.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    group.command("report", help="How good the labels are, by people's or a reference's; by default of all times.")(
        report
    )
    cli.add_typer(group, name="judge")


def _judge() -> None:
    """Look at the labels that were given automatically."""


async def asked(settings: Settings, where: dict[str, Any], reference: dict[str, Label] | None) -> Any:
    """Ask this database's service. Any: the endpoint's JSON, and options as Typer makes them."""
    async with service.reached_service(settings) as client:
        return (await service.answer(client, PATH, where, reference)).json()


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
