"""How fast a model judges, and what that takes from ingest: `python bench/judging.py`.

The model is `answering.py`: it thinks for 200 ms and takes next to nothing of the machine. What is measured is how near
the evaluator comes to what its calls in flight allow; how much slower ingest is while it works, in the same server, by
turns; and what is left of 2,000 interactions where three calls of ten fail and the evaluator is killed three times.
"""

import argparse
import json
import os
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from answering import THINKING_S, label
from run import BIN, HERE, load, running

IN_FLIGHT = 50
INTERACTIONS = 2_000
PATIENCE_S = 600
FAR = 4_000_000_000_000
TAKEN = """
SELECT (SELECT max(evaluated_at) FROM voice_evaluations) - (SELECT min(called_at) FROM judge_calls)
"""
OPEN = "SELECT count(*) FROM evaluation_queue WHERE failed_at IS NULL"
LABELLED = "SELECT count(*) FROM voice_evaluations"
# Rows of the backlog that nobody has claimed.
DUE = """
UPDATE evaluation_queue SET due_at = ? WHERE query_id IN (
    SELECT query_id FROM evaluation_queue WHERE query_id LIKE 'open-%' AND lease IS NULL LIMIT ?
)
"""

Row = tuple[str, str]


def main() -> None:
    """Measure, print a table, and fail where something was lost or is wrong."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=int, default=10, help="how long each load of ingest lasts")
    parser.add_argument(
        "--pairs", type=int, default=5, help="how often ingest is loaded with and without the evaluator"
    )
    parser.add_argument("--runs", type=int, default=3, help="how often the speed is measured")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="aura-judging-") as folder, model(folder) as url:
        rows = [("load of the machine before", f"{os.getloadavg()[0]:.1f}"), *speed(Path(folder), url, given.runs)]
        if shutil.which("wrk"):
            os.environ["QUERIES"] = "1"  # to `load.lua`
            for apart in (False, True):
                rows += ingest(Path(folder), url, given.seconds, given.pairs, apart=apart)
        else:
            rows.append(("ingest", "not measured: wrk is needed for the load"))
        found, wrong = under_fire(Path(folder), url)
    table = Table(title=f"A model that thinks for {THINKING_S * 1000:.0f} ms", title_justify="left", show_header=False)
    for row in (*rows, *found):
        table.add_row(*row)
    Console(width=None if sys.stdout.isatty() else 120).print(table)
    if wrong:
        sys.exit("\n".join(wrong))


@contextmanager
def model(folder: str) -> Iterator[str]:
    """Run the model; give its address."""
    with running([sys.executable, str(HERE / "answering.py")], folder) as url:
        yield url


def settings(url: str, database: Path, **more: str) -> dict[str, str]:
    """Give the environment of an evaluator."""
    ours = {
        "AURA_DATABASE_URL": f"sqlite:///{database}",
        "GEMINI_API_KEY": "k",
        "EVAL_BASE_URL": url,
        "EVAL_CONCURRENCY": str(IN_FLIGHT),
        "EVAL_INTERVAL_SECONDS": "0.2",
        "LOG_LEVEL": "warning",
    }
    return {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ} | ours | more


def filled(folder: Path, name: str, number: int) -> Path:
    """Make a database of so many interactions that no rule settles."""
    database, file = folder / f"{name}.db", folder / f"{name}.ndjson"
    with file.open("w") as out:
        for n in range(number):
            asked = f"do you have number {n} in red"
            query = {"event_type": "voice_query", "query_id": f"open-{n}", "store_id": "shop", "query_text": asked}
            session = {"session_id": f"s{n // 4}", "transcription_confidence": 0.9}
            outcome = {"event_type": "voice_outcome", "query_id": f"open-{n}", "answer_text": "Yes, we have."}
            out.write(json.dumps(query | session) + "\n" + json.dumps(outcome) + "\n")
    command = [BIN / "aura-analytics", "ingest", file, "--database", f"sqlite:///{database}"]
    subprocess.run(command, check=True, capture_output=True, cwd=folder)
    return database


def value(database: Path, sql: str) -> Any:  # Any: a cell
    """Ask for one value."""
    with closing(sqlite3.connect(database, timeout=60)) as connection:
        return connection.execute(sql).fetchone()[0]


def speed(folder: Path, url: str, runs: int) -> list[Row]:
    """Judge everything in one go, some times; give the rate and its part of what is possible."""
    parts, seconds = [], []
    for number in range(runs):
        database = filled(folder, f"speed-{number}", INTERACTIONS)
        command = [BIN / "aura-analytics", "evaluate"]
        before = os.times()
        subprocess.run(command, check=True, capture_output=True, cwd=folder, env=settings(url, database))
        after = os.times()
        taken_s = value(database, TAKEN) / 1000
        parts.append(INTERACTIONS * THINKING_S / IN_FLIGHT / taken_s)
        spent = after.children_user + after.children_system - before.children_user - before.children_system
        seconds.append(spent / INTERACTIONS)
    ideal = IN_FLIGHT / THINKING_S
    part = statistics.median(parts)
    return [
        (f"{INTERACTIONS:,} judged, {IN_FLIGHT} in flight", f"{part * ideal:,.0f}/s, {part:.0%} of {ideal:,.0f}/s"),
        ("  each of the runs", ", ".join(f"{one:.0%}" for one in parts)),
        ("  CPU of the command for each, its start included", f"{statistics.median(seconds) * 1000:.1f} ms"),
    ]


def ingest(folder: Path, url: str, seconds: int, pairs: int, *, apart: bool) -> list[Row]:
    """Load one server with and without work for the evaluator, by turns; give the medians, and that of the ratios.

    The evaluator is the server's own, or a process apart.
    """
    backlog = round(1.2 * seconds * IN_FLIGHT / THINKING_S)
    database = filled(folder, f"ingest-{apart}", backlog * pairs)
    due(database, FAR, backlog * pairs)
    without, with_it, judged = [], [], []
    # The load is of queries alone, and those wait for their outcome: nothing of it is due.
    given = settings(url, database, EVAL_GRACE_SECONDS="600000", AURA_EVALUATE="off" if apart else "on")
    with ExitStack() as stack:
        server = stack.enter_context(running([*under(given), "serve", "--port"], str(folder)))
        if apart:
            stack.enter_context(evaluating(folder, given))
        load(server, 1, seconds)  # everything is warm then
        for pair in range(pairs):
            for works in (False, True) if pair % 2 else (True, False):
                before = value(database, LABELLED)
                due(database, 0, backlog if works else 0)
                result = load(server, 1, seconds)
                (with_it if works else without).append(result["requests"] / result["seconds"])
                if works:
                    judged.append((value(database, LABELLED) - before) / result["seconds"])
                    due(database, FAR, backlog * pairs)
                until(database, "SELECT count(*) FROM evaluation_queue WHERE lease IS NOT NULL", 0)
    ratio = statistics.median(one / other for one, other in zip(with_it, without, strict=True))
    where = "a process of its own" if apart else "the server"
    return [
        (f"events/s, the evaluator in {where} idle", f"{statistics.median(without):,.0f}"),
        ("  while it works", f"{statistics.median(with_it):,.0f}, {ratio - 1:+.1%} (median of pairs)"),
        ("  each of the pairs", ", ".join(f"{a / b - 1:+.1%}" for a, b in zip(with_it, without, strict=True))),
        ("  judged meanwhile", f"{statistics.median(judged):,.0f}/s"),
    ]


def under(given: dict[str, str]) -> list[str]:
    """Give the beginning of a command under these settings."""
    return ["env", *(f"{name}={said}" for name, said in given.items()), str(BIN / "aura-analytics")]


@contextmanager
def evaluating(folder: Path, given: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """Run an evaluator; it is killed at the end."""
    command = [BIN / "aura-analytics", "evaluate", "--watch"]
    process = subprocess.Popen(command, cwd=folder, env=given, stderr=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def due(database: Path, moment: int, number: int) -> None:
    """Say when so many of the backlog are due."""
    with closing(sqlite3.connect(database, timeout=60, isolation_level=None)) as connection:
        connection.execute(DUE, (moment, number))


def under_fire(folder: Path, url: str) -> tuple[list[Row], list[str]]:
    """Let three calls of ten fail and kill the evaluator three times; give what came of it, and what is wrong."""
    database = filled(folder, "fire", INTERACTIONS)
    urllib.request.urlopen(f"{url}/faults/0.3", data=b"").close()
    given = settings(url, database, EVAL_LEASE_SECONDS="5", EVAL_RETRY_SECONDS="1", EVAL_MAX_ATTEMPTS="10")
    started = time.monotonic()
    for share in (1, 2, 3):
        with evaluating(folder, given):
            until(database, f"SELECT count(*) >= {share * INTERACTIONS // 4} FROM voice_evaluations", 1)
    with evaluating(folder, given):
        until(database, OPEN, 0)
    taken_s = time.monotonic() - started
    urllib.request.urlopen(f"{url}/faults/0", data=b"").close()
    with closing(sqlite3.connect(database)) as connection:
        labels = dict(connection.execute("SELECT query_id, label FROM voice_evaluations").fetchall())
        failed = dict(connection.execute("SELECT query_id, last_error FROM evaluation_queue").fetchall())
        [(calls,)] = connection.execute("SELECT count(*) FROM judge_calls").fetchall()
        [(twice,)] = connection.execute("SELECT count(*) FROM voice_evaluation_history").fetchall()
    wrong = [
        f"open-{n} is {labels[f'open-{n}']}"
        for n in range(INTERACTIONS)
        if labels.get(f"open-{n}", label(n)) != label(n)
    ]
    lost = INTERACTIONS - len(labels.keys() | failed.keys())
    wrong += [f"{lost} are lost"] if lost else []
    wrong += [f"{twice} were labelled twice"] if twice else []
    wrong += [f"{id} failed without a cause" for id, cause in failed.items() if not cause]
    told = f"{len(labels):,} labelled, {len(failed)} failed with their cause, {lost} lost, {twice} twice, {len(wrong)} wrong"
    return [
        (f"{INTERACTIONS:,}, 30 % of the calls fail, 3 kills", f"{told}; {taken_s:.0f} s, {calls:,} requests")
    ], wrong


def until(database: Path, sql: str, wanted: int) -> None:
    """Wait until the database says so."""
    deadline = time.monotonic() + PATIENCE_S
    while value(database, sql) != wanted:
        if time.monotonic() > deadline:
            sys.exit(f"{sql} isn't {wanted} within {PATIENCE_S} s")
        time.sleep(0.1)


if __name__ == "__main__":
    main()
