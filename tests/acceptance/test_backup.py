"""A copy that is made while events come in is one moment of the database, and can be put back whole."""

import json
import shutil
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from acceptance.database import SqliteFile
from acceptance.service import Service, aura, query
from aura_analytics.settings import Settings
from aura_analytics.store.sqlite.backup import LOGS
from aura_analytics.terminal.recording import name_of
from own_postgres import OwnPostgres

MIGRATIONS = Path(__file__).parents[2] / "migrations" / "analytics"

pytestmark = pytest.mark.backends("sqlite")


def count(file: Path, table: str = "voice_queries") -> int:
    with closing(sqlite3.connect(file)) as database:
        [(number,)] = database.execute(f"SELECT count(*) FROM {table}").fetchall()
    return int(number)


def failed(folder: Path, *arguments: str | Path) -> str:
    ran = aura(*arguments, folder=folder)
    assert ran.returncode == 1, ran
    words = ran.stderr.decode()
    assert "Traceback" not in words
    return words


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A folder with a database that nobody uses and a copy of it."""
    folder = tmp_path_factory.mktemp("made")
    events = b"".join(json.dumps(query(f"q{n}")).encode() + b"\n" for n in range(500))
    assert aura("ingest", "-", "--database", "sqlite:///aura.db", folder=folder, stdin=events).returncode == 0
    assert aura("backup", "copy.db", "--database", "sqlite:///aura.db", folder=folder).returncode == 0
    return folder / "aura.db", folder / "copy.db"


@pytest.fixture
def database(made: tuple[Path, Path], tmp_path: Path) -> str:
    """Another database, of 500 queries, and `copy.db` beside it."""
    for file in made:
        shutil.copy(file, tmp_path / file.name)
    return "sqlite:///aura.db"


def test_a_copy_is_one_moment_while_events_come_in_and_the_server_goes_on_from_it(tmp_path: Path) -> None:
    file = SqliteFile(tmp_path / "aura.db")
    stop = threading.Event()
    sent = 0

    def send(service: Service) -> None:
        nonlocal sent
        while not stop.is_set():
            service.ingest(*(query(f"q{sent + n}") for n in range(50)))
            sent += 50

    with Service(tmp_path / "service", file, AURA_EVALUATE="off") as service:
        service.ingest(query("first"))
        sender = threading.Thread(target=send, args=(service,))
        sender.start()
        before = sent
        ran = service.aura("backup", tmp_path / "copy.db.gz", "--json")
        after = sent
        stop.set()
        sender.join()
        assert ran.returncode == 0, ran
        held = json.loads(ran.stdout)["rows"]["voice_queries"]
        assert before < held <= after + 51
        assert "stop it first" in failed(tmp_path, "restore", "copy.db.gz", "--database", service.database_url)
        service.stop()
        restored = service.aura("restore", tmp_path / "copy.db.gz", "--json")
        assert restored.returncode == 0, restored
        assert count(file.path) == held
        assert count(Path(json.loads(restored.stdout)["kept"])) == sent + 1
        service.start()
        assert service.get("/stats/summary", period="all")["totalQueries"] == held
        service.ingest(query("later"))
        assert service.get("/stats/summary", period="all")["totalQueries"] == held + 1


def test_a_copy_is_one_file_that_is_never_replaced_unasked(database: str, tmp_path: Path) -> None:
    assert "--force" in failed(tmp_path, "backup", "copy.db", "--database", database)
    assert aura("backup", "copy.db", "--force", "--database", database, folder=tmp_path).returncode == 0
    assert "the database itself" in failed(tmp_path, "backup", "aura.db", "--force", "--database", database)
    assert "the database itself" in failed(tmp_path, "restore", "aura.db", "--database", database)
    assert "no such file" in failed(tmp_path, "backup", "new.db", "--database", "sqlite:///none.db")
    assert "can't be" in failed(tmp_path, "backup", "nowhere/new.db", "--database", database)
    assert {path.name for path in tmp_path.iterdir()} <= {"aura.db", "aura.db-shm", "aura.db-wal", "copy.db"}


def test_what_has_the_database_open_keeps_it(database: str, tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "aura.db")) as other:
        other.execute("SELECT count(*) FROM voice_queries").fetchall()
        assert "in use" in failed(tmp_path, "restore", "copy.db", "--database", database)
    assert aura("restore", "copy.db", "--database", database, folder=tmp_path).returncode == 0


def _turned(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[4096 * 3 : 4096 * 4] = bytes(range(256)) * 16
    file.write_bytes(content)


def _changed(statement: str) -> Any:
    def change(file: Path) -> None:
        with closing(sqlite3.connect(file, isolation_level=None)) as database:
            database.execute(statement)

    return change


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda file: file.write_bytes(file.read_bytes()[:50_000]), "copy.db"),
        (lambda file: file.write_bytes(b"nothing"), "can't be read as a database"),
        (lambda file: file.unlink(), "can't be restored"),
        (_turned, "copy.db"),
        (_changed("DELETE FROM voice_queries WHERE id = 'q7'"), "doesn't hold what it held"),
        (_changed("INSERT INTO migration_metadata VALUES (999, 0, 'later')"), "of a later version"),
        (_changed("DROP TABLE migration_metadata"), "records no migrations"),
    ],
)
def test_a_copy_that_isnt_whole_is_never_put_back(database: str, tmp_path: Path, change: Any, words: str) -> None:
    change(tmp_path / "copy.db")
    told = failed(tmp_path, "restore", "copy.db", "--database", database)
    assert words in told
    assert "restoring" not in told
    assert count(tmp_path / "aura.db") == 500
    assert not list(tmp_path.glob("*restor*"))


def test_an_older_copy_is_brought_to_this_versions_shape(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "old.db")) as database, database:
        for number in range(1, 6):
            [migration] = MIGRATIONS.glob(f"{number:03}_*.sql")
            database.executescript(migration.read_text("utf-8"))
        database.execute("INSERT INTO voice_queries (id, store_id, created_at, query_text) VALUES ('a', 's', 1, 'x')")
    ran = aura("restore", "old.db", "--database", "sqlite:///data/aura.db", folder=tmp_path)
    assert ran.returncode == 0, ran
    assert count(tmp_path / "data" / "aura.db", "evaluation_queue") == 1
    assert b"0" not in aura("migrate", "--database", "sqlite:///data/aura.db", folder=tmp_path).stdout


def test_a_broken_database_gives_way_and_is_kept(database: str, tmp_path: Path) -> None:
    (tmp_path / "aura.db").write_bytes(b"broken " * 1_000)
    (tmp_path / "aura.db-wal").write_bytes(b"broken too")
    ran = aura("restore", "copy.db", "--database", database, "--json", folder=tmp_path)
    assert ran.returncode == 0, ran
    kept = tmp_path / json.loads(ran.stdout)["kept"]
    assert kept.read_bytes().startswith(b"broken ")
    assert count(tmp_path / "aura.db") == 500


@pytest.mark.parametrize("log", LOGS)
def test_logs_of_a_database_that_is_gone_are_kept_and_not_played_into_the_copy(
    database: str, tmp_path: Path, log: str
) -> None:
    here = tmp_path / "aura.db"
    _killed(here, journal="wal" if log != "-journal" else "delete")
    here.unlink()
    assert here.with_name(f"aura.db{log}").exists()
    ran = aura("restore", "copy.db", "--database", database, "--json", folder=tmp_path)
    assert ran.returncode == 0, ran
    assert not here.with_name(f"aura.db{log}").exists()
    assert (tmp_path / json.loads(ran.stdout)["kept"]).exists()
    assert [path.name for path in tmp_path.glob(f"aura.db.before-restore-*{log}")]
    with closing(sqlite3.connect(here)) as restored:
        assert restored.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert count(here) == 500


def test_no_copy_is_written_where_it_would_meet_a_log(database: str, tmp_path: Path) -> None:
    _killed(tmp_path / "copy.db", journal="wal")
    assert "copy.db-wal is there" in failed(tmp_path, "backup", "copy.db", "--force", "--database", database)
    (tmp_path / "copy.db").unlink()
    assert "copy.db-wal is there" in failed(tmp_path, "backup", "copy.db", "--database", database)
    assert not (tmp_path / "copy.db").exists()


def _killed(file: Path, *, journal: str) -> None:
    """Leave a database as a process does that is killed while it changes something: with its logs."""
    changes = f"""
