"""The reading commands: each endpoint that answers with numbers has one of its name."""

import inspect
from collections.abc import Callable
from typing import Annotated, Any

import msgspec
import typer
from rich.console import RenderableType

from aura_analytics.terminal import commands, figures, insights, interaction, options, series, service, tables
from aura_analytics.terminal.options import Option
from aura_analytics.terminal.running import run, settings_for
from aura_analytics.terminal.screen import results

# Any: the endpoint's JSON.
Show = Callable[[Any], RenderableType]

HELP_DATABASE = "The row database; AURA_DATABASE_URL by default."
HELP_JSON = "Print JSON; so does a pipe."

Database = Annotated[str | None, typer.Option("--database", metavar="URL", help=HELP_DATABASE)]


class Reading(msgspec.Struct, frozen=True):
    """One endpoint as a command: its path, what it answers, how that looks, and the options besides the scope's."""

    path: str
    help: str
    show: Show
    own: tuple[Option, ...] = ()

    @property
    def name(self) -> str:
        """The command's name: the path's last part."""
        return self.path.rsplit("/", 1)[1]


STATISTICS = (
    Reading("/stats/summary", "How the assistant is doing.", figures.summary_table, (options.COMPARE,)),
    Reading(
        "/stats/top-queries",
        "What shoppers say most.",
        tables.top_queries_table,
        (options.LIMIT, options.NORMALIZE),
    ),
    Reading(
        "/stats/unanswered",
        "What they didn't get, and why.",
        tables.unanswered_table,
        (options.LIMIT, options.NORMALIZE),
    ),
    Reading("/stats/hourly", "Hour by hour.", tables.hourly_table, (options.LIMIT, options.TZ)),
    Reading(
        "/stats/timeseries",
        "Metrics over time, without gaps.",
        series.timeseries_table,
        (options.METRIC, options.STEP, options.TZ, options.SPLIT, options.TOP, options.COMPARE),
    ),
    Reading("/stats/latency", "How long answers took.", figures.latency_table, (options.BUCKETS, options.COMPARE)),
    Reading("/stats/intents", "How each intent fares.", tables.intents_table, (options.LIMIT, options.COMPARE)),
    Reading("/stats/models", "How each model fares.", tables.models_table, (options.LIMIT, options.COMPARE)),
    Reading("/stats/stores", "How each store fares.", tables.stores_table, (options.LIMIT, options.COMPARE)),
    Reading(
        "/stats/quality",
        "How good the answers were, and why.",
        figures.quality_table,
        (options.STEP, options.TZ),
    ),
    Reading("/stats/sessions", "How sessions went.", figures.sessions_table, (options.COMPARE,)),
    Reading("/stats/conversions", "What was bought, and after which queries.", figures.conversions_table),
    Reading("/stats/dataset", "Labelled interactions; GOOD ones by default.", tables.dataset_table, (options.LIMIT,)),
)
INSIGHTS = (
    Reading(
        "/insights/rephrasings",
        "What shoppers had to say again.",
        insights.rephrasings_table,
        (options.LIMIT, options.WHICH_PAIRS, options.MIN_QUERIES),
    ),
    Reading(
        "/insights/causes",
        "Where interactions broke.",
        insights.causes_table,
        (options.SPLIT, options.STEP, options.TZ, options.HOW_MANY, options.LIMIT),
    ),
    Reading(
        "/insights/demand",
        "What shoppers asked for in vain, by topic; needs the extra `topics`.",
        insights.demand_table,
        (options.LIMIT,),
    ),
    Reading("/insights/key-terms", "Words for the recogniser to expect.", insights.key_terms_table, (options.LIMIT,)),
    Reading("/insights/synonyms", "Words that may mean another.", insights.synonyms_table, (options.LIMIT,)),
)
PAGES = Reading(
    "/interactions",
    "Single interactions, newest first.",
    tables.interactions_table,
    (options.SORT, options.ORDER, options.LIMIT, options.CURSOR),
)


def add_to(cli: typer.Typer) -> None:
    """Add the reading commands to the command line."""
    stats = typer.Typer(help="Print a statistic.", no_args_is_help=True)
    for reading in STATISTICS:
        _add(stats, reading)
    mending = typer.Typer(help="Print what is to be mended.", no_args_is_help=True)
    for reading in INSIGHTS:
        _add(mending, reading)
    cli.add_typer(stats, name="stats")
    cli.add_typer(mending, name="insights")
    _add(cli, PAGES)
    cli.command("interaction", help="One interaction, whole.")(_one_interaction)


def _add(group: typer.Typer, reading: Reading) -> None:
    """Make a command of an endpoint; Typer reads its options off the function's signature."""
    asked = (*options.SCOPE, *reading.own)

    def command(**values: Any) -> None:  # Any: what Typer makes of the options
        _answer(reading, values, options.given(asked, values))

    forms = [_flag("as_json", "--json", HELP_JSON), _flag("as_csv", "--csv", "Print CSV.")]
    parameters = [_database(), *(option.parameter for option in asked), *forms]
    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    group.command(reading.name, help=reading.help)(command)


def _answer(reading: Reading, values: dict[str, Any], parameters: dict[str, Any]) -> None:
    settings = settings_for(values["database"])
    if values["as_csv"]:
        commands.show_csv(run(commands.ask_for_csv(settings, reading.path, parameters)))
        return
    answer = run(commands.ask(settings, reading.path, parameters))
    commands.show(answer, reading.show, as_json=values["as_json"] or not results().is_terminal)


def _one_interaction(
    query_id: Annotated[str, typer.Argument(metavar="ID", help="The interaction's query_id.")],
    database: Database = None,
    as_json: Annotated[bool, typer.Option("--json", help=HELP_JSON)] = False,  # noqa: FBT002 (Typer's own)
) -> None:
    answer = run(commands.ask(settings_for(database), service.path_of("/interactions", query_id), {}))
    commands.show(answer, interaction.interaction_table, as_json=as_json or not results().is_terminal)


def _database() -> inspect.Parameter:
    option = typer.Option(None, "--database", metavar="URL", help=HELP_DATABASE)
    return inspect.Parameter("database", inspect.Parameter.KEYWORD_ONLY, default=option, annotation=str | None)


def _flag(key: str, name: str, text: str) -> inspect.Parameter:
    option = typer.Option(False, name, help=text, rich_help_panel=options.HOW)  # noqa: FBT003 (Typer's own)
    return inspect.Parameter(key, inspect.Parameter.KEYWORD_ONLY, default=option, annotation=bool)
