"""What it costs to ask who somebody is: events a second without a key, with one, and with signed requests.

`python bench/door.py`. A service each, loaded in turns, there and back again (off, key, signed, signed, key, off), so that
whatever else the machine does meets all of them; each turn begins with an empty database. Read the ratios.
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
from contextlib import contextmanager
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
    """What one load came to: events a second, and the microseconds of a processor that the server took for each."""

    rate: float
    processor_us: float


def main() -> None:
    """Measure, and print a table."""
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--seconds", type=int, default=4, help="how long each load lasts")
    arguments.add_argument("--rounds", type=int, default=4, help="how often it goes there and back")
    arguments.add_argument("--markdown", action="store_true")
    given = arguments.parse_args()
    if shutil.which("wrk") is None:
        sys.exit("wrk is needed for the load: apt-get install wrk")
    rows = [row for batch in BATCHES for row in measured(batch, given.seconds, given.rounds)]
    title = f"Who it is, asked: {2 * given.rounds} turns each, {given.seconds} s a turn, load {os.getloadavg()[0]:.1f} before"
    columns = ("", "events/s", "of those without", "lowest, highest", "processor a request", "of that without")
    show(title, columns, rows, markdown=given.markdown)


def measured(batch: int, seconds: int, rounds: int) -> list[tuple[str, ...]]:
    """Load all of them in turns; give a row each."""
    turns: dict[str, list[Turn]] = {way: [] for way in WAYS}
    for _ in range(rounds):
        for way in (*WAYS, *reversed(WAYS)):
            turns[way].append(turn(way, batch, seconds))
    rows = []
    for way, found in turns.items():
        # A turn is compared with the one without a key that stands as far from the middle of its round.
        ratios = [one.rate / other.rate for one, other in zip(found, turns[OFF], strict=True)]
        costs = [one.processor_us / other.processor_us for one, other in zip(found, turns[OFF], strict=True)]
        rows.append(
            (
                f"{way}, {batch} a request",
                f"{statistics.median(one.rate for one in found):,.0f}",
                f"{statistics.median(ratios):.1%}",
                f"{min(ratios):.0%}, {max(ratios):.0%}",
                f"{statistics.median(one.processor_us for one in found) * batch:,.0f} µs",
                f"{statistics.median(costs):.1%}",
            )
        )
    return rows


def turn(way: str, batch: int, seconds: int) -> Turn:
    """Load a service on an empty database."""
    with tempfile.TemporaryDirectory() as folder, served(way, Path(folder)) as (url, pid, environment):
        before = processor_s(pid)
        result = wrk(url, seconds, {"BATCH": str(batch), **environment})
        if result["failed"]:
            sys.exit(f"{result['failed']} requests failed: {way}")
        events = result["requests"] * batch
        return Turn(events / result["seconds"], (processor_s(pid) - before) / events * 1e6)


@contextmanager
def served(way: str, folder: Path) -> Iterator[tuple[str, int, dict[str, str]]]:
    """Serve, without statistics; give the address, the process, and what the load has to know."""
    database = f"sqlite:///{folder}/door.db"
    environment = {} if way == OFF else key(database, signed=way == SIGNED)
    settings = ["AURA_STATISTICS=off", "AURA_EVALUATE=off", f"AUTH={'off' if way == OFF else 'on'}"]
    command = ["env", *settings, str(BIN / "aura-analytics"), "serve", "--database", database, "--port"]
    with running(command, str(folder)) as url:
        yield url, next(iter(children(os.getpid()))), environment


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