import os, signal, sqlite3
database = sqlite3.connect({str(file)!r}, isolation_level=None)
database.execute("PRAGMA journal_mode = {journal}")
database.execute("PRAGMA wal_autocheckpoint = 0")
database.execute("PRAGMA cache_size = 1")
database.execute("BEGIN")
database.execute("UPDATE voice_queries SET query_text = hex(randomblob(2000))")
database.execute("DELETE FROM voice_queries WHERE rowid % 2")
if {journal!r} == "wal":
    database.execute("COMMIT")
os.kill(os.getpid(), signal.SIGKILL)
"""
    subprocess.run([sys.executable, "-c", changes], check=False)


def test_postgresql_is_backed_up_by_its_own_tools(tmp_path: Path) -> None:
    with OwnPostgres() as server:
        url = server.create()
        events = b"".join(json.dumps(query(f"q{n}")).encode() + b"\n" for n in range(50))
        assert aura("ingest", "-", "--database", url, folder=tmp_path, stdin=events).returncode == 0
        assert "pg_dump" in failed(tmp_path, "backup", "copy.db", "--database", url)
        assert "pg_restore" in failed(tmp_path, "restore", "copy.db", "--database", url)
        dump = server.run("pg_dump", "--format=custom", f"--dbname={url}")
        again = server.create("again")
        server.run("pg_restore", "--no-owner", f"--dbname={again}", stdin=dump)
        assert b"nothing to apply" in aura("migrate", "--database", again, folder=tmp_path).stdout
        with server.opened("again") as connection:
            assert connection.execute("SELECT count(*) FROM voice_queries").fetchall() == [(50,)]


def test_what_is_done_with_a_whole_database_is_on_record(database: str, tmp_path: Path) -> None:
    def done(*arguments: str, url: str = database) -> None:
        ran = aura(*arguments, "--database", url, folder=tmp_path)
        assert ran.returncode == 0, ran

    def recorded(file: str) -> list[tuple[str, str]]:
        with closing(sqlite3.connect(tmp_path / file)) as opened:
            rows = opened.execute("SELECT action, subject, actor FROM audit_log ORDER BY number DESC").fetchall()
        assert all("@" in actor for _, _, actor in rows)
        return [(action, subject) for action, subject, _ in rows]

    done("backup", "made.db")
    done("d1", "export", "d1.sqlite")
    done("d1", "import", "d1.sqlite", url="sqlite:///there.db")
    ran = aura("copy", "--from", database, "--to", "sqlite:///there.db", folder=tmp_path)
    assert ran.returncode == 0, ran
    made, d1, here, there = (str(tmp_path / name) for name in ("made.db", "d1.sqlite", "aura.db", "there.db"))
    assert recorded("aura.db")[:3] == [
        ("database.copied", f"to {there}"),
        ("d1.exported", d1),
        ("backup.made", made),
    ]
    assert recorded("there.db") == [("database.copied", f"from {here}"), ("d1.imported", d1)]
    done("restore", "made.db")
    # The copy was made before it was on record that it was.
    assert recorded("aura.db")[0] == ("backup.restored", made)
    assert ("backup.made", made) not in recorded("aura.db")


def test_a_backup_of_what_takes_no_record_is_made_and_says_so(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "aura.db")) as old:
        old.executescript((MIGRATIONS / "001_voice_queries.sql").read_text("utf-8"))
    ran = aura("backup", "copy.db", "--database", "sqlite:///aura.db", folder=tmp_path)
    assert ran.returncode == 0, ran
    assert b"isn't on record" in ran.stderr
    assert count(tmp_path / "copy.db") == 0


def test_a_database_is_named_without_what_opens_it() -> None:
    settings = Settings(aura_database_url="postgresql://me:secret@db.example:5432/aura?sslkey=secret")
    assert name_of(settings) == "postgresql://db.example/aura"
