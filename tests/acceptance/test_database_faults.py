"""What becomes of the row database's faults: a plain answer, no restart, and nothing lost that was acknowledged."""

import os
import shutil
import signal
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from typing import Any, Self

import httpx
import psycopg
import pytest

from acceptance.database import Database, PostgresDatabase, SqliteFile
from acceptance.service import Service, aura, outcome, query, until
from acceptance.watching import QUICK, Watching
from own_postgres import OwnPostgres
from postgres_server import UNPRIVILEGED, _user

SENDERS = 3
# More than any answer may take, whatever is wrong.
PATIENCE_S = 60.0
RECOVERY_S = 40.0


class Traffic(threading.Thread):
    """Sends pairs of events one after the other until it is told to stop, whatever the answers are.

    `acknowledged` holds the ids of what was answered with 200, `refused` how many others there were, `odd` what no
    answer may be.
    """

    def __init__(self, service: Service, name: str) -> None:
        super().__init__(name=name)
        self._client = httpx.Client(base_url=service.url, trust_env=False, timeout=PATIENCE_S)
        self._stopping = threading.Event()
        self.acknowledged: list[str] = []
        self.refused = 0
        self.odd: list[str] = []

    def run(self) -> None:
        number = 0
        with self._client:
            while not self._stopping.wait(0.01):
                id = f"{self.name}-{number}"
                number += 1
                pair = [query(id, query_text="red apples " * 50), outcome(id, latency_ms=100)]
                try:
                    answer = self._client.post("/ingest", json=pair)
                except httpx.HTTPError as error:
                    self.odd.append(repr(error))
                    continue
                if answer.status_code == 200:
                    self.acknowledged.append(id)
                elif is_come_back(answer):
                    self.refused += 1
                else:
                    self.odd.append(f"{answer.status_code} {answer.headers} {answer.text}")

    def stop(self) -> None:
        self._stopping.set()


def is_come_back(answer: httpx.Response) -> bool:
    """Whether an answer says that one should come back later, as a problem and with the time."""
    return (
        answer.status_code == 503
        and answer.headers["content-type"] == "application/problem+json"
        and int(answer.headers["retry-after"]) >= 1
        and answer.json()["code"] in ("store_unavailable", "queue_full")
    )


class Load:
    """Some senders at work. Use it in a `with`."""

    def __init__(self, service: Service, name: str) -> None:
        self._senders = [Traffic(service, f"{name}-{n}") for n in range(SENDERS)]

    def __enter__(self) -> Self:
        for sender in self._senders:
            sender.start()
        self.goes_on()
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def end(self) -> None:
        for sender in self._senders:
            sender.stop()
        for sender in self._senders:
            sender.join()

    @property
    def acknowledged(self) -> set[str]:
        return {id for sender in self._senders for id in list(sender.acknowledged)}

    @property
    def refused(self) -> int:
        return sum(sender.refused for sender in self._senders)

    @property
    def odd(self) -> list[str]:
        return [each for sender in self._senders for each in list(sender.odd)]

    def goes_on(self) -> None:
        """Wait until more of each is acknowledged."""
        before = [len(sender.acknowledged) for sender in self._senders]
        until(
            lambda: all(len(one.acknowledged) > n + 5 for one, n in zip(self._senders, before, strict=True)),
            within_s=RECOVERY_S,
        )

    def is_refused(self) -> None:
        """Wait until something is refused."""
        before = self.refused
        until(lambda: self.refused > before, within_s=RECOVERY_S)


def told(service: Service) -> str:
    """What the service says of its database, and accordingly of itself."""
    answer = service.http.get("/health")
    health = answer.json()
    usable = health["database"] == "usable"
    assert (answer.status_code, health["status"]) == ((200, "healthy") if usable else (503, "unhealthy"))
    return str(health["database"])


def is_told(service: Service, *words: str) -> None:
    """Wait until the service says one of these of its database."""
    said: dict[str, None] = {}

    def says() -> bool:
        said[word := told(service)] = None
        return word in words

    try:
        until(says, within_s=RECOVERY_S)
    except AssertionError as error:
        error.add_note(f"it said {', '.join(said)}")
        raise


def numbers(service: Service) -> dict[str, Any] | None:
    """The summary of all, if it can be had."""
    answer = service.http.get("/stats/summary", params={"period": "all"})
    assert answer.status_code in (200, 503), answer.text
    return answer.json() if answer.status_code == 200 else None


def assert_nothing_is_lost(service: Service, load: Load) -> None:
    """What was acknowledged is there, each interaction whole and once; the statistics and the labels hold all of it."""
    assert load.odd == []
    queries = [id for (id,) in service.rows("SELECT id FROM voice_queries")]
    outcomes = {id for (id,) in service.rows("SELECT query_id FROM voice_outcomes")}
    assert len(queries) == len(set(queries))
    assert set(queries) == outcomes, "what came together is stored whole or not at all"
    assert load.acknowledged <= set(queries)
    summary = until(lambda: numbers(service), within_s=RECOVERY_S)
    assert summary["totalQueries"] == summary["successfulQueries"] == len(queries)
    assert service.get("/verify")["differing"] == 0
    until(lambda: not service.rows("SELECT 1 FROM evaluation_queue"), within_s=RECOVERY_S)
    assert service.rows("SELECT count(*) FROM voice_evaluations") == [(len(queries),)]
    assert service.complaints() == []


