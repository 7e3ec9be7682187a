"""Going back to a moment with PostgreSQL's own tools, as the page about backups has it."""

import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from acceptance.database import PostgresDatabase
from acceptance.service import Service, query, until
from own_postgres import OWNER, OwnPostgres
from postgres_server import UNPRIVILEGED, _user

KEPT = 300


def owned(path: Path) -> Path:
    """Give a folder to whoever the server runs as."""
    if _user():
        for one in (path, *path.rglob("*")):
            shutil.chown(one, UNPRIVILEGED)
    return path


@pytest.fixture
def archived(tmp_path: Path) -> Iterator[OwnPostgres]:
    """A server that archives its log."""
    del tmp_path
    postgres = OwnPostgres(settings={"archive_mode": "on"})
    archive = postgres.home / "archive"
    archive.mkdir()
    owned(archive)
    postgres._settings["archive_command"] = f"test ! -f {archive}/%f && cp %p {archive}/%f"
    postgres._settings["restore_command"] = f"cp {archive}/%f %p"
    with postgres:
        with (postgres.data / "pg_hba.conf").open("a", encoding="utf-8") as rules:
            rules.write("local replication all trust\n")
        postgres.execute("SELECT pg_reload_conf()")
        yield postgres


def go_back(postgres: OwnPostgres, backup: Path, moment: str) -> None:
    """Put a base backup in the place of the database, and roll it forward to a moment."""
    postgres.stop(signal.SIGINT)
    postgres.data.rename(postgres.home / "damaged")
    postgres.data.mkdir(mode=0o700)
    shutil.unpack_archive(backup / "base.tar.gz", postgres.data, filter="tar")
    shutil.unpack_archive(backup / "pg_wal.tar.gz", postgres.data / "pg_wal", filter="tar")
    (postgres.data / "recovery.signal").touch()
    owned(postgres.data)
    postgres._settings |= {"recovery_target_time": moment, "recovery_target_action": "promote"}
    postgres.start()
    until(lambda: postgres.execute("SELECT NOT pg_is_in_recovery()") == [(True,)])


def test_all_that_was_acknowledged_before_a_moment_is_there_and_nothing_after_it(
    archived: OwnPostgres, tmp_path: Path
) -> None:
    database = PostgresDatabase(archived.create())
    with Service(tmp_path / "service", database, AURA_EVALUATE="off") as service:
        service.ingest(query("before"))
        backup = archived.home / "base"
        backup.mkdir()
        owned(backup)
        archived.run(
            "pg_basebackup", "--format=tar", "--gzip", f"--pgdata={backup}", f"--host={archived.data}",
            f"--username={OWNER}", "--checkpoint=fast",
        )  # fmt: skip
        service.ingest(*(query(f"kept-{n}") for n in range(KEPT)))
        [(moment,)] = archived.execute("SELECT clock_timestamp()::text")
        service.ingest(query("after"))
        archived.execute("DELETE FROM voice_queries WHERE id LIKE 'kept-%'", "aura")  # somebody's mistake
        assert service.get("/stats/summary", period="all")["totalQueries"] >= 2
        [(log,)] = archived.execute("SELECT pg_walfile_name(pg_switch_wal())")
        until((archived.home / "archive" / str(log)).exists)
        assert service.stop() == 0
        go_back(archived, backup, str(moment))
        service.start()  # with its file of columns
        assert {id for (id,) in service.rows("SELECT id FROM voice_queries")} == {
            "before",
            *(f"kept-{n}" for n in range(KEPT)),
        }
        assert service.get("/stats/summary", period="all")["totalQueries"] == KEPT + 1
        service.ingest(query("after"))  # its sender has kept it
        assert service.get("/stats/summary", period="all")["totalQueries"] == KEPT + 2
        assert not service.complaints()
