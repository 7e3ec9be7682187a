"""Databases of D1 as they come: older, strange, hostile, cut off, and into a database that is in use."""

import gzip
import json
import os
import signal
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from acceptance.database import Database
from acceptance.service import COMMAND, Service, aura, clean_environment, outcome, query, until

MIGRATIONS = Path(__file__).parents[2] / "migrations" / "analytics"
MOMENT = 1_767_348_000_000  # 2026-01-02T10:00:00Z

Told = dict[str, Any]  # Any: JSON


def worker_file(path: Path, *numbers: int, more: str = "") -> Path:
    """Make a worker's database that has seen some migrations."""
    with closing(sqlite3.connect(path)) as database, database:
        for number in numbers:
            [migration] = MIGRATIONS.glob(f"{number:03}_*.sql")
            database.executescript(migration.read_text("utf-8"))
        database.executescript(more)
    return path


def dumped(file: Path, path: Path) -> Path:
    """Write a dump as SQLite's own shell does."""
    with closing(sqlite3.connect(file)) as database:
        path.write_text("\n".join(database.iterdump()), "utf-8", newline="")
    return path


def take_in(file: Path, url: str, *more: str) -> Told:
    ran = aura("d1", "import", file, "--database", url, "--json", *more, folder=file.parent)
    assert ran.returncode == 0, ran
    told: Told = json.loads(ran.stdout)
    return told


def counts(told: Told, field: str = "new") -> dict[str, int]:
    return {row["table"]: row[field] for row in told["tables"]}


def cells(database: Database, statement: str) -> list[Any]:
    with database.opened() as connection:
        return [tuple(row) for row in connection.execute(statement).fetchall()]


@pytest.fixture
def database(make_database: Any, tmp_path: Path) -> Database:
    made: Database = make_database(tmp_path)
    return made


OLDER = """
INSERT INTO voice_queries (id, store_id, created_at, query_text) VALUES ('a', 's', 1767348000000, 'one'), ('b', 's', 1767348001000, 'two');
INSERT INTO voice_outcomes (query_id, answer_text, latency_ms) VALUES ('a', 'yes', 12.5), ('stray', 'whose?', 1);
"""


@pytest.mark.parametrize("form", ["sqlite", "dump", "packed", "windows"])
def test_one_from_before_there_were_labels_is_taken_whole_and_waits_to_be_labelled(
    database: Database, tmp_path: Path, form: str
) -> None:
    file = worker_file(tmp_path / "worker.sqlite", 1, 2, more=OLDER)
    if form != "sqlite":
        file = dumped(file, tmp_path / "dump.sql")
    if form == "windows":
        file.write_bytes(b"\xef\xbb\xbf" + file.read_bytes().replace(b"\n", b"\r\n"))
    if form == "packed":
        file = tmp_path / "dump.sql.gz"
        file.write_bytes(gzip.compress((tmp_path / "dump.sql").read_bytes()))
    for expected in ({"voice_queries": 2, "voice_outcomes": 2}, {"voice_queries": 0, "voice_outcomes": 0}):
        told = take_in(file, database.url)
        assert counts(told) == expected
        assert (told["rejected"], told["unknown_tables"], told["unknown_columns"]) == ([], {}, {})
    assert cells(database, "SELECT query_id FROM evaluation_queue ORDER BY 1") == [("a",), ("b",)]
    assert cells(database, "SELECT latency_ms FROM voice_outcomes WHERE query_id = 'a'") == [(12.5,)]


STRANGE = """
CREATE TABLE voice_queries (id TEXT, store_id TEXT, created_at, query_text TEXT, mood TEXT, "odd ""name" TEXT);
INSERT INTO voice_queries VALUES (NULL, 's', 1, 'no id', NULL, NULL);
INSERT INTO voice_queries VALUES (x'01', 's', 1, 'a blob for an id', NULL, NULL);
INSERT INTO voice_queries VALUES ('late', 's', 'yesterday', 'no moment', NULL, NULL);
INSERT INTO voice_queries VALUES ('twice', 's', 1, 'first', 'glad', NULL);
INSERT INTO voice_queries VALUES ('twice', 's', 1, 'second', 'sad', NULL);
INSERT INTO voice_queries VALUES ('good', 's', 1, CAST(x'61ff62' AS TEXT), NULL, 'x');
CREATE TABLE orders (id INTEGER PRIMARY KEY);
INSERT INTO orders VALUES (1), (2), (3);
CREATE TABLE voice_evaluations (query_id TEXT PRIMARY KEY, label TEXT, evaluated_at INTEGER);
INSERT INTO voice_evaluations VALUES ('good', 'SPLENDID', 1), ('twice', 'GOOD', 1);
CREATE TRIGGER evil AFTER INSERT ON voice_queries BEGIN DELETE FROM voice_queries; END;
CREATE VIEW voice_outcomes AS SELECT 'x' AS query_id;
"""


def test_what_doesnt_hold_is_told_row_by_row_and_nothing_is_dropped_in_silence(
    database: Database, tmp_path: Path
) -> None:
    file = worker_file(tmp_path / "worker.sqlite", more=STRANGE)
    told = take_in(file, database.url, "--rejects", "rejects.ndjson")
    assert counts(told) == {"voice_queries": 2, "voice_evaluations": 1}
    assert counts(told, "rejected") == {"voice_queries": 4, "voice_evaluations": 1}
    assert {(one["table"], one["reason"]): one["rows"] for one in told["rejected"]} == {
        ("voice_queries", "its id is no text"): 2,
        ("voice_queries", "created_at is no whole number"): 1,
        ("voice_queries", "its key is there 2 times"): 1,
        ("voice_evaluations", "its label is none of GOOD, REVIEW, BAD"): 1,
    }
    assert told["unknown_tables"] == {"orders": 3}
    assert told["unknown_columns"] == {"voice_queries.mood": 2, 'voice_queries.odd "name': 1}
    written = [json.loads(line) for line in (tmp_path / "rejects.ndjson").read_text("utf-8").splitlines()]
    assert len(written) == 5
    assert cells(database, "SELECT id, query_text FROM voice_queries ORDER BY 1") == [
        ("good", "a\ufffdb"),
        ("twice", "first"),
    ]


