"""Keeps the facts of the documents true: settings, endpoints, commands, terminal sessions, each from the thing itself.

    python scripts/documents.py            write them
    python scripts/documents.py --check    say which are out of date, and exit with 1

The session with recorded interactions needs the files that `--data` names; without them that part is left as it is.
"""

import argparse
import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
from typer.main import get_command

from aura_analytics.cli import cli
from aura_analytics.errors import AuraError
from aura_analytics.settings import describe

ROOT = Path(__file__).parents[1]
COMMAND = Path(sys.executable).parent / "aura-analytics"
RECORDINGS = ROOT.parent / "shared" / "data" / "slurp.events.ndjson.gz"
# What a terminal of a hundred columns that knows no colours shows.
TERMINAL = {"TTY_COMPATIBLE": "1", "TERM": "dumb", "COLUMNS": "100", "LINES": "50"}

# Where each section stands.
PLACES = {
    "demo": "README.md",
    "settings": "docs/settings.md",
    "endpoints": "docs/api.md",
    "filters": "docs/api.md",
    "problems": "docs/api.md",
    "commands": "docs/command-line.md",
    "recordings": "docs/command-line.md",
}

# The endpoints as OpenAPI describes them. Any: its own objects.
Paths = dict[str, dict[str, Any]]


def main() -> None:
    """Write or check every section."""
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--check", action="store_true")
    arguments.add_argument("--data", type=Path, default=RECORDINGS, help="recorded interactions")
    given = arguments.parse_args()
    paths = described()
    sections: dict[str, Callable[[], str]] = {
        "settings": settings,
        "demo": demo,
        "endpoints": lambda: endpoints(paths),
        "filters": lambda: filters(paths),
        "problems": problems,
        "commands": commands,
    }
    if given.data.exists():
        sections["recordings"] = lambda: recordings(given.data)
    stale = [name for name, make in sections.items() if renewed(name, make(), write=not given.check)]
    if given.check and stale:
        sys.exit(f"out of date: {', '.join(f'{name} in {PLACES[name]}' for name in stale)}; run python {sys.argv[0]}")


def renewed(name: str, made: str, *, write: bool) -> bool:
    """Say whether a section is out of date, and bring it up to date if wanted."""
    path = ROOT / PLACES[name]
    text = path.read_text("utf-8")
    section = f"<!-- begin: {name} -->\n{made}\n<!-- end: {name} -->"
    found = re.search(rf"<!-- begin: {name} -->.*?<!-- end: {name} -->", text, re.DOTALL)
    if found is None:
        sys.exit(f"{PLACES[name]} has no section {name}")
    if write:
        path.write_text(text.replace(found[0], section), "utf-8")
    return found[0] != section


def settings() -> str:
    """Make the table of settings."""
    rows = ["| setting | default | takes | what it is |", "| --- | --- | --- | --- |"]
    rows += [
        f"| `{one.name}` | {f'`{one.default}`' if one.default else ''} | {one.takes} | {one.description} |"
        for one in describe()
    ]
    return "\n".join(rows)


def demo() -> str:
    """Run the demonstration and show what it prints, but for the parts that tell the time of day."""
    with tempfile.TemporaryDirectory() as folder, started(["demo", "--port", "0"], folder) as process:
        lines = []
        for line in process.stdout:
            if line.startswith("What they didn't get"):
                break
            lines.append(line.rstrip())
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
    printed = re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1:8787", "\n".join(lines).rstrip())
    return f"```console\n$ make demo\n{printed}\n…\n```"


def described() -> Paths:
    """Ask a service for its own description of its endpoints."""
    with tempfile.TemporaryDirectory() as folder, started(["serve", "--port", "0"], folder, log=True) as process:
        url = next(
            found[1] for line in process.stderr if (found := re.search(r'"url":"([^"]+)","event":"serving"', line))
        )
        paths: Paths = httpx.get(f"{url}/openapi.json", trust_env=False).raise_for_status().json()["paths"]
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)
    return paths


def endpoints(paths: Paths) -> str:
    """Make the table of endpoints; what all that count interactions take is named once, by `filters`."""
    rows = ["| endpoint | what it answers | parameters |", "| --- | --- | --- |"]
    shared = set(common(paths))
    for path, methods in paths.items():
        for method, one in methods.items():
            if one["tags"] != ["page"]:
                shown = taken(list(asked(one)), shared)
                rows.append(f"| `{method.upper()} {path}` | {one['summary']} | {', '.join(shown)} |")
    return "\n".join(rows)


