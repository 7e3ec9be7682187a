"""From a real D1 into this database and back: by the wrangler that people use, every number and every row the same."""

import json
import re
import shlex
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from acceptance.database import Database
from acceptance.service import Service, aura
from acceptance.wrangler import ROOT, Wrangler

ROWS = 10_000
FIRST = 1_700_000_000_000
TEXTS = (
    "where are the red apples", "it's; -- urgent", "two\nlines\r\nand\ttabs", "no \\n line", "🍎 \u2028 ünï", "'';DROP TABLE voice_queries;--",
    "BEGIN TRANSACTION; ~0~ COMMIT;\n", "unistr('\\u0041') $1 $$ {rows}", "a\x01b\x7fc",
)  # fmt: skip
COLUMNS = {
    "voice_queries": "id, store_id, session_id, user_id, created_at, query_text, transcription_conf, intent, fast_path",
    "voice_outcomes": "query_id, answer_text, model_name, latency_ms, tokens_prompt, tokens_completion, cost_usd, "
    "action_taken, action_success, error_flag, tool_calls",
    "voice_evaluations": "query_id, label, reason, confidence_score, evaluated_at, evaluated_by",
}
Content = dict[str, list[tuple[Any, ...]]]  # Any: cells


def content(file: Path) -> Content:
    with closing(sqlite3.connect(file)) as database:
        return {
            table: database.execute(f"SELECT {columns} FROM {table} ORDER BY 1").fetchall()
            for table, columns in COLUMNS.items()
        }


def fill(file: Path) -> None:
    """Write what a worker has written over months; wrangler itself would need minutes for it."""
    numbers = range(ROWS)
    queries = [
        (f"q{n}", f"shop-{n % 7}", f"s{n // 3}" if n % 5 else None, f"u{n % 99}" if n % 2 else None, FIRST + n * 60_000,
         TEXTS[n % len(TEXTS)], n % 100 / 100 if n % 9 else None, ("find", "cart", None)[n % 3], n % 2)
        for n in numbers
    ]  # fmt: skip
    outcomes = [
        (f"q{n}", TEXTS[-n % len(TEXTS)], "gemini", n % 9_999, n % 700, n % 90, n % 100 / 1e5, "FAQ", int(n % 4 > 0),
         int(n % 31 == 0), '["search"]')
        for n in numbers if n % 10
    ]  # fmt: skip
    outcomes[5] = (outcomes[5][0], "long " * 60_000, *outcomes[5][2:])
    labels = [
        (f"q{n}", ("GOOD", "BAD", "REVIEW")[n % 3], "why", 0.85, FIRST + n * 60_000 + 1, ("auto", "human")[n % 100 == 0])
        for n in numbers if n % 4
    ]  # fmt: skip
    with closing(sqlite3.connect(file)) as database, database:
        for table, rows in zip(COLUMNS, (queries, outcomes, labels), strict=True):
            database.executemany(
                f"INSERT INTO {table} ({COLUMNS[table]}) VALUES ({', '.join('?' * len(rows[0]))})", rows
            )


@pytest.fixture(scope="module")
def worker(tmp_path_factory: pytest.TempPathFactory) -> Wrangler:
    """A worker's database by the guide's four migrations, with months of rows, one of which came through wrangler."""
    made = Wrangler(tmp_path_factory.mktemp("worker"))
    made.apply(1, 2, 3, 4)
    fill(made.file)
    return made


@pytest.fixture(scope="module")
def dump(worker: Wrangler) -> Path:
    return worker.export(worker.folder / "dump.sql")


def recount(file: Path) -> dict[str, Any]:
    """The numbers of /stats/summary, by plain SQL."""
    with closing(sqlite3.connect(file)) as database:
        found = database.execute(
            """
            SELECT count(*), sum(o.action_success IS 1), sum(o.action_success IS 0 OR o.error_flag IS 1),
                count(DISTINCT q.session_id), avg(o.latency_ms), total(o.cost_usd),
                sum(e.label IS 'GOOD'), sum(e.label IS 'REVIEW'), sum(e.label IS 'BAD')
            FROM voice_queries AS q LEFT JOIN voice_outcomes AS o ON o.query_id = q.id
            LEFT JOIN voice_evaluations AS e ON e.query_id = q.id
            """
        ).fetchone()
    names = ("totalQueries", "successfulQueries", "failedQueries", "uniqueSessions", "averageLatencyMs", "totalCostUsd")
    return dict(zip(names, found[:6], strict=True)) | {
        "labels": dict(zip(("GOOD", "REVIEW", "BAD"), found[6:], strict=True))
    }