CUT_OFF = b"""CREATE TABLE voice_queries (id TEXT PRIMARY KEY, store_id, created_at, query_text);
INSERT INTO voice_queries VALUES('a','s',1,'x');
INSERT INTO voice_queries VALUES('b','s',1,'x"""


@pytest.mark.backends("sqlite")
@pytest.mark.parametrize(
    ("content", "words"),
    [
        (bytes(range(256)) * 20, "neither a SQL dump nor"),
        (bytes(range(255, 0, -1)) * 20, "error: "),
        (b"SQLite format 3\0" + os.urandom(5_000), "can't be read as a database"),
        (b"", "neither a SQL dump nor"),
        (b"# Hello\n", "isn't all there"),
        (b"CREATE TABLE x (y);", "no table voice_queries"),
        (CUT_OFF, "line 3"),
        (b"CREATE TABLE voice_queries (id TEXT, store_id);\n", "has no created_at, query_text"),
        (b"CREATE TABLE voice_queries (id TEXT, store_id, created_at, query_text AS (replace('a', 'a', 'b')));\n", "calculates"),
        (b"\x1f\x8b" + os.urandom(500), "can't be read"),
    ],
)  # fmt: skip
def test_what_is_no_whole_database_is_refused_in_a_line_and_changes_nothing(
    database: Database, tmp_path: Path, content: bytes, words: str
) -> None:
    file = tmp_path / "dump"
    file.write_bytes(content)
    ran = aura("d1", "import", file, "--database", database.url, folder=tmp_path)
    assert ran.returncode == 1
    assert words in ran.stderr.decode()
    assert "Traceback" not in ran.stderr.decode()
    assert not (tmp_path / "aura.db").exists()


PARALLEL = f"""
INSERT INTO voice_queries (id, store_id, created_at, query_text) VALUES
    ('before', 's', {MOMENT - 9}, 'only the worker saw it'), ('both', 's', {MOMENT + 7}, 'both saw it'), ('half', 's', {MOMENT}, 'its outcome went there');
INSERT INTO voice_outcomes (query_id, action_success) VALUES ('before', 1), ('both', 1), ('half', 1);
INSERT INTO voice_evaluations (query_id, label, evaluated_at, evaluated_by) VALUES ('before', 'BAD', {MOMENT}, 'human');
"""


def test_what_both_have_seen_is_one_and_what_one_lacks_comes_from_the_other(database: Database, tmp_path: Path) -> None:
    file = worker_file(tmp_path / "worker.sqlite", 1, 2, 3, 4, more=PARALLEL)
    moment = "2026-01-02T10:00:00Z"
    with Service(tmp_path / "service", database, AURA_EVALUATE="off") as service:
        sent = [
            query("both", store_id="s", timestamp=moment),
            outcome("both"),
            query("half", store_id="s", timestamp=moment),
        ]
        service.ingest(*sent, query("after", store_id="s", timestamp=moment))
        for _ in range(2):
            take_in(file, database.url)
            summary = service.get("/stats/summary", period="all")
            assert (summary["totalQueries"], summary["successfulQueries"]) == (4, 3)
    labels = cells(database, "SELECT query_id, label FROM voice_evaluations")
    assert labels == [("before", "BAD")]
    compared = aura("d1", "compare", file, "--database", database.url, "--json", folder=tmp_path)
    assert [(day["day"], day["lacks"]) for day in json.loads(compared.stdout)] == [("2026-01-02", False)]


def test_a_comparison_names_the_day_that_lacks_something(database: Database, tmp_path: Path) -> None:
    file = worker_file(tmp_path / "worker.sqlite", 1, 2, more=OLDER)
    ran = aura("d1", "compare", file, "--database", database.url, folder=tmp_path)
    assert ran.returncode == 1
    assert "2026-01-02" in ran.stdout.decode()
    assert "1 days lack something here" in ran.stdout.decode()


def test_an_import_that_is_killed_goes_on_and_nothing_comes_twice(database: Database, tmp_path: Path) -> None:
    rows = ",".join(f"('q{n}','s',{MOMENT + n},'text')" for n in range(20_000))
    more = f"INSERT INTO voice_queries (id, store_id, created_at, query_text) VALUES {rows};"
    file = worker_file(tmp_path / "worker.sqlite", 1, 2, 3, 4, more=more)
    aura("migrate", "--database", database.url, folder=tmp_path)
    arguments = ["d1", "import", file, "--database", database.url, "--json"]
    settings = clean_environment(TMPDIR=str(tmp_path))
    with subprocess.Popen(
        [COMMAND, *arguments], cwd=tmp_path, env=settings, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as killed:
        until(lambda: cells(database, "SELECT count(*) FROM voice_queries")[0][0] > 0)
        os.kill(killed.pid, signal.SIGKILL)
    [(already,)] = cells(database, "SELECT count(*) FROM voice_queries")
    assert 0 < already < 20_000
    assert counts(take_in(file, database.url))["voice_queries"] == 20_000 - already
    assert cells(database, "SELECT count(*) FROM voice_queries") == [(20_000,)]
