"""The service as people run it: its own process, in a folder of its own, with nothing of this one's environment."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import Any, Self, TypeVar

import httpx

from acceptance import nursery
from acceptance.database import PATIENCE_S, Connection, Database, SqliteFile
from acceptance.nursery import Process
from aura_analytics.settings import Settings
from aura_analytics.store import columns_path

PAUSE_S = 0.02

Found = TypeVar("Found")

# Any, throughout: what JSON and cells of a database can hold.
Event = dict[str, Any]


def until(look: Callable[[], Found | None], *, within_s: float = PATIENCE_S) -> Found:
    """Look again and again until there is something to see."""
    deadline = time.monotonic() + within_s
    while not (found := look()):
        if time.monotonic() > deadline:
            raise AssertionError(f"nothing to see within {within_s:g} s; the last look gave {found!r}")
        time.sleep(PAUSE_S)
    return found


def clean_environment(**settings: str) -> dict[str, str]:
    """An environment that holds what any process needs, and the settings that are named."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "SYSTEMROOT", "TMPDIR") if name in os.environ}
    return {**kept, "LANG": "C.UTF-8", **settings}


def aura(
    *arguments: str | Path, folder: Path, stdin: bytes = b"", settings: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[bytes]:
    """Run the command to its end, with its output in a file."""
    environment = clean_environment(**(settings or {}))
    return nursery.ran(*arguments, cwd=folder, env=environment, stdin=stdin, timeout_s=PATIENCE_S * 2)


def children(service: "Service") -> list[int]:
    """The processes that the service has started, where the system tells."""
    pid = service.process.pid
    listed = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(child) for child in listed.read_text("ascii").split()] if listed.exists() else []


def runs(pid: int) -> bool:
    """Whether a process is there and not only waits to be buried."""
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text("utf-8")
    except (FileNotFoundError, ProcessLookupError):
        return False


def query(id: str | None = None, /, **fields: Any) -> Event:
    """A query in the documented dialect; a field that is None is left out."""
    event = {
        "event_type": "voice_query",
        "query_id": id,
        "store_id": "shop",
        "query_text": "where are the red apples",
        **fields,
    }
    return {name: value for name, value in event.items() if value is not None}


def outcome(id: str, /, **fields: Any) -> Event:
    """A successful outcome in the documented dialect; a field that is None is left out."""
    event = {"event_type": "voice_outcome", "query_id": id, "action_success": 1, **fields}
    return {name: value for name, value in event.items() if value is not None}


def ndjson(events: Sequence[Event]) -> bytes:
    """One event a line."""
    return b"".join(json.dumps(event).encode() + b"\n" for event in events)


