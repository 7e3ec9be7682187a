"""Processes of the command that needn't load it: each is forked from one that has, and is otherwise as if started.

Most of what a start costs is loading modules, and hundreds of tests start something. What a start itself is like is for
the tests that start `COMMAND` (or `make demo`) as people do. A process here has its own pid, folder, environment, files
and group, runs `main` with its arguments, and is killed and waited for as any other; it ends without taking apart what
it has loaded, and what it starts in its turn is started in the usual way.
"""

import atexit
import gc
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import IO, Any, NoReturn

COMMAND = Path(sys.executable).parent / "aura-analytics"
_LARGEST = 1 << 20


class Process:
    """A process of the command, with the part of `subprocess.Popen` that tests use."""

    def __init__(self, pid: int, ended: socket.socket) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._ended = ended

    def poll(self) -> int | None:
        """The exit code (below zero: the signal that ended it), if it has ended."""
        return self._look(0)

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the end.

        Raises:
            subprocess.TimeoutExpired: it still runs.
        """
        code = self._look(timeout)
        if code is None:
            raise subprocess.TimeoutExpired(f"process {self.pid}", timeout or 0)
        return code

    def send_signal(self, number: int) -> None:
        """Send a signal, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """End it as a power cut does."""
        self.send_signal(signal.SIGKILL)

    def _look(self, timeout: float | None) -> int | None:
        if self.returncode is None and select.select([self._ended], [], [], timeout)[0]:
            told = self._ended.recv(64)
            assert told, "the process that waits for this one is gone"
            self.returncode = int(told)
            self._ended.close()
        return self.returncode


def started(
    *arguments: str | Path,
    cwd: Path,
    env: Mapping[str, str],
    stderr: IO[bytes],
    stdout: IO[bytes] | None = None,
    alone: bool = False,
) -> Process:
    """Start the command with its output in files and nothing to read.

    Args:
        arguments: of the command.
        cwd: where it runs.
        env: all that its environment holds.
        stderr: a file.
        stdout: a file; nobody reads it, if nothing is said.
        alone: in a process group of its own.
    """
    with Path(os.devnull).open("r+b") as nothing:
        return _born(arguments, cwd, env, (nothing, stdout or nothing, stderr), alone=alone)


def ran(
    *arguments: str | Path, cwd: Path, env: Mapping[str, str], stdin: bytes, timeout_s: float
) -> subprocess.CompletedProcess[bytes]:
    """Run the command to its end.

    Raises:
        subprocess.TimeoutExpired: it took longer, and was killed.
    """
    with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as said, tempfile.TemporaryFile() as noted:
        given.write(stdin)
        given.seek(0)
        process = _born(arguments, cwd, env, (given, said, noted), alone=False)
        try:
            code = process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
        said.seek(0)
        noted.seek(0)
        return subprocess.CompletedProcess(arguments, code, said.read(), noted.read())


def _born(
    arguments: Sequence[str | Path], cwd: Path, env: Mapping[str, str], files: tuple[IO[bytes], ...], *, alone: bool
) -> Process:
    wanted = {"arguments": [str(one) for one in arguments], "cwd": str(cwd), "env": dict(env), "alone": alone}
    ours = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _LARGEST)
    ours.connect(_nursery())
    socket.send_fds(ours, [json.dumps(wanted).encode()], [file.fileno() for file in files])
    return Process(int(ours.recv(64)), ours)


@cache
def _nursery() -> str:
    """The address of this process's own; it ends when this process does."""
    address = f"\0aura-nursery-{os.getpid()}-{time.monotonic_ns()}"
    kept = subprocess.Popen(
        [sys.executable, __file__, address[1:]], env=_bare(), stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    atexit.register(kept.communicate)
    assert kept.stdout is not None
    assert kept.stdout.readline() == b"ready\n", "the nursery didn't start"
    return address


def _bare() -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "LANG": "C.UTF-8"}


# What follows runs in the nursery.


def _keep(address: str) -> None:
    """Fork a process for whoever connects, until standard input ends."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as door:
        door.bind("\0" + address)
        door.listen(64)
        _load()
        assert len(list(Path("/proc/self/task").iterdir())) == 1, "a process with threads can't be forked"
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        os.write(1, b"ready\n")
        while 0 not in select.select([door, 0], [], [])[0]:
            _welcome(door)


def _load() -> None:
    """Load what the command loads, also what it leaves for when it is needed."""
    for module in ("cli", "app", "store.postgres"):
        import_module(f"aura_analytics.{module}")
    gc.collect()
    gc.freeze()  # what is there stays; looking at it again and again would copy all of it into each process


def _welcome(door: socket.socket) -> None:
    guest, _ = door.accept()
    with guest:
        if not os.fork():
            door.close()
            _wait_for(guest)


def _wait_for(guest: socket.socket) -> NoReturn:
    """Fork once more, tell its pid, and tell how it ended."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    told, files, _, _ = socket.recv_fds(guest, _LARGEST, 3)
    wanted = json.loads(told)
    pid = os.fork()
    if not pid:
        guest.close()
        _become(wanted, files)
    for file in files:
        os.close(file)
    if wanted["alone"]:
        with suppress(OSError):  # it has done so itself, and may have ended
            os.setpgid(pid, pid)
    guest.send(b"%d" % pid)
    _, status = os.waitpid(pid, 0)
    guest.send(b"%d" % os.waitstatus_to_exitcode(status))
    os._exit(0)


def _become(wanted: dict[str, Any], files: list[int]) -> NoReturn:  # Any: what was told
    for number, file in enumerate(files):
        os.dup2(file, number)
        os.close(file)
    if wanted["alone"]:
        os.setpgid(0, 0)
    os.chdir(wanted["cwd"])
    os.environ.clear()
    os.environ.update(wanted["env"])
    time.tzset()
    sys.argv = [str(COMMAND), *wanted["arguments"]]
    _end(_status_of(import_module("aura_analytics.cli").main))


def _status_of(main: Callable[[], NoReturn]) -> int:
    """Run it to its end, and tell what the interpreter would end with."""
    try:
        main()
    except SystemExit as ended:
        if ended.code is None or isinstance(ended.code, int):
            return ended.code or 0
        sys.stderr.write(f"{ended.code}\n")
    except BaseException:  # noqa: BLE001 (the process's edge, where the interpreter does the same)
        sys.excepthook(*sys.exc_info())
    return 1


def _end(status: int) -> NoReturn:
    """End as the interpreter does, but for taking apart all that it has loaded, of which nothing is anybody's."""
    threading._shutdown()
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    os._exit(status)


if __name__ == "__main__":
    _keep(sys.argv[1])
