"""Archiving while events come in: what requests wait for, what an interaction takes, and that nothing is lost.

A database is filled with interactions of many days and labelled. Then a server serves it and events come in at a share of
full speed; meanwhile `aura-analytics archive` is started, killed at random moments, and started again until it ends. At
last the same questions are asked as before, and every interaction is looked for.
"""

import argparse
import asyncio
import itertools
import os
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec

from aura_analytics.clock import now
from aura_analytics.events.records import Event, VoiceConversion, VoiceOutcome, VoiceQuery
from aura_analytics.opening import opened_store
from aura_analytics.settings import load
from aura_analytics.store import Store
from clients import Asker
from interactions import DAYS, made
from run import BIN, running

DAY_MS = 86_400_000
STORES = 5
BATCH = 100
LABELLED = 5_000
PATHS = (
    "/stats/summary",
    "/stats/hourly",
    "/stats/top-queries",
    "/stats/unanswered",
    "/stats/intents",
    "/stats/models",
    "/stats/stores",
    "/stats/latency",
    "/stats/quality",
    "/stats/sessions",
    "/stats/conversions",
)
FILTERS: tuple[dict[str, str], ...] = ({}, {"store": "store-1"}, {"intent": "faq_shipping"}, {"label": "GOOD"})
SAMPLE = 200


class Waited(msgspec.Struct):
    """What one phase of sending came to: requests, events, and milliseconds that the slowest ones took."""

    requests: int
    events: int
    seconds: float
    p50: float
    p99: float
    longest: float

    def __str__(self) -> str:
        """Say it in a line."""
        rate = self.events / self.seconds
        return f"{rate:,.0f} events/s, p50 {self.p50:.0f} ms, p99 {self.p99:.0f} ms, longest {self.longest:.0f} ms"


class Sender(threading.Thread):
    """Sends batches at a rate, and notes how long each request takes."""

    def __init__(self, url: str, name: str, rate: float | None) -> None:
        super().__init__()
        self._asker = Asker(url)
        self._name = name
        self._pause_s = 0.0 if rate is None else BATCH / rate
        self._stopping = threading.Event()
        self.times: list[float] = []
        self.seconds = 0.0

    def run(self) -> None:
        """Send until told to stop."""
        began = time.monotonic()
        for number in itertools.count():
            due = began + number * self._pause_s
            if self._stopping.wait(max(0.0, due - time.monotonic())):
                break
            told = self._asker.post("/ingest", list(self._batch(number)))
            if told.status != 200:
                sys.exit(f"a request failed: {told.status}")
            self.times.append(told.ms)
        self.seconds = time.monotonic() - began

    def _batch(self, number: int) -> Iterator[dict[str, Any]]:  # Any: what JSON can hold
        for n in range(BATCH // 2):
            id = f"{self._name}-{number}-{n}"
            yield {"event_type": "voice_query", "query_id": id, "store_id": "store-1", "query_text": "red shoes"}
            yield {"event_type": "voice_outcome", "query_id": id, "action_success": True, "latency_ms": 900}

    def done(self) -> Waited:
        """Stop, and say what it came to."""
        self._stopping.set()
        self.join()
        times = sorted(self.times)
        share = lambda part: times[min(len(times) - 1, int(part * len(times)))]  # noqa: E731 (a formula)
        return Waited(len(times), len(times) * BATCH, self.seconds, share(0.5), share(0.99), times[-1])


def spread(count: int, days: int, until: int) -> Iterator[list[Event]]:
    """Give interactions of some days and a few stores."""
    for chunk in made(count, until=until):
        yield [_moved(event, days, until) for event in chunk]


def _moved(event: Event, days: int, until: int) -> Event:
    """Stretch moments from the days that are made to those that are wanted."""
    moved = lambda moment: until - (until - moment) * days // DAYS  # noqa: E731 (a formula)
    if isinstance(event, VoiceQuery):
        store = f"store-{int(event.store_id.rpartition('-')[2]) % STORES}"
        at = moved(event.created_at)
        return msgspec.structs.replace(event, store_id=store, created_at=at, received_at=at)
    if isinstance(event, VoiceOutcome | VoiceConversion):
        at = moved(event.occurred_at)
        return msgspec.structs.replace(event, occurred_at=at, received_at=at)
    return event


async def fill(database: str, count: int, days: int, until: int) -> None:
    """Store and label."""
    settings = load({}, overrides={"AURA_DATABASE_URL": database})
    async with opened_store(settings) as store:
        for chunk in spread(count, days, until):
            await store.append(chunk)
        while await _label(store):
            pass


async def _label(store: Store) -> bool:
    from aura_analytics.events.records import Verdict  # noqa: PLC0415 (only here)

    claims = await store.claim_due(LABELLED, now=2 * now(), lease_ms=60_000)
    verdict = {"reason": "successful_fast_action", "confidence": 0.85, "evaluated_by": "auto", "method": "rules"}
    label = {True: "GOOD", False: "REVIEW"}
    await store.settle(
        [
            (
                claim,
                msgspec.convert(
                    {
                        "query_id": claim.query_id,
                        "label": label[claim.interaction.outcome is not None],
                        "evaluated_at": claim.interaction.query.created_at + 60_000,
                        **verdict,
                    },
                    Verdict,
                ),
            )
            for claim in claims
        ]
    )
    return bool(claims)


def answers(asker: Asker, until: int) -> dict[str, bytes]:
    """Ask all that is to be the same afterwards; what comes in meanwhile is later."""
    window = {"from": 0, "to": until}
    return {f"{path} {chosen}": asker.get(path, window | chosen).body for path in PATHS for chosen in FILTERS}


def details(asker: Asker, ids: list[str]) -> list[bytes]:
    """Ask for single interactions."""
    return [asker.get(f"/interactions/{id}").body for id in ids]


def archive(folder: str, database: str, days: int, kills: int, chance: random.Random) -> list[float]:
    """Archive, killed so many times before it may end; give how long each run went."""
    command = [str(BIN / "aura-analytics"), "archive", "--older-than", str(days), "--database", database]
    times = []
    for number in range(kills + 1):
        began = time.monotonic()
        process = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL)
        if number < kills:
            try:
                process.wait(chance.uniform(1.0, 12.0))
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGKILL)
        if process.wait() not in (0, -signal.SIGKILL):
            sys.exit("archiving failed")
        times.append(time.monotonic() - began)
    return times