class Service:
    """One service and its database; it can be stopped, killed and started again. Use it in a `with`.

    Args:
        folder: the working directory.
        database: the rows; a file in the folder, if nothing else is said.
        settings: of the environment, by their names.
    """

    def __init__(self, folder: Path, database: Database | None = None, **settings: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.database = database or SqliteFile(folder / "aura.db")
        self.settings = settings
        self.url = ""
        self._logs: list[Path] = []
        self._groups: list[int] = []
        self._process: Process | None = None
        self._client: httpx.Client | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        left = []
        if self._process is not None:
            left = children(self)
            self.kill()
        for group in self._groups:  # processes that a killed one left behind would hold its files
            with suppress(ProcessLookupError):
                os.killpg(group, signal.SIGKILL)
        until(lambda: not any(map(runs, left)))

    def start(self) -> None:
        """Start on the same database; returns once requests are taken."""
        log = self.folder / f"stderr-{len(self._logs) + 1}.log"
        self._logs.append(log)
        with log.open("wb") as stderr:
            arguments = ("serve", "--port", "0", "--database", self.database_url)
            environment = clean_environment(**self.settings)
            self._process = nursery.started(*arguments, cwd=self.folder, env=environment, stderr=stderr, alone=True)
        self._groups.append(self._process.pid)
        try:
            self.url = until(self._announced)
        except AssertionError:
            self.kill()
            raise
        self._client = httpx.Client(base_url=self.url, trust_env=False, timeout=PATIENCE_S)

    def _announced(self) -> str | None:
        if self.process.poll() is not None:
            raise AssertionError(f"the service ended by itself: {self._logs[-1].read_text()}")
        return next((str(line["url"]) for line in self.log() if line["event"] == "serving"), None)

    @property
    def process(self) -> Process:
        """The process that runs."""
        assert self._process is not None, "the service isn't running"
        return self._process

    def lives(self) -> bool:
        """Whether the process runs."""
        if self._process is not None and self._process.poll() is not None:
            self.ended()
        return self._process is not None

    @property
    def http(self) -> httpx.Client:
        """A client of the service that runs."""
        assert self._client is not None, "the service isn't running"
        return self._client

    @property
    def database_url(self) -> str:
        """The row database as the settings name it."""
        return self.database.url

    @property
    def columns(self) -> Path:
        """The file of the columns, as long as no other service has its columns in the same folder."""
        return self.folder / columns_path(Settings(aura_database_url=self.database_url))

    def signal(self, number: signal.Signals) -> None:
        """Send the process a signal."""
        self.process.send_signal(number)

    def ended(self) -> int:
        """Wait for the end of the process; give its exit code."""
        code = self.process.wait(PATIENCE_S)
        self._process = None
        if self._client is not None:
            self._client.close()
            self._client = None
        return code

    def stop(self) -> int:
        """End it as a supervisor does; give the exit code."""
        self.signal(signal.SIGTERM)
        return self.ended()

    def kill(self) -> None:
        """End it as a power cut does."""
        self.signal(signal.SIGKILL)
        self.ended()

    def log(self) -> list[dict[str, Any]]:
        """What the process that was started last has logged, each line whole."""
        text = self._logs[-1].read_bytes()
        whole, _, _ = text.rpartition(b"\n")
        try:
            return [json.loads(line) for line in whole.splitlines()]
        except ValueError:
            raise AssertionError(f"the log isn't JSON lines:\n{text.decode()}") from None

    def complaints(self) -> list[dict[str, Any]]:
        """The lines of the log that tell of a bug."""
        return [line for line in self.log() if line["level"] in ("error", "critical")]

    def ingest(self, *events: Event) -> dict[str, Any]:
        """Send events that are right; give the answer."""
        answer = self.http.post("/ingest", json=list(events))
        assert answer.status_code == 200, answer.text
        receipt: dict[str, Any] = answer.json()
        return receipt

    def get(self, path: str, **parameters: Any) -> Any:
        """Ask an endpoint; give its JSON."""
        given = {name.rstrip("_"): value for name, value in parameters.items()}
        answer = self.http.get(path, params=given)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def aura(self, *arguments: str | Path, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        """Run another command on the same database, under the same settings."""
        settings = {"AURA_DATABASE_URL": self.database_url, **self.settings}
        return aura(*arguments, folder=self.folder, stdin=stdin, settings=settings)

    def opened(self) -> AbstractContextManager[Connection]:
        """The row database, from outside; each statement is its own transaction."""
        return self.database.opened()

    def rows(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        """What the row database says."""
        with self.opened() as connection:
            found: list[tuple[Any, ...]] = connection.execute(sql, values).fetchall()
        return found

    def row(self, table: str, id: str) -> dict[str, Any]:
        """The only row of an id, by column."""
        key = "id" if table == "voice_queries" else "query_id"
        with self.opened() as connection:
            cursor = connection.execute(f"SELECT * FROM {table} WHERE {key} = ?", (id,))
            columns, found = [column[0] for column in cursor.description], cursor.fetchall()
        assert len(found) == 1, f"{len(found)} rows of {id} in {table}"
        return dict(zip(columns, found[0], strict=True))
