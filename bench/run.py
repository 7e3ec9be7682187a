"""What this machine holds: events a second over HTTP, beside the same run's limits. `make bench`.

The load comes from `wrk` (Debian: apt-get install wrk) over loopback, on the last core; the service has the others.
"""

import argparse
import json
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from rich.console import Console
from rich.table import Table

HERE = Path(__file__).parent
BIN = Path(sys.executable).parent
CONNECTIONS = 32
BATCH = 100
ROWS = 200_000
GROUP = 1_000


def main() -> None:
    """Measure, and print a table."""
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--seconds", type=int, default=10, help="how long each load lasts")
    seconds = arguments.parse_args().seconds
    if shutil.which("wrk") is None:
        sys.exit("wrk is needed for the load: apt-get install wrk")
    with tempfile.TemporaryDirectory() as folder:
        rows = executemany_limit(Path(folder) / "limit.db")
        os.sync()  # what the limit left to be written would be waited for by the first who flushes
        with running([sys.executable, str(HERE / "echo.py")], folder) as url:
            echo = {size: load(url, size, seconds) for size in (1, BATCH)}
        single, single_lag = served(folder, 1, seconds)
        batched, batched_lag = served(folder, BATCH, seconds)
    table = Table(title=f"{CONNECTIONS} connections, {seconds} s each", title_justify="left")
    for column in ("", "events/s", "of the limit", "p50", "p99", "statistics behind by"):
        table.add_column(column, justify="left" if not column else "right")
    for name, result, size, lag in (
        ("one event a request", single, 1, single_lag),
        (f"{BATCH} events a request", batched, BATCH, batched_lag),
    ):
        limit = echo[size]["requests"] / echo[size]["seconds"] * size
        rate = result["requests"] / result["seconds"] * size
        table.add_row(
            name,
            f"{rate:,.0f}",
            f"{rate / limit:.0%} of echo, {rate / rows:.0%} of executemany",
            f"{result['p50_ms']:.1f} ms",
            f"{result['p99_ms']:.1f} ms",
            f"{lag * 1000:.0f} ms",
        )
        table.add_row(f"  echo route, {size} a request", f"{limit:,.0f}", "", "", "", "")
    table.add_row("  rows by executemany, no HTTP", f"{rows:,.0f}", "", "", "", "")
    Console(width=None if sys.stdout.isatty() else 120).print(table)
    failed = single["failed"] + batched["failed"]
    if failed:
        sys.exit(f"{failed} requests failed")


def served(folder: str, batch: int, seconds: int) -> tuple[dict[str, float], float]:
    """Load a service on an empty database; give what `load` gives, and how far the statistics were behind."""
    database = f"sqlite:///{folder}/{batch}.db"
    with running([str(BIN / "aura-analytics"), "serve", "--database", database, "--port"], folder) as url:
        return load(url, batch, seconds), catch_up(url)


def executemany_limit(path: Path) -> float:
    """Write queries and outcomes into the same tables by executemany, a flush every thousand; give rows a second."""
    subprocess.run(
        [BIN / "aura-analytics", "migrate", "--database", f"sqlite:///{path}"], check=True, capture_output=True
    )
    query = "INSERT INTO voice_queries (id, store_id, session_id, created_at, query_text, transcription_conf, intent) VALUES (?, ?, ?, ?, ?, ?, ?)"
    outcome = "INSERT INTO voice_outcomes (query_id, answer_text, model_name, latency_ms, cost_usd, action_taken, action_success) VALUES (?, ?, ?, ?, ?, ?, ?)"
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        started = time.perf_counter()
        for start in range(0, ROWS // 2, GROUP // 2):
            numbers = range(start, start + GROUP // 2)
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany(
                query,
                [
                    (
                        f"limit-{n}",
                        f"store-{n % 200}",
                        f"session-{n % 5000}",
                        1_767_348_000_000 + n,
                        "do you have red shoes",
                        0.9,
                        "product_search",
                    )
                    for n in numbers
                ],
            )
            connection.executemany(
                outcome,
                [
                    (
                        f"limit-{n}",
                        "Yes, in red and in blue.",
                        "gemini-2.5-flash-lite",
                        900,
                        0.0002,
                        "PRODUCT_LOOKUP",
                        1,
                    )
                    for n in numbers
                ],
            )
            connection.execute("COMMIT")
        return ROWS / (time.perf_counter() - started)


@contextmanager
def running(command: list[str], folder: str) -> Iterator[str]:
    """Run a server on a free port; give its address."""
    with closing(socket.create_server(("127.0.0.1", 0))) as free:
        port = free.getsockname()[1]
    with Path(folder, "log").open("wb") as log:
        process = subprocess.Popen([*command, str(port)], cwd=folder, stderr=log)
    try:
        wait_for(port)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


def wait_for(port: int) -> None:
    """Wait until it answers."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=10) as answer:
                answer.read()
        except urllib.error.HTTPError:
            return  # the echo route knows no /health, but it answers
        except OSError:
            time.sleep(0.05)
        else:
            return
    sys.exit("the server doesn't start")


def load(url: str, batch: int, seconds: int) -> dict[str, float]:
    """Send events for some seconds; give what `load.lua` reports."""
    return wrk(url, seconds, {"BATCH": str(batch)})


def wrk(url: str, seconds: int, environment: dict[str, str]) -> dict[str, float]:
    """Run `load.lua` under its settings."""
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "-s", str(HERE / "load.lua"), url]
    if shutil.which("taskset") and (os.cpu_count() or 1) > 1:
        command = ["taskset", "-c", str((os.cpu_count() or 1) - 1), *command]
    output = subprocess.run(
        command, check=True, capture_output=True, text=True, cwd=HERE, env=os.environ | environment
    ).stdout
    line = next(line for line in output.splitlines() if line.startswith("RESULT "))
    result: dict[str, float] = json.loads(line.removeprefix("RESULT "))
    return result


def catch_up(url: str) -> float:
    """Ask for a number right after the load; give how long the columns took to hold all of it."""
    started = time.perf_counter()
    with urllib.request.urlopen(f"{url}/stats/summary?period=all") as answer:
        answer.read()
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
