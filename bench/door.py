"""What it costs to ask who somebody is: events a second without a key, with one, and with signed requests.

`python bench/door.py`. A service each, loaded in short turns, there and back again (off, key, signed, signed, key, off), so
that whatever else the machine does meets all of them. Read the ratios.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import msgspec

from clients import children
from report import show
from run import BIN, running, wrk

OFF, KEY, SIGNED = "nobody is asked (AUTH=off)", "a key", "a key and a signature"
WAYS = (OFF, KEY, SIGNED)
BATCHES = (1, 100)
TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")


class Turn(msgspec.Struct, frozen=True):
    """What a load came to, and how long the server had a processor meanwhile."""

    events: float
    seconds: float
    processor_s: float

    @property
    def rate(self) -> float:
        """Events a second."""
        return self.events / self.seconds

    @property
    def processor_us(self) -> float:
        """Microseconds of a processor for each event."""
        return self.processor_s / self.events * 1e6


class Service(msgspec.Struct, frozen=True):
    """One that runs, and what a load has to know of it."""

    url: str
    pid: int
    environment: dict[str, str]


def main() -> None:
    """Measure, and print a table."""
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--seconds", type=int, default=1, help="how long each load lasts")
    arguments.add_argument("--rounds", type=int, default=10, help="how often it goes there and back")
    arguments.add_argument("--markdown", action="store_true")
    given = arguments.parse_args()
    if shutil.which("wrk") is None:
        sys.exit("wrk is needed for the load: apt-get install wrk")
    rows = [row for batch in BATCHES for row in measured(batch, given.seconds, given.rounds)]
    title = f"Who it is, asked: {2 * given.rounds} turns each, {given.seconds} s a turn, load {os.getloadavg()[0]:.1f} before"
    columns = ("", "events/s", "of those without", "turn by turn", "processor a request", "of that without")
    show(title, columns, rows, markdown=given.markdown)


def measured(batch: int, seconds: int, rounds: int) -> list[tuple[str, ...]]:
    """Load all of them in turns; give a row each."""
    turns: dict[str, list[Turn]] = {way: [] for way in WAYS}
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        services = {way: stack.enter_context(served(way, Path(folder) / str(n))) for n, way in enumerate(WAYS)}
        for _ in range(rounds):
            for way in (*WAYS, *reversed(WAYS)):
                turns[way].append(turn(services[way], batch, seconds))
    without = together(turns[OFF])
    rows = []
    for way, found in turns.items():
        all_of_it = together(found)
        # A turn is compared with the one without a key that stands as far from the middle of its round.
        ratios = sorted(one.rate / other.rate for one, other in zip(found, turns[OFF], strict=True))
        rows.append(
            (
                f"{way}, {batch} a request",
                f"{all_of_it.rate:,.0f}",
                f"{all_of_it.rate / without.rate:.1%}",
                f"{statistics.median(ratios):.0%} ({ratios[0]:.0%} to {ratios[-1]:.0%})",
                f"{all_of_it.processor_us * batch:,.0f} µs",
                f"{all_of_it.processor_us / without.processor_us:.1%}",
            )
        )
    return rows


def together(turns: list[Turn]) -> Turn:
    """Take turns for one long one."""
    events = sum(one.events for one in turns)
    return Turn(events, sum(one.seconds for one in turns), sum(one.processor_s for one in turns))


def turn(service: Service, batch: int, seconds: int) -> Turn:
    """Load a service for a while."""
    before = processor_s(service.pid)
    result = wrk(service.url, seconds, {"BATCH": str(batch), **service.environment})
    if result["failed"] or not result["requests"]:
        sys.exit(f"{result['failed']:.0f} requests failed, {result['requests']:.0f} were answered")
    return Turn(result["requests"] * batch, result["seconds"], processor_s(service.pid) - before)


@contextmanager
def served(way: str, folder: Path) -> Iterator[Service]:
    """Serve from a folder of its own, without statistics."""
    folder.mkdir()
    database = f"sqlite:///{folder}/door.db"
    environment = {} if way == OFF else key(database, signed=way == SIGNED)
    settings = ["AURA_STATISTICS=off", "AURA_EVALUATE=off", f"AUTH={'off' if way == OFF else 'on'}"]
    command = ["env", *settings, str(BIN / "aura-analytics"), "serve", "--database", database, "--port"]
    before = set(children(os.getpid()))
    with running(command, str(folder)) as url:
        [pid] = set(children(os.getpid())) - before
        yield Service(url, pid, environment)


def key(database: str, *, signed: bool) -> dict[str, str]:
    """Make a key; give what the load shows."""
    command = [BIN / "aura-analytics", "keys", "create", "bench", "--scope", "ingest", "--json", "--database", database]
    ran = subprocess.run([*command, *(["--signed"] if signed else [])], check=True, capture_output=True)
    made = json.loads(ran.stdout)
    return {"KEY": made["key"]} | ({"SECRET": made["signing_secret"].removeprefix("whsec_")} if signed else {})


def processor_s(pid: int) -> float:
    """The seconds that a process has had a processor."""
    fields = Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_A_SECOND


if __name__ == "__main__":
    main()
