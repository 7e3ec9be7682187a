"""The engines that the statistics are compared with: SQLite over the rows, DuckDB and chDB over one wide table.

Each runs in a process of its own: `python bench/engines.py ENGINE`, a job as JSON in, its outcome as JSON out.
"""

import csv
import importlib.util
import json
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

THREADS = 2
LEAST_TRIES = 10
MOST_TRIES = 200
ENOUGH_S = 0.5
# Longer than this no engine is waited for in one question, SQLite's single try included.
PATIENCE_S = 60.0

MERGE_TREE = "ENGINE = MergeTree PARTITION BY intDiv(created_at, 604800000) ORDER BY (store_id, created_at)"

Ask = Callable[[str], list[Any]]  # Any: a row of cells

# The wide table: a column, its type in DuckDB, its type in ClickHouse.
WIDE = (
    ("id", "VARCHAR", "String"),
    ("store_id", "VARCHAR", "LowCardinality(String)"),
    ("session_id", "VARCHAR", "Nullable(String)"),
    ("created_at", "BIGINT", "Int64"),
    ("query_text", "VARCHAR", "String"),
    ("transcription_conf", "DOUBLE", "Nullable(Float64)"),
    ("intent", "VARCHAR", "LowCardinality(Nullable(String))"),
    ("fast_path", "TINYINT", "Int8"),
    ("answered", "TINYINT", "Int8"),
    ("answer_text", "VARCHAR", "Nullable(String)"),
    ("model_name", "VARCHAR", "LowCardinality(Nullable(String))"),
    ("latency_ms", "BIGINT", "Nullable(Int64)"),
    ("tokens_prompt", "BIGINT", "Nullable(Int64)"),
    ("tokens_completion", "BIGINT", "Nullable(Int64)"),
    ("cost_usd", "DOUBLE", "Nullable(Float64)"),
    ("action_taken", "VARCHAR", "LowCardinality(Nullable(String))"),
    ("action_success", "TINYINT", "Nullable(Int8)"),
    ("error_flag", "TINYINT", "Nullable(Int8)"),
    ("label", "VARCHAR", "LowCardinality(Nullable(String))"),
    ("reason", "VARCHAR", "LowCardinality(Nullable(String))"),
    ("confidence_score", "DOUBLE", "Nullable(Float64)"),
)

# The rows, each with all that belongs to it.
WIDE_ROWS = f"""
SELECT {", ".join("o.query_id IS NOT NULL" if name == "answered" else name for name, _, _ in WIDE)}
FROM voice_queries AS q
LEFT JOIN voice_outcomes AS o ON o.query_id = q.id
LEFT JOIN voice_evaluations AS e ON e.query_id = q.id
"""


