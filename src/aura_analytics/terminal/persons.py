"""The commands about one person, and about what administrators did. They work on the database itself."""

import asyncio
import sys
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer
from rich.console import RenderableType

from aura_analytics.opening import make_persons, opened_store
from aura_analytics.privacy.receipt import Receipt
from aura_analytics.settings import Settings
from aura_analytics.stats import scope as scopes
from aura_analytics.store.keys import AuditEntry
from aura_analytics.terminal import cells, commands
from aura_analytics.terminal.actor import actor
from aura_analytics.terminal.export import opened
from aura_analytics.terminal.reading import HELP_JSON, Database
from aura_analytics.terminal.running import run, settings_for
from aura_analytics.terminal.screen import notes, results
from aura_analytics.terminal.service import serving_at

if TYPE_CHECKING:
    from aura_analytics.projection import Projection

# Any, throughout: what is printed, as JSON has it.
Row = dict[str, Any]
AsJson = Annotated[bool, typer.Option("--json", help=HELP_JSON)]
User = Annotated[str, typer.Option("--user", metavar="ID", help="The `user_id` that their queries have.")]


def add_to(cli: typer.Typer) -> None:
    """Add the commands to the command line."""
    cli.command("forget")(_forget)
    cli.command("export-user")(_export)
    cli.command("audit")(_audit)


def _forget(
    user: User,
    *,
    block: Annotated[bool, typer.Option("--block", help="Take their events in no more.")] = False,
    unblock: Annotated[bool, typer.Option("--unblock", help="Take their events in again; erase nothing.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Don't ask first.")] = False,
    database: Database = None,
    as_json: AsJson = False,
) -> None:
    """Erase all of a person, everywhere, and print a receipt. What was broken off goes on when it is said again."""
    if unblock and block:
        raise typer.BadParameter("--block goes without --unblock")
    settings = settings_for(database)
    if unblock:
        was_blocked = run(allow(settings, user))
        notes().print("taken in again" if was_blocked else "they weren't blocked", markup=False)
        return
    if not yes and sys.stdin.isatty() and not typer.confirm("Erase all of this person? It can't be taken back."):
        raise typer.Exit(1)
    receipt = msgspec.to_builtins(run(forget(settings, user, blocks=block)))
    commands.show(receipt, receipt_table, as_json=as_json or not results().is_terminal)


def _export(
    user: User,
    *,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="A file; by default standard output.")] = None,
    database: Database = None,
) -> None:
    """Write all that is kept of a person: one thing a line, as JSON."""
    count = run(export(settings_for(database), user, output))
    notes().print(f"{count:,} things", markup=False)


def _audit(
    *,
    since: Annotated[str | None, typer.Option(metavar="MOMENT", help="ISO 8601 or epoch ms, included.")] = None,
    action: Annotated[str | None, typer.Option(help="Only this, such as person.forgotten.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="Most entries.")] = 100,
    database: Database = None,
    as_json: AsJson = False,
) -> None:
    """List what administrators did, the latest first."""
    moment = None if since is None else scopes.moment("--since", since)
    found = run(audit(settings_for(database), limit, since=moment, action=action))
    rows = [msgspec.to_builtins(entry) for entry in found]
    commands.show(rows, audit_table, as_json=as_json or not results().is_terminal)


async def forget(settings: Settings, user_id: str, *, blocks: bool) -> Receipt:
    """Erase all of a person; where no server of this machine does, let the columns' file follow meanwhile."""
    async with AsyncExitStack() as stack:
        store = await stack.enter_async_context(opened_store(settings))
        follows = await serving_at(settings) is None
        projection = await stack.enter_async_context(_own_projection(settings)) if follows else None
        receipt = await make_persons(store).forget(user_id, actor=actor(), blocks=blocks)
        if projection is not None:
            await projection.renew()
        return receipt


def _own_projection(settings: Settings) -> "AbstractAsyncContextManager[Projection]":
    # Imported here: DuckDB takes longer to load than what needs no columns.
    from aura_analytics.terminal.alone import own_projection  # noqa: PLC0415

    return own_projection(settings)


async def allow(settings: Settings, user_id: str) -> bool:
    """Take the events of a blocked person in again."""
    async with opened_store(settings) as store:
        return await make_persons(store).allow(user_id, actor=actor())


async def export(settings: Settings, user_id: str, output: Path | None) -> int:
    """Write all that is kept of a person as NDJSON; tell how many things."""
    count = 0
    async with opened_store(settings) as store:
        with opened(output) as target:
            async for record in make_persons(store).known(user_id, actor=actor()):
                await asyncio.to_thread(target.write, msgspec.json.encode(record) + b"\n")
                count += 1
            target.flush()
    return count


async def audit(settings: Settings, limit: int, *, since: int | None, action: str | None) -> list[AuditEntry]:
    """Give what is on record."""
    async with opened_store(settings) as store:
        return await store.keys.audit(limit, since=since, action=action)


def receipt_table(receipt: Row) -> RenderableType:
    """Show a receipt."""
    table = cells.table(f"Erased: {receipt['person']}", "where", "how much")
    counts: Mapping[str, int] = receipt["rows"] | {
        name: count for name, count in receipt["places"].items() if name not in ("rows", "log")
    }
    for name, count in counts.items():
        table.add_row(name, f"{count:,}")
    for left in receipt["remains"]:
        table.add_row("remains", cells.said(left))
    table.add_row("erasure", receipt["id"])
    return table


def audit_table(rows: list[Row]) -> RenderableType:
    """Show what is on record."""
    table = cells.table("Who did what", "when", "who", "what", "to what", "")
    for row in rows:
        details = "" if row["details"] is None else msgspec.json.encode(row["details"]).decode()
        table.add_row(
            cells.moment(row["at"]),
            *(cells.said(row[name]) for name in ("actor", "action", "subject")),
            cells.said(details),
        )
    return table
