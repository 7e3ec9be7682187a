"""What the statistics hold: how fast they answer while events come in, how fresh, and beside other engines.

`make bench`, or `python bench/asking.py --interactions 1000000`. A database that exists is taken as it is, and keeps
the events that the load sends. What an endpoint or an engine isn't there for is left out and named.
"""

import argparse
import asyncio
import os
import shutil
import sqlite3
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from aura_analytics.evaluation.hearing import Terms
from aura_analytics.evaluation.rules import default_rules
from aura_analytics.evaluation.worker import Evaluator
from aura_analytics.opening import opened_store
from aura_analytics.settings import load as settings_of
from clients import Asker, children, kept_off_the_last_core, memory_mb, requests_a_second, steady, wait_until_idle
from engines import compare, is_there
from interactions import fill
from questions import DAY_MS, QUESTIONS, Question, Scope, asked, compared, sql_of
from report import Measured, memory_of, report
from rounds import CLIENTS, Point, freshness, put, rotated
from run import BIN, running, served

# What is younger may still get its outcome or its label, and isn't compared.
SETTLED_MS = 300_000
REBUILD_PATIENCE_S = 3_600
MIXED_BATCH = 100
FULL_SPEED_S = 5

Answers = dict[str, dict[str, Any]]  # by a question's name: its times and rows, as an engine gives them


def main() -> None:
    """Measure, print, and fail where a number is wrong."""
    given = arguments()
    if shutil.which("wrk") is None:
        sys.exit("wrk is needed for the load: apt-get install wrk")
    with tempfile.TemporaryDirectory(prefix="aura-bench-") as folder:
        database = filled(given, folder)
        count, scopes = scopes_of(database)
        told(f"{count:,} interactions")
        full = given.full_speed or full_speed(folder)
        engines = others(given, database, folder, scopes)
        with server(database, folder) as (url, rebuild_s):
            told(f"columns whole after {rebuild_s:.1f} s, and their cubes settled")
            points, missing = those_there(url, scopes)
            wrong = differences(url, points, scopes, engines)
            found = measure(given, url, points, full)
    measured = Measured(
        interactions=count,
        full_speed=full,
        rebuild_s=rebuild_s,
        names=[name for name, _, _ in asked(scopes)],
        missing=missing,
        uncompared=list({question.name: 0 for _, question, _ in points if question.read is None}),
        engines=engines,
        **found,
    )
    report(measured, markdown=given.markdown)
    if measured.fresh.wrong:
        wrong.append(f"{measured.fresh.wrong} numbers lacked the event before them")
    if wrong:
        sys.exit("these are wrong:\n" + "\n".join(wrong))


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--interactions", type=int, default=1_000_000, help="how many are made")
    parser.add_argument("--database", type=Path, help="a file to take instead, or to make them in")
    parser.add_argument("--seconds", type=int, default=60, help="how long each load lasts")
    parser.add_argument("--engines", default="sqlite,duckdb,chdb", help="those to compare with, or an empty text")
    parser.add_argument("--chdb-python", default=sys.executable, help="an interpreter that has chdb")
    parser.add_argument("--rate", type=float, default=500, help="events a second while everything is asked")
    parser.add_argument("--full-speed", type=float, help="events a second, one a request; else measured")
    parser.add_argument("--markdown", action="store_true", help="print Markdown")
    return parser.parse_args()


def told(line: str) -> None:
    """Say on standard error how far it is."""
    print(f"{time.strftime('%H:%M:%S')}  {line}", file=sys.stderr, flush=True)


def filled(given: argparse.Namespace, folder: str) -> Path:
    """Give a database of interactions with all labels that are due, so that nothing that is compared changes meanwhile."""
    database = given.database or Path(folder, "rows.db")
    if not database.exists():
        asyncio.run(fill(f"sqlite:///{database}", given.interactions))
    asyncio.run(label(f"sqlite:///{database}"))
    return database


async def label(database: str) -> None:
    """Label what is due."""
    async with opened_store(settings_of({}, overrides={"AURA_DATABASE_URL": database})) as store:
        await Evaluator(store, None, Terms(rules=default_rules(), batch_size=5_000)).run()


def scopes_of(database: Path) -> tuple[int, dict[str, Scope]]:
    """Give how many interactions there are, and the windows to ask about: all, the biggest store's, the last day."""
    with closing(sqlite3.connect(database)) as rows:
        count, newest = rows.execute("SELECT count(*), max(created_at) FROM voice_queries").fetchone()
        biggest = "SELECT store_id FROM voice_queries GROUP BY store_id ORDER BY count(*) DESC LIMIT 1"
        [(store,)] = rows.execute(biggest).fetchall()
    end = min(newest, round(time.time() * 1000) - SETTLED_MS)
    scopes = (
        Scope(name="30d", start=end - 30 * DAY_MS, end=end),
        Scope(name="30d, biggest store", store=store, start=end - 30 * DAY_MS, end=end),
        Scope(name="24h", start=end - DAY_MS, end=end),
    )
    return count, {scope.name: scope for scope in scopes}


def full_speed(folder: str) -> float:
    """Send as fast as it goes, one event a request, into an empty database; give events a second."""
    result, _ = served(folder, 1, FULL_SPEED_S)
    return result["requests"] / result["seconds"]


