"""A copy that is made while events come in is one moment of the database, and can be put back whole."""

import json
import shutil
import sqlite3
import threading
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from acceptance.database import SqliteFile
from acceptance.service import Service, aura, query
from own_postgres import OwnPostgres

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
    folder = Path(__file__).parents[2] / "migrations" / "analytics"
    with closing(sqlite3.connect(tmp_path / "old.db")) as database, database:
        for number in range(1, 6):
            [migration] = folder.glob(f"{number:03}_*.sql")
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