def test_it_comes_over_with_every_number_and_goes_back_row_by_row(
    worker: Wrangler, dump: Path, backend: str, make_database: Any, tmp_path: Path
) -> None:
    database: Database = make_database(tmp_path)
    with Service(tmp_path / "service", database, AURA_EVALUATE="off") as service:
        taken = aura("d1", "import", dump, "--database", database.url, "--json", folder=tmp_path)
        assert taken.returncode == 0, taken
        told = json.loads(taken.stdout)
        assert (told["rejected"], told["unknown_tables"], told["unknown_columns"], told["differing"]) == ([], {}, {}, 0)
        summary = service.get("/stats/summary", period="all")
        expected = recount(worker.file)
        for name in ("totalQueries", "successfulQueries", "failedQueries", "uniqueSessions"):
            assert summary[name] == expected[name]
        assert summary["averageLatencyMs"] == pytest.approx(expected["averageLatencyMs"], rel=1e-9, abs=0.51)
        assert summary["totalCostUsd"] == pytest.approx(expected["totalCostUsd"])
        compared = aura("d1", "compare", dump, "--database", database.url, "--json", folder=tmp_path)
        assert compared.returncode == 0, compared
        days = json.loads(compared.stdout)
        assert all(day["there"] == day["here"] for day in days)
        assert [sum(day["here"][place] for day in days) for place in (2, 3, 4)] == list(expected["labels"].values())
        # The worker's own file says the same again, and nothing comes twice.
        again = aura("d1", "import", worker.file, "--database", database.url, "--json", folder=tmp_path)
        assert again.returncode == 0, again
        assert [row["new"] for row in json.loads(again.stdout)["tables"]] == [0, 0, 0]
    script = tmp_path / "back.sql"
    given = aura("d1", "export", script, "--database", database.url, folder=tmp_path)
    assert given.returncode == 0, given
    assert max(map(len, script.read_bytes().split(b"\n"))) < 100_000
    back = Wrangler(tmp_path / "back")
    back.apply(1, 2, 3, 4)
    back.execute(script)
    if backend == "sqlite":
        back.execute(script)  # by mistake
    assert content(back.file) == content(worker.file)


@pytest.mark.backends("sqlite")
def test_a_file_goes_back_as_well(worker: Wrangler, backend: str, tmp_path: Path) -> None:
    del backend
    url = f"sqlite:///{tmp_path}/aura.db"
    assert aura("d1", "import", worker.file, "--database", url, folder=tmp_path).returncode == 0
    assert aura("d1", "export", "back.sqlite", "--database", url, folder=tmp_path).returncode == 0
    assert content(tmp_path / "back.sqlite") == content(worker.file)
    assert aura("d1", "export", "back.sqlite", "--database", url, folder=tmp_path).returncode == 1
    assert aura("d1", "export", "all.sql", "--all", "--database", url, folder=tmp_path).returncode == 0
    upgraded = Wrangler(tmp_path / "upgraded")
    upgraded.apply(*range(1, 99))
    upgraded.execute(tmp_path / "all.sql")
    assert content(upgraded.file) == content(worker.file)
    asked = upgraded.ask("SELECT count(*) AS waiting FROM evaluation_queue")
    assert asked == [{"waiting": ROWS // 4}]


def commands(document: str) -> list[list[str]]:
    """The commands of a document, as words."""
    text = (ROOT / "docs" / document).read_text("utf-8")
    lines = [line for block in re.findall(r"```console\n(.*?)```", text, re.DOTALL) for line in block.splitlines()]
    return [shlex.split(line, comments=True) for line in lines]


@pytest.mark.backends("sqlite")
def test_the_way_of_the_document_leads_there_and_back(worker: Wrangler, backend: str) -> None:
    del backend
    before = content(worker.file)
    ran = 0
    for program, *words in commands("migrating.md"):
        if program == "wrangler":
            assert words.pop(0) == "d1"
            worker.d1(*(word for word in words if word != "--remote"), *(["--yes"] if "execute" in words else []))
        elif words != ["serve"]:
            named = [str(worker.file) if word.endswith("ID.sqlite") else word for word in words]
            done = aura(*named, folder=worker.folder)
            assert done.returncode == 0, (named, done)
            ran += 1
    assert ran == 7
    assert content(worker.file) == before


@pytest.mark.backends("sqlite")
def test_the_backups_of_the_document_are_made_and_restored(backend: str, tmp_path: Path) -> None:
    del backend
    (tmp_path / "backups").mkdir()
    assert aura("migrate", folder=tmp_path).returncode == 0
    for program, *words in commands("backup.md"):
        if program == "aura-analytics" and "postgresql:///aura_restored" not in words:
            done = aura(*words, folder=tmp_path)
            assert done.returncode == 0, (words, done)
