"""The commands about alerts: what is watched, how it stands, what was said, and whether it is heard."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any

import typer
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from aura_analytics.logs import plain
from aura_analytics.settings import Settings
from aura_analytics.terminal import commands, service
from aura_analytics.terminal.reading import HELP_JSON, Database
from aura_analytics.terminal.running import run, settings_for
from aura_analytics.terminal.screen import notes, results

ALERTS, TEST = "/alerts", "/alerts/test"
STYLES = {"raised": "red", "pending": "yellow", "failed": "red", "waiting": "yellow"}

AsJson = Annotated[bool, typer.Option("--json", help=HELP_JSON)]
# Any, throughout: the endpoint's JSON.
Row = dict[str, Any]


def add_to(cli: typer.Typer) -> None:
    """Add the commands to the command line."""
    group = typer.Typer(help="Look at what is watched, and at who is told.", no_args_is_help=True)
    for name, command in (("list", _list), ("check", _check), ("log", _log), ("test", _test)):
        group.command(name)(command)
    cli.add_typer(group, name="alerts")


def _list(*, database: Database = None, as_json: AsJson = False) -> None:
    """List what is watched, and how it stood when a server looked last."""
    found = run(commands.ask(settings_for(database), ALERTS, {}))
    if not found["watched"]:
        notes().print("no server with these settings watches: ALERTS or WEBHOOK_URLS begins it", markup=False)
    _show(found["alerts"], standing_table, as_json=as_json)


def _check(*, database: Database = None, as_json: AsJson = False) -> None:
    """Measure each now; nobody is told, and no state changes. Ends with 1 where one is above its threshold."""
    found = run(commands.ask(settings_for(database), ALERTS, {"measure": "true"}))["alerts"]
    _show(found, measured_table, as_json=as_json)
    if any(is_above(row) for row in found):
        raise typer.Exit(1)


def _log(*, database: Database = None, as_json: AsJson = False) -> None:
    """List what was said, the latest first."""
    _show(run(commands.ask(settings_for(database), ALERTS, {}))["messages"], said_table, as_json=as_json)


def _test(*, database: Database = None, as_json: AsJson = False) -> None:
    """Tell everybody, as a test. Ends with 1 where somebody doesn't hear it."""
    settings = settings_for(database)
    found = run(tested(settings))
    if not found:
        notes().print("nobody is told: WEBHOOK_URLS takes the addresses", markup=False)
    _show(found, said_table, as_json=as_json)
    if not found or any(row["outcome"] != "delivered" for row in found):
        raise typer.Exit(1)


async def tested(settings: Settings) -> list[Row]:
    """Have everybody told."""
    async with service.reached_service(settings) as client:
        found: list[Row] = (await service.answer(client, TEST, {}, {})).json()
        return found


def is_above(row: Row) -> bool:
    """Whether what was measured is above its threshold."""
    return row["heldAgainst"] is not None and bool(row["heldAgainst"] > row["above"])


def _show(found: list[Row], table: Any, *, as_json: bool) -> None:
    commands.show(found, table, as_json=as_json or not results().is_terminal)


def standing_table(rows: list[Row]) -> RenderableType:
    """Show how each stands."""
    lines = [
        (row["name"], row["state"], _moment(row["since"]), row["metric"], row["value"], row["above"], row["store"])
        for row in rows
    ]
    return _table(("alert", "state", "since", "metric", "value", "above", "store"), lines)


def measured_table(rows: list[Row]) -> RenderableType:
    """Show what was measured."""
    lines = [
        (
            row["name"],
            "above" if is_above(row) else "calm",
            row["metric"],
            row["value"],
            row["heldAgainst"],
            row["above"],
            row["interactions"],
        )
        for row in rows
    ]
    return _table(("alert", "now", "metric", "value", "held against", "above", "of"), lines)


def said_table(rows: list[Row]) -> RenderableType:
    """Show what was said."""
    lines = [
        (_moment(row["madeAt"]), row["kind"], row["name"], row["host"], row["outcome"], row["attempts"], row["error"])
        for row in rows
    ]
    return _table(("when", "what", "alert", "to", "outcome", "tries", "error"), lines)


def _table(heads: tuple[str, ...], lines: Sequence[tuple[object, ...]]) -> Table:
    table = Table(*heads, box=None, header_style="bold", pad_edge=False)
    for line in lines:
        table.add_row(*(Text(_cell(cell), style=STYLES.get(str(cell), "")) for cell in line))
    return table


def _cell(cell: object) -> str:
    if cell is None:
        return "–"
    return f"{cell:,.4g}" if isinstance(cell, float) else plain(str(cell))


def _moment(milliseconds: int | None) -> str | None:
    if milliseconds is None:
        return None
    return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat(" ", "seconds").removesuffix("+00:00")
