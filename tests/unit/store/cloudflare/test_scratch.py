"""A dump can fill the known tables, and do nothing else."""

import io
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from aura_analytics.errors import LoadError
from aura_analytics.store.cloudflare import scratch
from aura_analytics.store.cloudflare.dump import Dump
from aura_analytics.store.cloudflare.scratch import Loaded, Reject, Scratch, unistr

TABLE = "CREATE TABLE voice_queries (id TEXT PRIMARY KEY, store_id TEXT, created_at INTEGER, query_text TEXT);\n"


def load(folder: Path, sql: str | bytes) -> tuple[Loaded, list[tuple[Any, ...]], list[Reject]]:
    rejects: list[Reject] = []
    raw = sql if isinstance(sql, bytes) else sql.encode()
    loaded = Scratch(folder / "scratch.db", rejects.append).load(Dump(io.BytesIO(TABLE.encode() + raw)).statements())
    with closing(sqlite3.connect(folder / "scratch.db")) as file:
        return loaded, file.execute("SELECT * FROM voice_queries").fetchall(), rejects


def test_rows_come_in_whichever_way_a_dump_writes_them(tmp_path: Path) -> None:
    sql = rb"""
    BEGIN TRANSACTION;
    INSERT INTO "voice_queries" ("id","query_text") VALUES('1',replace('a\nb','\n',char(10)));
    insert into voice_queries values('2','s',1,unistr('a\u000ab\\')),('3','s',2,'it''s');
    REPLACE INTO main.voice_queries (id) VALUES('4');
    INSERT OR IGNORE INTO [voice_queries] (id) VALUES('5');
    COMMIT;
    """
    loaded, rows, rejects = load(tmp_path, sql + b"INSERT INTO voice_queries VALUES('6','s',3,'a\0b\xff');")
    assert [(row[0], row[3]) for row in rows] == [
        ("1", "a\nb"), ("2", "a\nb\\"), ("3", "it's"), ("4", None), ("5", None), ("6", "a\0b\ufffd"),
    ]  # fmt: skip
    assert (rejects, loaded.left, loaded.unknown) == ([], {}, {})


@pytest.mark.parametrize(
    "statement",
    [
        "ATTACH DATABASE '{folder}/other.db' AS other;",
        "VACUUM INTO '{folder}/other.db';",
        "PRAGMA journal_mode = WAL;",
        "PRAGMA writable_schema = ON;",
        "SELECT load_extension('{folder}/evil');",
        "INSERT INTO voice_queries (id) VALUES(load_extension('{folder}/evil'));",
        "INSERT INTO voice_queries (id) SELECT randomblob(1000000000);",
        "INSERT INTO voice_queries (id) VALUES(readfile('/etc/hostname'));",
        "INSERT INTO sqlite_schema VALUES('table', 'x', 'x', 0, 'CREATE TABLE x (y)');",
        "INSERT INTO voice_queries (id) SELECT name FROM pragma_database_list;",
        "UPDATE voice_queries SET id = 'changed';",
        "DELETE FROM voice_queries;",
        "DROP TABLE voice_queries;",
        "ALTER TABLE voice_queries RENAME TO other;",
        "CREATE TRIGGER t AFTER INSERT ON voice_queries BEGIN DELETE FROM voice_queries; END;",
        "CREATE VIRTUAL TABLE voice_outcomes USING fts5(x);",
        "CREATE VIEW voice_outcomes AS SELECT load_extension('x');",
        "EXPLAIN INSERT INTO voice_queries (id) VALUES ('x');",
        "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) INSERT INTO voice_queries (id) SELECT x FROM n;",
        "INSERT INTO voice_queries (id) WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT x FROM n;",
        "/* x */ DELETE FROM voice_queries;",
        "garbage;",
    ],
)
def test_nothing_else_is_done(tmp_path: Path, statement: str) -> None:
    sql = "INSERT INTO voice_queries VALUES('1','s',1,'apples');\n" + statement.format(folder=tmp_path)
    _, rows, _ = load(tmp_path, sql + "\nINSERT INTO voice_queries VALUES('2','s',1,'pears');")
    assert [row[0] for row in rows] == ["1", "2"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["scratch.db"]
    with closing(sqlite3.connect(tmp_path / "scratch.db")) as file:
        assert file.execute("SELECT name FROM sqlite_schema WHERE type <> 'index'").fetchall() == [("voice_queries",)]


def test_a_statement_that_calculates_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scratch, "MOST_LOOKS", 1)
    values = ",".join(f"('{number}')" for number in range(100))
    crossed = ", ".join(f"voice_queries AS t{number}" for number in range(6))
    sql = f"INSERT INTO voice_queries (id) VALUES{values};\nINSERT INTO voice_queries (id) SELECT t0.id || 'x' FROM {crossed};"
    with pytest.raises(LoadError, match="line 3"):
        load(tmp_path, sql)


def test_a_statement_that_takes_others_back_is_refused(tmp_path: Path) -> None:
    sql = "INSERT INTO voice_queries (id) VALUES('1');\nINSERT OR ROLLBACK INTO voice_queries (id) VALUES('1');"
    with pytest.raises(LoadError, match="line 3"):
        load(tmp_path, sql)


def test_a_row_that_sqlite_refuses_is_told_and_the_others_stay(tmp_path: Path) -> None:
    sql = "INSERT INTO voice_queries (id) VALUES('1');\nINSERT INTO voice_queries (id) VALUES('1');\nINSERT INTO voice_queries (no) VALUES(2);"
    _, rows, rejects = load(tmp_path, sql)
    assert len(rows) == 1
    assert [(reject.place, reject.table) for reject in rejects] == [
        ("line 3", "voice_queries"),
        ("line 4", "voice_queries"),
    ]


def test_what_isnt_known_is_counted_and_what_is_made_anew_isnt(tmp_path: Path) -> None:
    sql = """
    CREATE TABLE orders (id); INSERT INTO orders VALUES(1); INSERT INTO orders VALUES(2);
    CREATE TABLE empty (id); INSERT INTO d1_migrations VALUES(1); DROP TABLE x; SELECT 1;
    """
    loaded, _, _ = load(tmp_path, sql)
    assert loaded.unknown == {"orders": 2, "empty": 0}
    assert loaded.left == {"DROP TABLE": 1, "SELECT 1;": 1}


def test_a_dump_of_something_else_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LoadError, match="voice_queries"):
        Scratch(tmp_path / "scratch.db", print).load(Dump(io.BytesIO(b"CREATE TABLE x (y);")).statements())


@pytest.mark.parametrize(
    ("written", "text"),
    [(r"a\u000Ab", "a\nb"), (r"\0041\\", "A\\"), (r"\U0001f34e", "🍎"), (r"\+01f34e", "🍎"), (r"\ud800", "\ufffd"), (None, None), (5, "5")],
)  # fmt: skip
def test_unistr_reads_what_sqlites_own_does(written: Any, text: str | None) -> None:
    assert unistr(written) == text
