"""A PostgreSQL of one test's own, that it may restart, stop, kill, freeze and starve.

It keeps what it says over a power cut, as every server does. It ends with the test, and with the process of the test,
however that one ends.
"""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any, Self

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from postgres_server import CLUSTER, PATIENCE_S, PAUSE_S, UNPRIVILEGED, USER, _programs, _user

SETTINGS = {"shared_buffers": "16MB", "deadlock_timeout": "100ms", "max_wal_size": "64MB"}
OWNER = "postgres"
# Waits for the end of its input, which only the test's process holds open, and removes the server and its folder then.
KEEPER = 'cat; if [ -f "$1" ]; then kill -QUIT $(head -n 1 "$1"); sleep 1; fi; rm -rf "$2"'


class OwnPostgres:
    """A server. Use it in a `with`: it runs from then on.

    Args:
        reachable: whether it listens on a port of the loopback address too, where a password is asked for.
        programs: where its programs are, if not where the package for tests has them.
        settings: of the server, by their names; they stay over a restart.
    """

    def __init__(
        self, *, reachable: bool = False, programs: Path | None = None, settings: Mapping[str, str] | None = None
    ) -> None:
        self.home = Path(tempfile.mkdtemp(prefix="aura_own_postgres_"))
        self.home.chmod(0o755)
        self.data = self.home / "data"
        self.log = self.home / "log"
        self.port = _free_port() if reachable else 5432
        listens = {"listen_addresses": "127.0.0.1" if reachable else "", "port": str(self.port)}
        self._settings = SETTINGS | listens | {"unix_socket_directories": str(self.data)} | dict(settings or {})
        self._programs = programs or _programs(self.home)
        self._keeper = subprocess.Popen(
            ["sh", "-c", KEEPER, "keeper", self.data / "postmaster.pid", self.home], stdin=subprocess.PIPE
        )
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.data.mkdir(mode=0o700)
        if _user():
            shutil.chown(self.data, UNPRIVILEGED)
        arguments = [f"--username={OWNER}", "--no-sync", "--no-instructions", "-D", str(self.data), *CLUSTER]
        self.run("initdb", *arguments)
        (self.data / "pg_hba.conf").write_text(
            "local all all trust\nhost all all 127.0.0.1/32 scram-sha-256\n", "utf-8"
        )
        self.start()
        self.execute(f"CREATE ROLE {USER} LOGIN CREATEDB PASSWORD 'very-secret'")
        return self

    def __exit__(self, *_: object) -> None:
        assert self._keeper.stdin is not None
        if self._process is not None and self._process.poll() is None:
            self.resume()
            self.stop(signal.SIGQUIT)
        (self.data / "postmaster.pid").unlink(missing_ok=True)
        self._keeper.stdin.close()
        self._keeper.wait(PATIENCE_S)

    def run(self, program: str, *arguments: str | Path, stdin: bytes = b"") -> bytes:
        """Run one of PostgreSQL's own programs; give what it says."""
        command = [self._programs / program, *arguments]
        ran = subprocess.run(command, check=True, cwd=self.home, user=_user(), stdout=subprocess.PIPE, input=stdin)
        return ran.stdout

    def begin(self) -> None:
        """Start it, and don't wait for it."""
        words = [word for name, value in self._settings.items() for word in ("-c", f"{name}={value}")]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [self._programs / "postgres", "-D", self.data, *words],
                cwd=self.home, user=_user(), stdin=subprocess.DEVNULL, stdout=log, stderr=log, process_group=0,
            )  # fmt: skip

    def start(self) -> None:
        """Start it; returns once it takes connections."""
        self.begin()
        assert self._process is not None
        deadline = time.monotonic() + PATIENCE_S
        while True:
            try:
                return psycopg.connect(self.url()).close()
            except psycopg.OperationalError as error:
                if time.monotonic() > deadline:
                    raise AssertionError(f"it didn't start:\n{self.log.read_text('utf-8')}") from error
                time.sleep(PAUSE_S)
            if self._process.poll() is not None:  # what was killed before it isn't quite gone
                self.begin()

    def stop(self, number: signal.Signals = signal.SIGINT) -> None:
        """End it: in order (SIGTERM), fast (SIGINT), or at once (SIGQUIT)."""
        assert self._process is not None
        self._process.send_signal(number)
        self._process.wait(PATIENCE_S)

    def kill(self) -> None:
        """End all its processes as a power cut does."""
        assert self._process is not None
        for pid in [self._process.pid, *self.processes()]:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._process.wait(PATIENCE_S)

    def freeze(self) -> None:
        """Let it do nothing any more; its processes stay as they are."""
        assert self._process is not None
        for pid in [self._process.pid, *self.processes()]:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        assert self._process is not None
        for pid in [self._process.pid, *self.processes()]:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)

    def processes(self) -> list[int]:
        """The server's processes, but for the first."""
        assert self._process is not None
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children")
        try:
            return [int(pid) for pid in children.read_text("utf-8").split()]
        except FileNotFoundError:
            return []

    def create(self, name: str = "aura", *, owner: str = USER, more: str = "") -> str:
        """Make an empty database; give its URL."""
        self.execute(f"CREATE DATABASE {name} OWNER {owner} {more}")
        return self.url(name, USER)

    def url(self, name: str = "postgres", user: str = OWNER) -> str:
        """The URL of a database, over the socket."""
        return f"postgresql://{user}@/{name}?host={self.data}&port={self.port}"

    def execute(self, statement: str, database: str = "postgres") -> list[tuple[Any, ...]]:
        """Run a statement as the one who may do all. Any: what a cell can be."""
        with self.opened(database) as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    @contextmanager
    def opened(self, database: str = "postgres") -> Iterator[psycopg.Connection[tuple[Any, ...]]]:
        """Have a connection as the one who may do all; each statement is its own transaction."""
        with closing(psycopg.connect(self.url(database), autocommit=True)) as connection:
            yield connection

    def set(self, name: str, value: str | None) -> None:
        """Change a setting of the server that runs, also for the sessions that are there; None takes it back."""
        with self.opened() as connection:
            if value is None:
                connection.execute(sql.SQL("ALTER SYSTEM RESET {}").format(sql.Identifier(name)))
            else:
                wanted = sql.SQL("ALTER SYSTEM SET {} = {}").format(sql.Identifier(name), sql.Literal(value))
                connection.execute(wanted)
            connection.execute("SELECT pg_reload_conf()")

    def sessions(self, url: str) -> list[int]:
        """The processes that serve the service's sessions of a database."""
        name = conninfo_to_dict(url)["dbname"]
        found = self.execute(
            "SELECT pid FROM pg_stat_activity "
            f"WHERE datname = '{name}' AND application_name LIKE 'aura%' AND backend_type = 'client backend'"
        )
        return [pid for (pid,) in found]


def _free_port() -> int:
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port: int = taken.getsockname()[1]
    return port