def others(given: argparse.Namespace, database: Path, folder: str, scopes: Mapping[str, Scope]) -> dict[str, Answers]:
    """Ask the other engines everything, while nothing else runs."""
    wanted = engines_there(given)
    job = {"database": str(database), "folder": folder, "parquet": f"{folder}/rows.parquet"}
    if set(wanted) - {"sqlite"}:
        told(f"rows taken over in {compare('extract', job)['seconds']:.1f} s")
    found = {}
    for engine, python in wanted.items():
        sqls = {name: sql_of(question, scope, engine) for name, question, scope in asked(scopes)}
        outcome = compare(engine, job | {"questions": sqls}, python)
        told(f"{engine} asked; opened or filled in {outcome['seconds']:.1f} s")
        found[engine] = outcome["answers"]
    return found


def engines_there(given: argparse.Namespace) -> dict[str, str]:
    """Give the engines to compare with, each with its interpreter."""
    wanted = {engine: sys.executable for engine in given.engines.split(",") if engine}
    if "chdb" in wanted:
        wanted["chdb"] = given.chdb_python
        if not is_there("chdb", given.chdb_python):
            told("chDB is left out: pip install chdb, here or for --chdb-python PATH")
            del wanted["chdb"]
    return wanted


@contextmanager
def server(database: Path, folder: str) -> Iterator[tuple[str, float]]:
    """Serve a database with columns that are built anew; give the address and the seconds until they were whole."""
    columns = f"AURA_COLUMNS_PATH={folder}/columns.duckdb"
    command = [str(BIN / "aura-analytics"), "serve", "--database", f"sqlite:///{database.resolve()}", "--port"]
    started = time.monotonic()
    with running(["env", "-u", "GEMINI_API_KEY", columns, *command], folder) as url:
        client = Asker(url)
        while client.get("/health").content.get("statistics") != "following":
            if time.monotonic() - started > REBUILD_PATIENCE_S:
                sys.exit("the columns aren't whole after an hour")
            time.sleep(0.1)
        whole_s = time.monotonic() - started
        wait_until_idle(children(os.getpid()))
        yield url, whole_s


def those_there(url: str, scopes: Mapping[str, Scope]) -> tuple[list[Point], list[str]]:
    """Give the questions that the server takes, and the names of those that it doesn't, with its status."""
    client = Asker(url)
    paths = client.get("/openapi.json").content["paths"]
    absent = {}
    for question in QUESTIONS:
        status = status_of(client, question, next(iter(scopes.values())), paths)
        if status != 200:
            absent[question.name] = f"{question.name} ({status})"
    return [point for point in asked(scopes) if point[1].name not in absent], list(absent.values())


def status_of(client: Asker, question: Question, scope: Scope, paths: dict[str, Any]) -> int:  # Any: OpenAPI
    """Ask once; a parameter that the server's own document doesn't know would be passed over."""
    known = {part["name"] for part in paths.get(question.path, {}).get("get", {}).get("parameters", ())}
    return 404 if set(question.parameters) - known else put(client, question, scope).status


def differences(
    url: str, points: Sequence[Point], scopes: Mapping[str, Scope], engines: Mapping[str, Answers]
) -> list[str]:
    """Compare what all of them say about the same windows; give where they don't agree."""
    client = Asker(url)
    there = {name for name, _, _ in points}
    wrong = []
    for name, question, scope in asked(scopes):
        said = {engine: compared(question, answers[name]["rows"]) for engine, answers in engines.items()}
        if name in there and question.read is not None:
            said["server"] = question.read(put(client, question, scope).content)
        known = {who: rows for who, rows in said.items() if rows is not None}
        if any(rows != next(iter(known.values())) for rows in known.values()):
            wrong.append(f"{name}: " + "; ".join(f"{who} {str(rows)[:300]}" for who, rows in known.items()))
    return wrong


def measure(given: argparse.Namespace, url: str, points: list[Point], full: float) -> dict[str, Any]:
    """Measure the running server: at rest, cached, while events come in, for what came just before, and its memory."""
    pids = children(os.getpid())
    before = [memory_mb(pid)[0] for pid in pids]
    rest = rotated(url, points, given.seconds, clients=1)
    told("asked at rest")
    with kept_off_the_last_core(pids):
        cached = requests_a_second(cached_question(url, points[0][2]), min(10, given.seconds))
    Asker(url).get("/stats/summary")  # answered once what the load left behind is worked off
    with steady(url, given.rate, MIXED_BATCH) as mixed_stream:
        mixed = rotated(url, points, given.seconds, clients=CLIENTS, live=True)
    told("asked while events came in")
    with steady(url, full / 2, 1) as fresh_stream:
        fresh = freshness(url, given.seconds)
    told("asked for what came just before")
    return {
        "rest": rest,
        "cached": cached,
        "mixed": mixed,
        "mixed_stream": mixed_stream,
        "fresh": fresh,
        "fresh_stream": fresh_stream,
        "memory": memory_of(pids, before),
    }


def cached_question(url: str, scope: Scope) -> str:
    """Give the address of a summary that stays the same."""
    return f"{url}/stats/summary?from={scope.start}&to={scope.end}"


if __name__ == "__main__":
    main()
