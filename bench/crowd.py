"""Many servers and evaluators on one PostgreSQL, under fire: what is lost, doubled, late or wrong, and how fast it is.

`python bench/crowd.py --seconds 60 --servers 4 --evaluators 4`. Every ten seconds a server and an evaluator are killed and
started again, and a server stands still for a second; PostgreSQL is restarted once, in the middle.
"""

import argparse
import asyncio
import json
import re
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import psycopg
from rich.console import Console
from rich.table import Table

from beginnings import at_once, follows, started, told
from clients import quantile
from ledger import Ledger
from machines import GRACE_S, Judge, Postgres, Server, Worker, evaluator, until
from recount import ahead, audited, differing, hours_apart
from shoppers import JUDGED, STORES, Crowd

EVERY_S = 10.0
DOWN_S = 1.0
STILL_S = 1.0
LEASE_S = 5.0
CALM_S = 120.0
# What a process may hold at most, all its lives together.
MOST_MB = 600.0
WAITS = """
SELECT wait_event, left(query, 60) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()
"""
FEED = "SELECT count(*), (SELECT count(*) FROM change_followers) FROM change_feed"
IN_FLIGHT_MS = 600


def main() -> None:
    """Run, print what came of it, and fail where anything is wrong."""
    given = arguments()
    with tempfile.TemporaryDirectory(prefix="aura-crowd-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)
        run = Run(given, Path(folder))
        try:
            asyncio.run(run.all())
            run.end()
        finally:
            run.drop()
    if given.json:
        print(json.dumps({"numbers": run.numbers, "wrong": run.wrong}))
    else:
        print_table(run.numbers)
    if run.wrong:
        sys.exit("\n".join(run.wrong))


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=60, help="how long the load lasts")
    parser.add_argument("--servers", type=int, default=4)
    parser.add_argument("--evaluators", type=int, default=4)
    parser.add_argument("--rate", type=float, default=100, help="interactions a second, about")
    parser.add_argument("--seed", type=int, default=1, help="of what is made up")
    parser.add_argument("--every", type=float, default=EVERY_S, help="seconds between two kills")
    parser.add_argument("--crash", action="store_true", help="let PostgreSQL stop without any preparation")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--starting", type=int, default=0, help="also let so many servers start at once, on nothing")
    return parser.parse_args()