def measure(folder: str, given: argparse.Namespace) -> None:
    """Measure, and print."""
    path = Path(folder) / "aura.db"
    database, until = f"sqlite:///{path}", now() - 3_600_000
    began = time.monotonic()
    asyncio.run(fill(database, given.interactions, given.days, until))
    size = path.stat().st_size
    say("filled and labelled", f"{given.interactions:,} in {time.monotonic() - began:.0f} s, {size / 1e6:,.0f} MB")
    command = [str(BIN / "aura-analytics"), "serve", "--no-evaluate", "--database", database, "--port"]
    with running(command, folder) as url:
        asker = Asker(url)
        while asker.get("/stats/summary", {"period": "all"}).status != 200:
            time.sleep(0.5)
        chance = random.Random(7)
        with closing(sqlite3.connect(path)) as rows:
            ids = [id for (id,) in rows.execute("SELECT id FROM voice_queries")]
        sample = chance.sample(ids, SAMPLE)
        before, each = answers(asker, until), details(asker, sample)
        full = sending(url, "full", None, given.seconds)
        rate = full.events / full.seconds * given.share
        say("full speed", f"{full}")
        say("at half speed, nothing else", f"{sending(url, 'half', rate, given.seconds)}")
        sender = Sender(url, "meanwhile", rate)
        sender.start()
        times = archive(folder, database, given.days - given.archived, given.kills, chance)
        say("at half speed, archiving", f"{sender.done()}")
        say("archiving", f"{sum(times):.0f} s in {len(times)} runs, of which {given.kills} were killed")
        same = [path for path, body in answers(asker, until).items() if body != before[path]]
        say("statistics that differ", f"{len(same)} of {len(before)} {same or ''}")
        differing = sum(now != then for now, then in zip(details(asker, sample), each, strict=True))
        say("interactions that differ", f"{differing} of {SAMPLE} that were looked at")
    with closing(sqlite3.connect(path)) as rows:
        look(rows, Path(f"{path}.archive"), set(ids))


def sending(url: str, name: str, rate: float | None, seconds: float) -> Waited:
    """Send for a while."""
    sender = Sender(url, name, rate)
    sender.start()
    time.sleep(seconds)
    return sender.done()


def look(rows: sqlite3.Connection, place: Path, ids: set[str]) -> None:
    """Look for every interaction, and weigh the files."""
    tables = [id for (id,) in rows.execute("SELECT id FROM voice_queries")]
    archived = [id for (id,) in rows.execute("SELECT id FROM archived_ids")]
    both = [*tables, *archived]
    say("in the archive", f"{len(archived):,}; lost: {len(ids - set(both))}, twice: {len(both) - len(set(both))}")
    files = list(place.rglob("*.parquet"))
    size = sum(file.stat().st_size for file in files)
    say("bytes an interaction", f"{size / max(1, len(archived)):.1f} in {len(files)} files")
    counted = [path for (path,) in rows.execute("SELECT path FROM archive_files")]
    say("files that don't count", str(len({str(file.relative_to(place)) for file in files} - set(counted))))


def say(what: str, measured: str) -> None:
    """Print a line."""
    print(f"{what:32}{measured}", flush=True)


def main() -> None:
    """Read what is to be measured."""
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--interactions", type=int, default=1_000_000)
    arguments.add_argument("--days", type=int, default=90)
    arguments.add_argument("--archived", type=int, default=60, help="how many of the days are archived")
    arguments.add_argument("--share", type=float, default=0.5, help="of full speed, while it archives")
    arguments.add_argument("--seconds", type=float, default=20, help="how long the other loads last")
    arguments.add_argument("--kills", type=int, default=10)
    with tempfile.TemporaryDirectory() as folder:
        say("load of the machine", f"{os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
        measure(folder, arguments.parse_args())
        say("load of the machine", f"{os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
