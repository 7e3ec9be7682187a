"""`aura-analytics doctor`: whether all is well, a line for each thing that was looked at, and what to do about it."""

import json
import sys
from typing import Annotated

import httpx
import msgspec
import typer
from rich.text import Text

from aura_analytics.doctor.course import checked
from aura_analytics.doctor.finding import Finding, exit_code, fail
from aura_analytics.errors import SettingsError
from aura_analytics.logs import plain
from aura_analytics.settings import Settings
from aura_analytics.terminal import service
from aura_analytics.terminal.reading import Database
from aura_analytics.terminal.running import run, settings_for
from aura_analytics.terminal.screen import results

STYLES = {"ok": "green", "skipped": "dim", "warning": "yellow", "fail": "red"}


def doctor(
    *,
    database: Database = None,
    url: Annotated[
        str | None, typer.Option(help="The server; by default this database's, or the one at HOST and PORT.")
    ] = None,
    asks: Annotated[bool, typer.Option("--judge/--no-judge", help="Whether the judge's model is asked once.")] = True,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Look whether all is well; nothing is changed. Ends with 0: yes, 1: with warnings, 2: something doesn't work."""
    try:
        found = run(look(settings_for(database, log_level="error"), url, asks=asks, as_json=as_json))
    except SettingsError as error:
        advice = "the table of settings in the README says what each takes"
        found = [fail("settings", str(error), advice)]
        if not as_json:
            _print(found[0])
    if as_json:
        code = exit_code(found)
        told = {"exitCode": code, "checks": [msgspec.to_builtins(finding) for finding in found]}
        sys.stdout.write(json.dumps(told, indent=2) + "\n")
    raise typer.Exit(exit_code(found))


async def look(settings: Settings, url: str | None, *, asks: bool, as_json: bool) -> list[Finding]:
    """Make all checks, and print each as it is made."""
    found = []
    async for finding in checked(settings, url or await _serving(settings), asks_judge=asks):
        found.append(finding)
        if not as_json:
            _print(finding)
    return found


async def _serving(settings: Settings) -> str | None:
    """Give where a server answers on this machine, if one does."""
    if (noted := await service.serving_at(settings)) is not None:
        return noted
    own = service.own_address(settings)
    try:
        async with httpx.AsyncClient(base_url=own, timeout=service.HEALTH_S, trust_env=False) as client:
            await client.get("/health")
    except (httpx.HTTPError, httpx.InvalidURL):
        return None
    return own


def _print(finding: Finding) -> None:
    text = Text(f"{finding.state:<8} ", style=STYLES[finding.state])
    text.append(plain(finding.name), style="bold")
    text.append(f": {plain(finding.seen)}")
    results().print(text, soft_wrap=True)
    if finding.advice:
        results().print(Text(f"{'':<8} → {plain(finding.advice)}", style="dim"), soft_wrap=True)
