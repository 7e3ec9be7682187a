"""What every command begins with: its settings, and an event loop for its work."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

import typer
import uvloop

from aura_analytics import logs
from aura_analytics.settings import Settings, load

Result = TypeVar("Result")


def settings_for(database: str | None, *, log_level: str = "warning", **overrides: str | None) -> Settings:
    """Read the settings. Only a server tells of every request by default; a command's result is its output."""
    settings = load(overrides={"AURA_DATABASE_URL": database, **overrides}, defaults={"LOG_LEVEL": log_level})
    logs.configure(settings.log_level, settings.log_format)
    return settings


def run(work: Coroutine[Any, Any, Result]) -> Result:
    """Run one command's work; a second thought (Ctrl-C) ends it quietly."""
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(work)
    except KeyboardInterrupt:
        raise typer.Exit(130) from None
