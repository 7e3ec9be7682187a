"""Those who send and ask, as cheap as they can be, since they share the machine with the server; and looking at it."""

import http.client
import json
import math
import os
import re
import signal
import subprocess
import time
import urllib.parse
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

HERE = Path(__file__).parent
CORES = os.cpu_count() or 1
PINNED = ["taskset", "-c", str(CORES - 1)] if CORES > 1 else []


class Told(msgspec.Struct):
    """An answer, and the milliseconds until all of it was there."""

    status: int
    body: bytes
    ms: float

    @property
    def content(self) -> Any:  # Any: JSON
        """What it says."""
        return json.loads(self.body)


class Asker:
    """One client with one connection that it keeps."""

    def __init__(self, url: str) -> None:
        self._connection = http.client.HTTPConnection(urllib.parse.urlsplit(url).netloc, timeout=600)

    def get(self, path: str, parameters: dict[str, Any] | None = None) -> Told:  # Any: texts and numbers
        """Ask."""
        return self._told("GET", f"{path}?{urllib.parse.urlencode(parameters or {})}", None)

    def post(self, path: str, content: Any) -> Told:  # Any: what JSON can hold
        """Send."""
        return self._told("POST", path, json.dumps(content).encode())

    def _told(self, method: str, target: str, body: bytes | None) -> Told:
        started = time.perf_counter()
        try:
            return self._once(method, target, body, started)
        except (http.client.RemoteDisconnected, ConnectionError):  # it was idle for too long
            self._connection.close()
            return self._once(method, target, body, started)

    def _once(self, method: str, target: str, body: bytes | None, started: float) -> Told:
        self._connection.request(method, target, body, {"Content-Type": "application/json"} if body else {})
        answer = self._connection.getresponse()
        content = answer.read()
        return Told(answer.status, content, (time.perf_counter() - started) * 1000)


def wait_until_idle(pids: Sequence[int], patience_s: float = 600) -> None:
    """Wait until some processes have nothing left to do: a tenth of a core for three seconds at most."""
    until = time.monotonic() + patience_s
    before = cpu_s(pids)
    while time.monotonic() < until:
        time.sleep(3)
        before, spent = cpu_s(pids), before
        if before - spent < 0.3:
            return


def cpu_s(pids: Sequence[int]) -> float:
    """Give the seconds of CPU that some processes have taken."""
    ticks = 0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


class Stream(msgspec.Struct):
    """What a steady stream came to, once it has ended."""

    wanted: float
    rate: float = 0.0
    failed: int = 0
    p50_ms: float = 0.0
    p99_ms: float = 0.0


@contextmanager
def steady(url: str, rate: float, batch: int) -> Iterator[Stream]:
    """Send events at a rate while the block runs."""
    connections = 32 if batch == 1 else 4
    command = [*PINNED, "wrk", "-t1", f"-c{connections}", "-d1h", "-s", str(HERE / "steady.lua"), url]
    told = os.environ | {"RATE": str(rate), "BATCH": str(batch)}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=told)
    stream = Stream(rate)
    try:
        time.sleep(1)
        yield stream
    finally:
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=60)
    result = json.loads(output[output.rindex("RESULT ") :].removeprefix("RESULT "))
    stream.rate = result["requests"] * batch / result["seconds"]
    stream.failed, stream.p50_ms, stream.p99_ms = result["failed"], result["p50_ms"], result["p99_ms"]


def requests_a_second(url: str, seconds: int) -> float:
    """Ask the same question over 32 connections from the last core; give how often it was answered in a second."""
    command = [*PINNED, "wrk", "-t1", "-c32", f"-d{seconds}s", url]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    if "Non-2xx" in output:
        raise RuntimeError(f"the cached question isn't always answered: {output}")
    found = re.search(r"Requests/sec:\s*([\d.]+)", output)
    return float(found[1]) if found else 0.0


@contextmanager
def kept_off_the_last_core(pids: Sequence[int]) -> Iterator[None]:
    """Leave the last core to the load while the block runs."""
    _pin(pids, set(range(max(1, CORES - 1))))
    try:
        yield
    finally:
        _pin(pids, set(range(CORES)))


def _pin(pids: Sequence[int], cores: set[int]) -> None:
    for pid in pids:
        for thread in Path(f"/proc/{pid}/task").iterdir():
            os.sched_setaffinity(int(thread.name), cores)


def children(pid: int) -> list[int]:
    """Give the processes that one started, and theirs."""
    parents = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parents[int(folder.name)] = int(folder.joinpath("stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue  # it has ended meanwhile
    found = [pid]
    for parent in found:
        found += [child for child, its in parents.items() if its == parent]
    return found[1:]


def memory_mb(pid: int) -> tuple[float, float]:
    """Give what a process holds in memory, and the most that it ever held."""
    status = Path(f"/proc/{pid}/status").read_text()
    held, most = (re.search(rf"{name}:\s+(\d+) kB", status) for name in ("VmRSS", "VmHWM"))
    return (int(held[1]) / 1024 if held else 0.0, int(most[1]) / 1024 if most else 0.0)


def quantile(times: Sequence[float], share: float) -> float:
    """Give the time that so large a share of them doesn't exceed."""
    ordered = sorted(times)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)] if ordered else math.nan