def compare(engine: str, job: dict[str, Any], python: str = sys.executable) -> dict[str, Any]:
    """Run a job in a process of its own, with the interpreter that has the engine; give its outcome."""
    command = [python, str(Path(__file__)), engine]
    done = subprocess.run(command, input=json.dumps(job), capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{engine} failed:\n{done.stderr[-2000:]}")
    outcome: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return outcome


def is_there(module: str, python: str = sys.executable) -> bool:
    """Whether an interpreter has a module."""
    if python == sys.executable:
        return importlib.util.find_spec(module) is not None
    return subprocess.run([python, "-c", f"import {module}"], capture_output=True, check=False).returncode == 0


def sqlite_opened(job: dict[str, Any]) -> Ask:
    """Open the row database itself, to read only; a question that takes too long is given up."""
    connection = sqlite3.connect(f"file:{job['database']}?mode=ro", uri=True)

    def ask(sql: str) -> list[Any]:
        deadline = time.monotonic() + PATIENCE_S
        connection.set_progress_handler(lambda: time.monotonic() > deadline, 1_000_000)
        return connection.execute(sql).fetchall()

    return ask


def duckdb_opened(job: dict[str, Any]) -> Ask:
    """Make a DuckDB file of one table from the rows' Parquet file, where it isn't made yet."""
    import duckdb  # noqa: PLC0415 (each engine's process loads its own)

    path = Path(job["folder"], "wide.duckdb")
    connection = duckdb.connect(str(path), config={"threads": str(THREADS)})
    connection.execute(f"CREATE TABLE IF NOT EXISTS interactions AS SELECT * FROM read_parquet('{job['parquet']}')")
    connection.execute("CHECKPOINT")
    return lambda sql: connection.execute(sql).fetchall()


def chdb_opened(job: dict[str, Any]) -> Ask:
    """Make a MergeTree of the rows' Parquet file: a part a week, in it by store, then by time; so both need few rows."""
    from chdb import session  # noqa: PLC0415 (each engine's process loads its own)

    engine = session.Session(str(Path(job["folder"], "chdb")))
    columns = ", ".join(f"{name} {kind}" for name, _, kind in WIDE)
    engine.query(f"SET max_threads = {THREADS}, output_format_json_quote_64bit_integers = 0")
    engine.query("CREATE DATABASE IF NOT EXISTS bench ENGINE = Atomic")
    engine.query("USE bench")
    engine.query(f"CREATE TABLE interactions ({columns}) {MERGE_TREE}")
    engine.query(f"INSERT INTO interactions SELECT {_names()} FROM file('{job['parquet']}', Parquet)")
    engine.query("OPTIMIZE TABLE interactions FINAL")
    return lambda sql: engine.query(sql, "JSONCompact")


def _names() -> str:
    return ", ".join(name for name, _, _ in WIDE)


def rows_of(engine: str, answer: Any) -> list[Any]:
    """Give an answer's rows; chDB's are still JSON, which is read outside of the measured time."""
    return json.loads(answer.bytes())["data"] if engine == "chdb" else answer


def extract(job: dict[str, Any]) -> dict[str, Any]:
    """Write the rows, joined, as a Parquet file."""
    import duckdb  # noqa: PLC0415 (each engine's process loads its own)

    started = time.perf_counter()
    between = Path(job["folder"], "rows.csv")
    with closing(sqlite3.connect(f"file:{job['database']}?mode=ro", uri=True)) as rows, between.open("w") as file:
        csv.writer(file).writerows(rows.execute(WIDE_ROWS))
    columns = ", ".join(f"'{name}': '{kind}'" for name, kind, _ in WIDE)
    source = f"read_csv('{between}', header = false, delim = ',', quote = '\"', escape = '\"', columns = {{{columns}}})"
    duckdb.execute(f"COPY (FROM {source}) TO '{job['parquet']}' (FORMAT parquet)")
    between.unlink()
    return {"seconds": time.perf_counter() - started}


def measured(engine: str, ask: Ask, sql: str) -> dict[str, Any]:
    """Ask warm until there are enough tries, SQLite once; give the times and the rows, no rows where it took too long."""
    try:
        rows = ask(sql) if engine != "sqlite" else None
        times: list[float] = []
        began = time.perf_counter()
        while len(times) < MOST_TRIES and not _enough(engine, len(times), time.perf_counter() - began):
            started = time.perf_counter()
            rows = ask(sql)
            times.append((time.perf_counter() - started) * 1000)
        return {"times": times, "rows": rows_of(engine, rows)}
    except sqlite3.OperationalError as error:
        if "interrupted" not in str(error):
            raise
        return {"times": [PATIENCE_S * 1000], "rows": None}


def _enough(engine: str, tries: int, seconds: float) -> bool:
    if engine == "sqlite" or seconds > PATIENCE_S / 3:
        return tries >= 1
    return tries >= LEAST_TRIES and seconds >= ENOUGH_S


OPENED = {"sqlite": sqlite_opened, "duckdb": duckdb_opened, "chdb": chdb_opened}


def main() -> None:
    """Do one job."""
    engine, job = sys.argv[1], json.load(sys.stdin)
    if engine == "extract":
        print(json.dumps(extract(job)))
        return
    started = time.perf_counter()
    ask = OPENED[engine](job)
    loaded_s = time.perf_counter() - started
    answers = {name: measured(engine, ask, sql) for name, sql in job["questions"].items()}
    print(json.dumps({"seconds": loaded_s, "answers": answers}))


if __name__ == "__main__":
    main()