# PostgreSQL


@contextmanager
def small_disk(folder: Path, megabytes: int) -> Iterator[None]:
    """Have a disk of its own at a folder, where this process may make one."""
    folder.mkdir()
    wanted = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(folder)]
    made = subprocess.run(wanted, capture_output=True, check=False) if shutil.which("mount") else None
    if made is None or made.returncode:
        yield
        return
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


def fill(disk: Path) -> Path:
    """Take what is left of a disk; give the file that holds it."""
    if not os.path.ismount(disk):
        pytest.skip("a disk of one's own can't be mounted here")
    balloon = disk / "balloon"
    with balloon.open("wb", buffering=0) as file:
        for size in (1 << 20, 1 << 12):
            with suppress(OSError):
                while True:
                    file.write(b"\0" * size)
    return balloon


@pytest.fixture(scope="module")
def server() -> Iterator[OwnPostgres]:
    """A server with few connections, whose database lies on a small disk."""
    with (
        OwnPostgres(settings={"max_connections": "30", "recovery_init_sync_method": "syncfs"}) as own,
        small_disk(own.home / "disk", 300),
    ):
        if _user():
            shutil.chown(own.home / "disk", UNPRIVILEGED)
        own.execute(f"CREATE TABLESPACE small LOCATION '{own.home / 'disk'}'")
        yield own
        own.stop()