class Run:
    """One run: the machines, the callers, the faults, and what is found at the end."""

    def __init__(self, given: argparse.Namespace, folder: Path) -> None:
        self._given = given
        self._folder = folder
        self._postgres = Postgres(folder)
        self._judge = Judge()
        url = self._postgres.url
        self._servers = [Server(f"server-{n}", folder, url) for n in range(given.servers)]
        self._evaluators = [
            evaluator(f"evaluator-{n}", folder, url, self._judge, lease_s=LEASE_S) for n in range(given.evaluators)
        ]
        self._ledger = Ledger()
        self._waits: Counter[str] = Counter()
        self._looks = 0
        self._watching: psycopg.Connection | None = None
        self.numbers: dict[str, Any] = {}  # Any: a number, or a text with several
        self.wrong: list[str] = []

    async def all(self) -> None:
        """Start everything, load it, let it calm down, and look at what is there."""
        if self._given.starting:
            self.numbers |= await started(self._given.starting, self._postgres, self._folder)
        told("starting")
        await at_once([server.start for server in self._servers])
        await at_once([worker.start for worker in self._evaluators])
        crowd = Crowd(self._servers, self._ledger, rate=self._given.rate, seed=self._given.seed)
        beside = [asyncio.create_task(work) for work in (self._looking(), self._in_flight(crowd), self._faults(crowd))]
        await crowd.run(self._given.seconds)
        faults = beside.pop()
        await faults
        for task in beside:
            task.cancel()
        await asyncio.gather(*beside, return_exceptions=True)
        told("calming down")
        self._tell(crowd)
        await asyncio.to_thread(self._calm)
        await asyncio.to_thread(self._audit)
        await asyncio.to_thread(self._compare)
        await asyncio.to_thread(self._left_for_good)
        await asyncio.to_thread(self._logs)

    def end(self) -> None:
        """End all processes."""
        for worker in (*self._servers, *self._evaluators):
            if (code := worker.stop()) != 0:
                self.wrong.append(f"{worker.name} ended with {code}")

    def drop(self) -> None:
        """Leave nothing behind, whatever happened."""
        for worker in (*self._servers, *self._evaluators):
            worker.kill()
        self._postgres.stop()

    # The faults

    async def _faults(self, crowd: Crowd) -> None:
        """Kill in turn while the load lasts; restart the database once, in the middle."""
        started = time.monotonic()
        turns = max(0, int(self._given.seconds / self._given.every) - 1)
        for turn in range(turns):
            await _at(started + (turn + 0.5) * self._given.every)
            if turn == turns // 2:
                await self._restart(crowd)
            else:
                await self._stand_still(turn + 1)
            await _at(started + (turn + 1) * self._given.every)
            await self._killed(crowd, turn)
        self.numbers["kills of a server and an evaluator"] = turns

    async def _killed(self, crowd: Crowd, turn: int) -> None:
        server = self._servers[turn % len(self._servers)]
        killed: list[Worker] = [server]
        if self._evaluators:
            killed.append(self._evaluators[turn % len(self._evaluators)])
        told(f"killing {' and '.join(worker.name for worker in killed)}")
        for worker in killed:
            worker.kill()
        await asyncio.sleep(DOWN_S)
        await at_once([worker.start for worker in killed])
        crowd.renewed(server)

    async def _restart(self, crowd: Crowd) -> None:
        """Restart the database. What was being committed may be told of as a duplicate, since it is tried again."""
        told("restarting PostgreSQL")
        crowd.restarting.set()
        await asyncio.to_thread(self._postgres.restart, "immediate" if self._given.crash else "fast")
        await asyncio.sleep(STILL_S)
        crowd.restarting.clear()

    async def _stand_still(self, turn: int) -> None:
        """Let a server stand still with the transactions that it has open, and an evaluator until its claims are others'."""
        server = self._servers[turn % len(self._servers)]
        still = [self._evaluators[turn % len(self._evaluators)]] if len(self._evaluators) > 1 else []
        for worker in (server, *still):
            worker.pause()
        await asyncio.sleep(STILL_S)
        server.resume()
        for worker in still:
            asyncio.get_running_loop().call_later(LEASE_S, worker.resume)

    async def _in_flight(self, crowd: Crowd) -> None:
        """Now and then hold a transaction open that may write to the feed, as a slow server's does."""
        while not crowd.ended.is_set():
            await asyncio.sleep(3)
            try:
                await asyncio.to_thread(self._hold)
            except psycopg.OperationalError:
                continue  # the database is being restarted

    def _hold(self) -> None:
        with psycopg.connect(self._postgres.url) as connection:
            connection.execute("LOCK TABLE change_feed IN ROW EXCLUSIVE MODE")
            connection.execute("SELECT pg_current_xact_id()")
            time.sleep(IN_FLIGHT_MS / 1000)

    async def _looking(self) -> None:
        """Look now and then who waits for a lock, and what the processes hold."""
        while True:
            await asyncio.to_thread(self._look)
            await asyncio.sleep(0.2)

    def _look(self) -> None:
        self._looks += 1
        if self._looks % 25 == 0:
            for worker in (*self._servers, *self._evaluators):
                worker.look()
        try:
            self._watching = self._watching or psycopg.connect(self._postgres.url, autocommit=True)
            for event, query in self._watching.execute(WAITS).fetchall():
                self._waits[f"{event}: {' '.join(query.split())[:40]}"] += 1
        except psycopg.OperationalError:
            self._watching = None  # it is being restarted

    # What is found

    def _tell(self, crowd: Crowd) -> None:
        self.wrong += sorted(set(crowd.wrong))[:20]
        self.numbers |= {
            "events acknowledged, with those told again": crowd.events,
            "events a second": round(crowd.events / self._given.seconds),
            "requests a second": round(crowd.requests / self._given.seconds),
            "ingest, answered": _spread(crowd.ingest_ms),
            "ingest, until acknowledged by anybody": _spread(crowd.until_acknowledged_ms),
            "longest time without any acknowledgement": f"{crowd.longest_silence_s:.1f} s",
            "reading": _spread(crowd.reading_ms),
            "another server's number after an acknowledgement": _spread(crowd.fresh_ms),
            "numbers checked for freshness": crowd.checked,
            "numbers wrong or too old": len(crowd.wrong),
            "asked in vain": dict(crowd.refused.most_common()),
        }

    def _calm(self) -> None:
        """Wait until all is labelled, and everybody has followed."""
        with psycopg.connect(self._postgres.url, autocommit=True) as connection:

            def is_empty() -> bool:
                return connection.execute("SELECT count(*) FROM evaluation_queue").fetchone() == (0,)

            waited = until(is_empty, "the queue doesn't become empty", within_s=CALM_S) if self._evaluators else 0.0
            self.numbers["queue empty after"] = f"{waited:.1f} s"

            def is_trimmed() -> bool:
                return connection.execute(FEED).fetchone() == (1, len(self._servers))

            waited = until(is_trimmed, f"the feed isn't trimmed: {connection.execute(FEED).fetchone()}", within_s=30)
            self.numbers["feed trimmed after"] = f"{waited:.1f} s"
        time.sleep(GRACE_S)  # by then whatever has no answer counts as unanswered everywhere

    def _audit(self) -> None:
        found = audited(self._postgres.url, self._ledger)
        if not self._evaluators:
            found = {name: value for name, value in found.items() if "label" not in name and "queue" not in name}
        self.numbers |= found
        self.wrong += [f"{name}: {value}" for name, value in list(found.items())[4:] if value]
        if self._evaluators:
            self._audit_calls()

    def _audit_calls(self) -> None:
        """See that the judge was asked about everything that it had to be, and how often for nothing."""
        asked = self._judge.asked()
        judged = {one.id for one in self._ledger.interactions.values() if one.reason == JUDGED[1]}
        calls = {id: sum(f"for {id}" in body for body in asked) for id in judged}
        self.numbers |= {
            "interactions for the judge": len(judged),
            "calls of the judge": len(asked),
            "calls about them beyond the first": sum(calls.values()) - len(judged),
        }
        if unasked := sum(count == 0 for count in calls.values()):
            self.wrong.append(f"{unasked} interactions were labelled by the judge without being asked about")

    def _compare(self) -> None:
        """See that every server says what plain SQL says, and that its columns are its rows, and the sums of hours too."""
        for server in self._servers:
            self._compare_one(server)
        wrong = Counter[str]()

        def are_right() -> bool:
            wrong.clear()
            wrong.update(hours_apart(self._postgres.url))
            return not wrong

        with suppress(SystemExit):
            until(are_right, "", within_s=15)
        self.wrong += [f"voice_stats_hourly: {one}" for one in list(wrong)[:5]]

    def _compare_one(self, server: Server) -> None:
        with httpx.Client(base_url=server.address, trust_env=False, timeout=CALM_S) as client:

            def ask(path: str, parameters: dict[str, str]) -> Any:  # Any: JSON
                self.numbers["statistics compared"] = self.numbers.get("statistics compared", 0) + 1
                return client.get(path, params=parameters).raise_for_status().json()

            self.wrong += [f"{server.name}: {one}" for one in differing(self._postgres.url, STORES, ask)]
            verified = client.get("/verify").raise_for_status().json()
            if verified["differing"]:
                self.wrong.append(f"{server.name}: /verify: {verified}")

    def _left_for_good(self) -> None:
        """Kill a server for good, and see what the feed keeps for it, and that it is let go after its time."""
        *living, gone = self._servers
        if not living:
            return
        gone.kill()
        with psycopg.connect(self._postgres.url, autocommit=True) as connection:
            with httpx.Client(base_url=living[0].address, trust_env=False, timeout=CALM_S) as client:
                self._tell_some(client, "left", 20)
                self._tell_some(client, "right", 20)
                until(lambda: ahead(connection) == len(living), "nobody goes on", within_s=30)
                kept = connection.execute(FEED).fetchone()
                self.numbers["feed with a server that was killed for good"] = str(kept)
                connection.execute(
                    "UPDATE change_followers SET seen_at = seen_at - 8 * 86400000 WHERE position = (SELECT min(position) FROM change_followers)"
                )
                self._tell_some(client, "after", 1)
                until(lambda: connection.execute(FEED).fetchone() == (1, len(living)), "it isn't let go", within_s=30)
            self.numbers["feed after it was forgotten"] = str(connection.execute(FEED).fetchone())
        gone.start()
        until(lambda: follows(gone), f"{gone.name} doesn't follow")
        until(self._is_labelled, "the last ones aren't labelled")
        time.sleep(GRACE_S)
        self._compare()

    def _is_labelled(self) -> bool:
        if not self._evaluators:
            return True
        with psycopg.connect(self._postgres.url, autocommit=True) as connection:
            return connection.execute("SELECT count(*) FROM evaluation_queue").fetchone() == (0,)

    def _tell_some(self, client: httpx.Client, name: str, count: int) -> None:
        for n in range(count):
            event = {
                "event_type": "voice_query",
                "query_id": f"{name}-{n}",
                "store_id": "north",
                "query_text": "x",
                "timestamp": 1_790_000_000_000,
            }
            client.post("/ingest", json=event).raise_for_status()

    def _logs(self) -> None:
        """See that nobody complains."""
        warnings: Counter[str] = Counter()
        for worker in (*self._servers, *self._evaluators):
            worker.look()
            for line in worker.lines():
                if line["level"] in ("error", "critical"):
                    self.wrong.append(f"{worker.name} logged {json.dumps(line)[:600]}")
                elif line["level"] == "warning":
                    warnings[_gist(line)] += 1
        most = {
            kind: max((worker.most_mb for worker in workers), default=0.0)
            for kind, workers in (("servers", self._servers), ("evaluators", self._evaluators))
        }
        self.numbers |= {
            "most memory of a process": {kind: f"{mb:.0f} MiB" for kind, mb in most.items()},
            "warnings": dict(warnings.most_common()),
            "waits for locks, seen": dict(self._waits.most_common()),
            "looks": self._looks,
            "waits for locks of over a second": self._postgres.lock_waits(),
            "deadlocks": self._postgres.deadlocks(),
            "PostgreSQL's complaints": dict(self._postgres.complaints().most_common(20)),
        }
        if self._postgres.deadlocks():
            self.wrong.append("there was a deadlock")
        self.wrong += [f"the {kind} took {mb:.0f} MiB" for kind, mb in most.items() if mb > MOST_MB]


