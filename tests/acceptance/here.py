"""Commands in this process: for tests that are about what is said, and not about how a process starts and ends."""

import os
from collections.abc import Iterator, Mapping
from contextlib import chdir, contextmanager
from pathlib import Path
from unittest.mock import patch

from typer.testing import CliRunner, Result

from acceptance.service import Service
from aura_analytics import logs
from aura_analytics.cli import cli


def aura_here(*arguments: str | Path, folder: Path, settings: Mapping[str, str] | None = None) -> Result:
    """Run a command to its end, as in a pipe; an error that a process would put into words is the result's."""
    with _alone(folder, settings or {}):
        return CliRunner().invoke(cli, [str(one) for one in arguments], prog_name="aura-analytics")


def said_here(service: Service, *arguments: str | Path) -> bytes:
    """Run a command on a service's database; give what it printed, without a word on the side."""
    settings = {"AURA_DATABASE_URL": service.database_url, **service.settings}
    result = aura_here(*arguments, folder=service.folder, settings=settings)
    assert (result.exit_code, result.stderr) == (0, ""), (result, result.stderr)
    return result.stdout_bytes


@contextmanager
def _alone(folder: Path, settings: Mapping[str, str]) -> Iterator[None]:
    """Have what a process of its own has: its folder and settings. The log is this process's, and stays as it is."""
    environment = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", "COLUMNS": "120", **settings}
    with chdir(folder), patch.dict(os.environ, environment, clear=True), patch.object(logs, "configure"):
        yield