@pytest.fixture(scope="module")
def service(server: OwnPostgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service on that database with an evaluator beside it; nothing of it is started anew all the while."""
    folder = tmp_path_factory.mktemp("faults")
    url = server.create(more="TABLESPACE small")
    with ExitStack() as stack:
        made = stack.enter_context(Service(folder / "service", PostgresDatabase(url), AURA_EVALUATE="off", **QUICK))
        evaluator = stack.enter_context(Watching(folder / "evaluator", url, EVAL_LEASE_SECONDS="1"))
        yield made
        assert made.lives()
        assert evaluator.process.poll() is None
        assert [line for line in evaluator.log() if line["level"] in ("error", "critical")] == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGQUIT, signal.SIGKILL], ids=["fast", "immediate", "killed"])
def test_a_server_that_goes_and_comes_back(server: OwnPostgres, service: Service, number: signal.Signals) -> None:
    with Load(service, f"gone-{number}") as load:
        if number == signal.SIGKILL:
            server.kill()
        else:
            server.stop(number)
        is_told(service, "away")
        load.is_refused()
        server.start()
        load.goes_on()
        is_told(service, "usable")
    assert_nothing_is_lost(service, load)


def test_a_session_that_is_killed_takes_all_others_with_it(server: OwnPostgres, service: Service) -> None:
    """So does PostgreSQL, since nobody knows what it left in the memory that they share."""
    with Load(service, "session") as load:
        os.kill(server.sessions(service.database_url)[0], signal.SIGKILL)
        load.is_refused()
        load.goes_on()
        is_told(service, "usable")
    assert_nothing_is_lost(service, load)


def test_sessions_that_are_ended_one_by_one_are_no_trouble(server: OwnPostgres, service: Service) -> None:
    with Load(service, "ended") as load:
        for _ in range(5):
            for pid in server.sessions(service.database_url):
                server.execute(f"SELECT pg_terminate_backend({pid})")
            load.goes_on()
    assert_nothing_is_lost(service, load)


@contextmanager
def all_connections(server: OwnPostgres, url: str) -> Iterator[None]:
    """Take all connections that the server has, those of the service too."""
    with ExitStack() as stack:

        def hold(most: int) -> None:
            with suppress(psycopg.OperationalError):
                for _ in range(most):
                    stack.enter_context(closing(psycopg.connect(url, application_name="hog")))

        def hold_all() -> bool:
            hold(100)
            taken = server.sessions(url)
            with server.opened() as connection:
                for pid in taken:
                    connection.execute("SELECT pg_terminate_backend(%s)", [pid])
                    hold(1)  # before the service does
            return not taken

        until(hold_all, within_s=RECOVERY_S)
        yield


def test_a_server_without_a_connection_to_spare(server: OwnPostgres, service: Service) -> None:
    with Load(service, "connections") as load:
        with all_connections(server, service.database_url):
            is_told(service, "busy")
            load.is_refused()
        load.goes_on()
        is_told(service, "usable")
    assert_nothing_is_lost(service, load)


def test_a_server_that_takes_no_changes(server: OwnPostgres, service: Service) -> None:
    with Load(service, "reading") as load:
        server.set("default_transaction_read_only", "on")
        try:
            is_told(service, "read-only")
            load.is_refused()
            until(lambda: numbers(service), within_s=RECOVERY_S)  # reading goes on
        finally:
            server.set("default_transaction_read_only", None)
        load.goes_on()
        is_told(service, "usable")
    assert_nothing_is_lost(service, load)


def test_a_disk_that_is_full(server: OwnPostgres, service: Service) -> None:
    with Load(service, "full") as load:
        balloon = fill(server.home / "disk")
        try:
            load.is_refused()
            is_told(service, "full")
        finally:
            balloon.unlink()
        load.goes_on()
        is_told(service, "usable")
    assert_nothing_is_lost(service, load)


def test_a_disk_that_is_full_is_told_where_nobody_writes_any_more(server: OwnPostgres, service: Service) -> None:
    with Load(service, "full-once") as load:
        balloon = fill(server.home / "disk")
        load.is_refused()
    try:
        is_told(service, "full")
    finally:
        balloon.unlink()
    is_told(service, "usable")
    assert_nothing_is_lost(service, load)


def test_a_server_that_is_frozen_for_a_while(server: OwnPostgres, service: Service) -> None:
    with Load(service, "frozen") as load:
        server.freeze()
        try:
            is_told(service, "slow")
        finally:
            server.resume()
        load.goes_on()
        is_told(service, "usable")
    assert_nothing_is_lost(service, load)


def test_tables_that_somebody_else_has_locked(service: Service) -> None:
    """That they are refused after a while is tested where the database stays locked."""
    with Load(service, "locked") as load:
        with service.database.locked():
            is_told(service, "slow")
        load.goes_on()
        is_told(service, "usable")
    assert_nothing_is_lost(service, load)


def test_a_service_ends_in_order_while_its_database_is_away(
    server: OwnPostgres, service: Service, tmp_path: Path
) -> None:
    with Service(tmp_path / "another", service.database, **QUICK) as another:
        another.ingest(query("before", query_text="apples"), outcome("before"))
        server.stop()
        try:
            is_told(another, "away")
            assert is_come_back(another.http.post("/ingest", json=query("meanwhile")))
            assert is_come_back(another.http.get("/interactions/before"))
            assert another.stop() == 0
            assert another.complaints() == []
        finally:
            server.start()
    is_told(service, "usable")


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("postgresql://aura:not-the-secret@127.0.0.1:{port}/postgres", "doesn't take the user or the password"),
        ("postgresql://aura:very-secret@127.0.0.1:{port}/nowhere-else", "the database or its user doesn't exist"),
        ("postgresql://aura:very-secret@nowhere-else.invalid/aura", "can't be reached"),
        ("postgresql://aura:very-secret@127.0.0.1:{port}/aura?nonsense=1", "can't be read"),
    ],
    ids=["password", "database", "host", "url"],
)
def test_a_url_that_leads_nowhere_is_told_in_a_line(
    tmp_path: Path, reachable: OwnPostgres, url: str, words: str
) -> None:
    settings = {"AURA_DATABASE_URL": url.format(port=reachable.port)}
    for command in (("stats", "summary"), ("migrate",)):
        ran = aura(*command, folder=tmp_path, settings=settings)
        told = ran.stderr.decode()
        assert ran.returncode != 0
        assert ran.stdout == b""
        assert words in told
        assert told.count("\n") == 1
        assert not any(secret in told for secret in ("secret", "aura:", "127.0.0.1", "nowhere-else"))


@pytest.fixture(scope="module")
def reachable() -> Iterator[OwnPostgres]:
    """A server that asks for a password."""
    with OwnPostgres(reachable=True) as own:
        yield own


# SQLite


@pytest.fixture
def disk() -> Iterator[Path]:
    """A small disk."""
    folder = Path(tempfile.mkdtemp(prefix="aura_disk_"))
    try:
        with small_disk(folder / "disk", 60):
            yield folder / "disk"
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def on_a_file(folder: Path, database: Database | None = None) -> Iterator[Service]:
    # The columns lie elsewhere: what becomes of them on a full disk is another question.
    columns = {"AURA_COLUMNS_PATH": str(folder / "columns.duckdb")}
    with Service(folder, database, EVAL_LEASE_SECONDS="1", **QUICK, **columns) as made:
        yield made


def test_a_disk_without_room_for_a_file(tmp_path: Path, disk: Path) -> None:
    with on_a_file(tmp_path / "service", SqliteFile(disk / "aura.db")) as service, Load(service, "full") as load:
        balloon = fill(disk)
        load.is_refused()
        is_told(service, "full")
        balloon.unlink()
        load.goes_on()
        is_told(service, "usable")
        load.end()
        assert_nothing_is_lost(service, load)


def test_a_file_that_somebody_else_keeps_for_himself(tmp_path: Path) -> None:
    with on_a_file(tmp_path / "service") as service, Load(service, "locked") as load:
        with service.opened() as other:
            other.execute("BEGIN EXCLUSIVE")
            load.is_refused()
            is_told(service, "busy", "slow")
            other.execute("ROLLBACK")
        load.goes_on()
        is_told(service, "usable")
        load.end()
        assert_nothing_is_lost(service, load)