async def _at(moment: float) -> None:
    """Wait for a moment of the monotonic clock; one that is over is no reason to wait."""
    await asyncio.sleep(max(0, moment - time.monotonic()))


def _gist(line: dict[str, Any]) -> str:  # Any: JSON
    """Give a line of a log without what is another each time."""
    said = f"{line['event']}: {line.get('error') or line.get('detail') or ''}"
    return re.sub(r"0x[0-9a-f]+|/\S*", "…", said)[:110]


def _spread(times: Sequence[float]) -> str:
    if not times:
        return "none"
    p50, p99 = statistics.median(times), quantile(times, 0.99)
    return f"p50 {p50:.1f} ms, p99 {p99:.1f} ms, longest {max(times):.0f} ms ({len(times):,})"


def print_table(numbers: dict[str, Any]) -> None:  # Any: see `Run.numbers`
    """Print what came of it."""
    table = Table(title="many servers on one PostgreSQL", title_justify="left", show_header=False)
    for name, value in numbers.items():
        shown = "\n".join(f"{count}  {what}" for what, count in value.items()) if isinstance(value, dict) else value
        table.add_row(name, f"{shown:,}" if isinstance(shown, int) else str(shown) or "none")
    Console(width=None if sys.stdout.isatty() else 160).print(table)


if __name__ == "__main__":
    main()
