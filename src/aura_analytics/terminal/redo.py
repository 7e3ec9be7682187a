"""Labelling anew: which interactions, as options, and making them due again."""

from collections.abc import Mapping
from typing import Any

import msgspec
import typer

from aura_analytics.clock import now
from aura_analytics.opening import opened_store
from aura_analytics.settings import Settings
from aura_analytics.store.judging import Choice
from aura_analytics.store.keys import AuditEntry
from aura_analytics.terminal.actor import actor
from aura_analytics.terminal.choices import CHOICE, chosen
from aura_analytics.terminal.options import Option

PANEL = "With --redo"
ALL = Option(name="all", help="All that a machine has labelled, or nobody.", kind=bool, panel=PANEL)
OPTIONS = (*(msgspec.structs.replace(option, panel=PANEL) for option in CHOICE), ALL)


def read_choice(where: Mapping[str, Any]) -> Choice:  # Any: options as Typer makes them
    """Read which interactions are to be labelled anew.

    Raises:
        ParameterError: a value can't be read.
        typer.BadParameter: nothing says which, or something besides all.
    """
    if ALL.name in where and len(where) > 1:
        raise typer.BadParameter("--all goes without any other choice")
    choice = chosen({name: value for name, value in where.items() if name != ALL.name}, now=now())
    if choice == Choice() and ALL.name not in where:
        raise typer.BadParameter("--redo takes a choice, such as --store or --period; or --all")
    return choice


async def requeue(settings: Settings, choice: Choice) -> int:
    """Make interactions due again, and note it; tell how many. What a person labelled stays as it is."""
    moment = now()
    async with opened_store(settings) as store:
        count = await store.requeue(choice, now=moment)
        which = {name: value for name, value in msgspec.structs.asdict(choice).items() if value is not None}
        told = {"interactions": count, "choice": which}
        entry = AuditEntry(at=moment, actor=actor(), action="interactions.requeued", subject="", details=told)
        await store.keys.note(entry)
        return count