def asked(operation: dict[str, Any]) -> dict[str, str]:
    """Give the parameters of a query string, with their descriptions. Any: OpenAPI's own objects."""
    return {one["name"]: one["description"] for one in operation["parameters"] if one["in"] == "query"}


def taken(names: list[str], shared: set[str]) -> list[str]:
    """Name what an endpoint takes; what all take isn't named one by one, but where a few of it are left out."""
    lacking = [f"`{name}`" for name in sorted(shared - set(names))]
    if len(lacking) > len(shared) // 4:
        return [f"`{name}`" for name in names]
    own = [f"`{name}`" for name in names if name not in shared]
    return ["filters" + (f" but {' and '.join(lacking)}" if lacking else ""), *own]


def filters(paths: Paths) -> str:
    """Make the table of what all endpoints that count interactions take."""
    rows = ["| filter | what it takes |", "| --- | --- |"]
    rows += [f"| `{name}` | {text} |" for name, text in common(paths).items()]
    return "\n".join(rows)


def common(paths: Paths) -> dict[str, str]:
    """Give what most endpoints with a period take, but for the form of the answer, with their descriptions."""
    counting = [found for methods in paths.values() for one in methods.values() if "period" in (found := asked(one))]
    first, most = counting[0], len(counting) * 3 // 4
    return {name: first[name] for name in first if name != "format" and sum(name in one for one in counting) >= most}


def recordings(path: Path) -> str:
    """Take in recorded interactions and show every statistic of them."""
    shown = f"../shared/data/{path.name}"
    session = []
    with tempfile.TemporaryDirectory() as folder:
        for arguments in (
            ["ingest", shown],
            ["ingest", shown],
            ["stats", "summary", "--period", "all"],
            ["stats", "top-queries", "--period", "all", "--limit", "5"],
            ["stats", "unanswered", "--period", "all", "--limit", "5"],
            ["stats", "timeseries", "--period", "all", "--step", "month", "--metric", "queries", "--split", "store"],
            ["insights", "causes", "--period", "all", "--examples", "0"],
        ):
            real = [str(path) if argument == shown else argument for argument in arguments]
            output = subprocess.run(
                [COMMAND, *real], cwd=folder, env=environment() | TERMINAL, check=True, capture_output=True, text=True
            ).stdout
            printed = "\n".join(line.rstrip() for line in output.splitlines()).strip("\n")
            session.append(f"$ aura-analytics {' '.join(arguments)}\n{printed}")
    return "```console\n" + "\n".join(session) + "\n```"


def problems() -> str:
    """Make the table of what an answer can say instead of an answer."""
    rows = ["| status | `code` | what it means |", "| --- | --- | --- |"]
    rows += sorted(f"| {one.status} | `{one.code}` | {one.title} |" for one in told(AuraError))
    return "\n".join(rows)


def told(error: type[AuraError]) -> Iterator[type[AuraError]]:
    """Go through the tree of errors, but for those that stay inside."""
    if error.code != AuraError.code or error is AuraError:
        yield error
    for kind in error.__subclasses__():
        yield from told(kind)


def commands() -> str:
    """Make the table of commands, as each says itself what it does."""
    rows = ["| command | what it does |", "| --- | --- |"]
    rows += [f"| `aura-analytics {name}` | {text} |" for name, text in named(get_command(cli))]
    return "\n".join(rows)


def named(group: Any, before: str = "") -> Iterator[tuple[str, str]]:
    """Go through all commands and their own. Any: Typer's groups, which tell no type."""
    for name, one in group.commands.items():
        if hasattr(one, "commands"):
            if one.invoke_without_command:
                yield f"{before}{name}", one.help
            yield from named(one, f"{before}{name} ")
        elif not one.hidden:
            yield f"{before}{name}", re.split(r"(?<=\.) ", " ".join(one.help.split()))[0]


@contextmanager
def started(arguments: list[str], folder: str, *, log: bool = False) -> Iterator[Any]:
    """Run a command in an empty folder until the block ends. Any: a Popen of texts with both its streams."""
    process = subprocess.Popen(
        [COMMAND, *arguments],
        cwd=folder,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE if log else subprocess.DEVNULL,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def environment() -> dict[str, str]:
    """Give an environment without settings of the person who runs this."""
    names = {one.name for one in describe()}
    return {name: value for name, value in os.environ.items() if name not in names} | {"PYTHONUNBUFFERED": "1"}


if __name__ == "__main__":
    main()
