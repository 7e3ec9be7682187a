"""The archive as people use it: killed at any moment, said again, and brought back."""

import asyncio
import json
import random
import shutil
import signal
import sqlite3
import subprocess
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest

from acceptance.conftest import StartService
from acceptance.here import aura_here
from acceptance.nursery import COMMAND
from acceptance.service import PAUSE_S, Service, clean_environment, until
from aura_analytics.clock import now
from aura_analytics.events.records import Event, VoiceOutcome, VoiceQuery
from aura_analytics.opening import opened_store
from aura_analytics.settings import Settings

DAY_MS = 86_400_000
DAYS, EACH = 4, 120
KILLS = 5
PATIENCE_S = 60.0
# What may be seen of a run that is at work; it is killed right then.
SEEN = (
    "SELECT count(*) FROM archive_leftovers",
    "SELECT count(*) FROM archive_files",
    "SELECT count(*) FROM archive_days WHERE state = 'removing'",
    "SELECT count(*) FROM archived_ids",
)

# Any, throughout: what JSON and cells of a database can hold.
Details = dict[str, Any]


def events() -> list[Event]:
    """Some days of two stores, of which the last one is too young."""
    start = (now() // DAY_MS - DAYS) * DAY_MS
    made: list[Event] = []
    for n in range(DAYS * EACH):
        at = start + n * (DAY_MS // EACH)
        made.append(
            VoiceQuery(
                id=f"q{n:04}",
                store_id=f"shop-{n % 2}",
                created_at=at,
                received_at=at,
                query_text=f"where is number {n % 7}",
                session_id=f"s{n // 5}",
                user_id=f"u{n % 9}",
            )
        )
        if n % 10:
            made.append(VoiceOutcome(query_id=f"q{n:04}", occurred_at=at + 5, received_at=at + 5, latency_ms=n + 0.5))
    return made


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a database that is full and labelled."""
    settings = Settings(aura_database_url=f"sqlite:///{tmp_path}/aura.db")

    async def fill() -> None:
        async with opened_store(settings) as store:
            await store.append(events())
            await store.leave(await store.claim_due(10_000, now=2 * now(), lease_ms=1))

    asyncio.run(fill())
    return tmp_path


def details(folder: Path) -> dict[str, Details]:
    """All interactions, wherever they lie."""

    async def read() -> dict[str, Details]:
        async with opened_store(Settings(aura_database_url=f"sqlite:///{folder}/aura.db")) as store:
            found = await asyncio.gather(*[store.interaction(f"q{n:04}") for n in range(0, DAYS * EACH, 7)])
            return {one.query.id: msgspec.to_builtins(one) for one in found if one is not None}

    return asyncio.run(read())


def rows(folder: Path, sql: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(folder / "aura.db", timeout=PATIENCE_S)) as connection:
        return connection.execute(sql).fetchall()


def places(folder: Path) -> tuple[set[str], set[str]]:
    """The ids in the tables, and those in the archive, read at one moment."""
    found = rows(folder, "SELECT 'tables', id FROM voice_queries UNION ALL SELECT 'archive', id FROM archived_ids")
    assert len(found) == DAYS * EACH
    return {id for place, id in found if place == "tables"}, {id for place, id in found if place == "archive"}


def archiving(folder: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [COMMAND, "archive", "--older-than", "1", "--database", "sqlite:///aura.db"],
        cwd=folder,
        env=clean_environment(),
        stdout=subprocess.DEVNULL,
    )


def kill_at(folder: Path, process: subprocess.Popen[bytes], sql: str, least: int) -> None:
    """Kill a run as soon as something is to be seen, or let it end if it is faster."""
    deadline = time.monotonic() + PATIENCE_S
    with closing(sqlite3.connect(folder / "aura.db", timeout=PATIENCE_S)) as connection:
        while process.poll() is None and connection.execute(sql).fetchone()[0] < least:
            assert time.monotonic() < deadline
            time.sleep(PAUSE_S / 10)
    process.send_signal(signal.SIGKILL)
    process.wait()


def test_killed_at_any_moment_and_said_again_nothing_is_lost_and_nothing_is_there_twice(folder: Path) -> None:
    before = details(folder)
    chance = random.Random(folder.name)
    for _ in range(KILLS):
        sql = chance.choice(SEEN)
        [(there,)] = rows(folder, sql)
        kill_at(folder, archiving(folder), sql, there + (chance.choice([1, 40, 100]) if "archived_ids" in sql else 1))
        tables, archive = places(folder)
        assert not tables & archive
        assert len(tables | archive) == DAYS * EACH
        assert details(folder) == before
    done = aura_here("archive", "--older-than", "1", "--database", "sqlite:///aura.db", folder=folder)
    assert (done.exit_code, done.stderr) == (0, ""), done
    tables, archive = places(folder)
    assert (len(tables), len(archive)) == (EACH, (DAYS - 1) * EACH)
    assert details(folder) == before
    assert_tidy(folder)

    back = aura_here("archive", "restore", "--database", "sqlite:///aura.db", folder=folder)
    assert json.loads(back.stdout)["interactions"] == (DAYS - 1) * EACH
    assert len(places(folder)[0]) == DAYS * EACH
    assert details(folder) == before
    assert not list((folder / "aura.db.archive").rglob("*.parquet"))
    told = aura_here("audit", "--database", "sqlite:///aura.db", "--action", "archive.restored", folder=folder)
    assert json.loads(told.stdout)[0]["details"]["interactions"] == (DAYS - 1) * EACH


def assert_tidy(folder: Path) -> None:
    """All files count, and hold nothing else than what is in force."""
    files = sorted(str(path.relative_to(folder / "aura.db.archive")) for path in folder.rglob("*.parquet"))
    assert files == [path for (path,) in rows(folder, "SELECT path FROM archive_files ORDER BY path")]
    assert rows(folder, "SELECT count(*) FROM archive_files WHERE held != interactions") == [(0,)]
    assert rows(folder, "SELECT count(*) FROM archive_leftovers") == [(0,)]
    assert rows(folder, "SELECT DISTINCT state FROM archive_days") == [("done",)]


def test_what_copies_the_database_says_what_lies_elsewhere(folder: Path) -> None:
    here: list[str] = ["--database", "sqlite:///aura.db"]
    assert aura_here("archive", "--older-than", "1", *here, folder=folder).exit_code == 0
    told = f"{(DAYS - 1) * EACH} interactions lie in the archive"
    for command in (
        ["backup", "copy.db", *here],
        ["d1", "export", "d1.sql", *here],
        ["copy", "--from", "sqlite:///aura.db", "--to", "sqlite:///other.db"],
    ):
        done = aura_here(*command, folder=folder)
        assert done.exit_code == 0, done
        assert told in done.stderr
    refused = aura_here("copy", "--from", "sqlite:///other.db", "--to", "sqlite:///aura.db", folder=folder)
    assert refused.exit_code == 1
    assert "archive" in str(refused.exception)
    listed = json.loads(aura_here("archive", "list", *here, folder=folder).stdout)
    assert [row["interactions"] for row in listed] == [EACH] * (DAYS - 1)
    for option in ([], ["--rebuild"]):
        checked = aura_here("verify", "--json", *option, *here, folder=folder).stdout
        found = json.loads(
            checked[checked.index("{\n") :]
        )  # behind what is logged, since this is no process of its own
        assert (found["interactions"], found["differing"]) == (DAYS * EACH, 0)


def test_what_is_gone_for_good_is_given_up_by_a_command_that_first_says_what(folder: Path) -> None:
    here: list[str] = ["--database", "sqlite:///aura.db"]
    assert aura_here("archive", "--older-than", "1", *here, folder=folder).exit_code == 0
    nothing = {"days": 0, "interactions": 0, "files": 0}
    assert json.loads(aura_here("archive", "abandon", "--yes", *here, folder=folder).stdout) == nothing
    next(folder.rglob("*.parquet")).unlink()
    told = aura_here("archive", "abandon", *here, folder=folder)
    gone = json.loads(told.stdout)
    assert gone["files"] == 1
    assert "nothing is given up yet" in told.stderr
    assert json.loads(aura_here("archive", "abandon", *here, folder=folder).stdout) == gone
    assert json.loads(aura_here("archive", "abandon", "--yes", *here, folder=folder).stdout) == gone
    assert json.loads(aura_here("archive", "abandon", *here, folder=folder).stdout) == nothing
    assert_tidy(folder)
    [entry] = [one for one in audited(folder) if one["action"] == "archive.abandoned"]
    assert entry["details"] == gone
    shutil.rmtree(folder / "aura.db.archive")
    refused = aura_here("archive", "abandon", "--yes", *here, folder=folder)
    assert (refused.exit_code, "files don't lie there" in str(refused.exception)) == (1, True)
    waits = aura_here("archive", "--older-than", "0", *here, folder=folder)
    assert (waits.exit_code, "nothing was written" in str(waits.exception)) == (1, True)
    assert not (folder / "aura.db.archive").exists()
    rest = json.loads(aura_here("archive", "abandon", "--yes", "--all", *here, folder=folder).stdout)
    assert rest["interactions"] + gone["interactions"] == (DAYS - 1) * EACH
    checked = aura_here("verify", "--json", "--rebuild", *here, folder=folder).stdout
    assert json.loads(checked[checked.index("{\n") :])["interactions"] == EACH


def test_days_that_end_before_they_begin_are_refused(folder: Path) -> None:
    here: list[str] = ["--database", "sqlite:///aura.db"]
    refused = aura_here("archive", "restore", "--from", "2026-02-01", "--to", "2026-01-01", *here, folder=folder)
    assert (refused.exit_code, "--from is after --to" in refused.stderr) == (2, True)
    same = aura_here("archive", "restore", "--from", "2026-02-01", "--to", "2026-02-01", *here, folder=folder)
    assert (same.exit_code, json.loads(same.stdout)["days"]) == (0, 0)


def audited(folder: Path) -> list[dict[str, Any]]:
    found = aura_here("audit", "--json", "--database", "sqlite:///aura.db", folder=folder).stdout
    told: list[dict[str, Any]] = json.loads(found)
    return told


@pytest.mark.backends("sqlite")
def test_a_server_archives_and_deletes_by_its_settings(folder: Path, start_service: StartService) -> None:
    (folder / "own").mkdir()
    for file in folder.glob("aura.db*"):
        file.rename(folder / "own" / file.name)
    service = start_service(ARCHIVE_AFTER_DAYS="1", RETENTION_DAYS="2")

    def is_done() -> bool:
        return any(line["event"] == "archived" for line in service.log())

    until(is_done, within_s=PATIENCE_S)
    tables, archive = places_of(service)
    assert (len(tables), len(archive)) == (EACH, EACH)  # of yesterday and of the day before
    assert until(lambda: service.get("/stats/summary", period="all")["totalQueries"] == 2 * EACH)
    assert service.get("/verify")["differing"] == 0
    id = min(archive)
    assert service.get(f"/interactions/{id}")["query"]["id"] == id
    told = {entry["action"]: entry["actor"] for entry in service.get("/audit")}
    assert told == {"archive.written": "server", "interactions.deleted": "server"}


def places_of(service: Service) -> tuple[set[str], set[str]]:
    tables = {id for (id,) in service.rows("SELECT id FROM voice_queries")}
    return tables, {id for (id,) in service.rows("SELECT id FROM archived_ids")}
