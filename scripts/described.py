"""Hold a server to its own OpenAPI document with all of Schemathesis's checks: `python scripts/described.py`.

A server of its own is started on an SQLite file with some interactions in it, and asked by each kind of caller in turn:
with a key of an administrator, with one that reads one store, with none, and once more where there are no keys at all.
`described.toml` says which answers are right though a check wouldn't expect them, and `described_hooks.py` what the
document can't. The numbers at the end are of all runs together.
"""

import argparse
import contextlib
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from threading import Event, Thread
from typing import Any, Self

import httpx

HERE = Path(__file__).parent
BIN = Path(sys.executable).parent
PATIENCE_S = 60.0
TRIES = 5
# Longer is a hang, on a machine that has nothing else to do.
SLOW_S = 1.0
ALL = "examples,coverage,fuzzing,stateful"
BRIEFLY = "examples,fuzzing"
# Where a server has no keys, it answers its own machine, whatever is shown.
OPEN = ("--exclude-checks", "ignored_auth")
# What the table of routes doesn't name is for administrators, also where a path is open to all: others are told 403, and
# not that there is no such method.
NO_ADMINISTRATOR = ("--exclude-checks", "unsupported_method")
# By caller: the key that is shown, which phases, and what else is said.
CALLERS: dict[str, tuple[str | None, str, tuple[str, ...]]] = {
    "administrator": ("admin", ALL, ()),
    "reader of one store": ("reader", "examples,coverage,fuzzing", NO_ADMINISTRATOR),
    "without a key": (None, BRIEFLY, ()),
    "where there are no keys": (None, BRIEFLY, OPEN),
}
STORE = "shop"


class Server:
    """A server on a file of its own.

    Args:
        folder: where it lies.
        keys: whether there are some.
    """

    def __init__(self, folder: Path, *, keys: bool) -> None:
        folder.mkdir()
        self._log = folder / "log"
        self._folder = folder
        self.keys = {"admin": self._key("admin"), "reader": self._key("read", "--store", STORE)} if keys else {}
        with self._log.open("wb") as stderr:
            self._process = subprocess.Popen(
                [BIN / "aura-analytics", "serve", "--port", "0"], cwd=folder, env=self._environment, stderr=stderr
            )
        self.url = self._announced()
        shown = {"X-API-Key": self.keys["admin"]} if keys else {}
        told = httpx.get(f"{self.url}/openapi.json", headers=shown, trust_env=False, timeout=PATIENCE_S)
        self.document = folder / "openapi.json"
        self.document.write_bytes(told.raise_for_status().content)
        httpx.post(f"{self.url}/ingest", json=list(events()), headers=shown, trust_env=False).raise_for_status()

    @property
    def _environment(self) -> dict[str, str]:
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        return kept | {"AURA_DATABASE_URL": f"sqlite:///{self._folder}/aura.db"}

    def _key(self, scope: str, *more: str) -> str:
        made: list[str | Path] = [BIN / "aura-analytics", "keys", "create", scope, "--scope", scope, *more]
        printed = subprocess.run(
            made, cwd=self._folder, env=self._environment, check=True, capture_output=True, text=True
        ).stdout
        found = re.search(r"aura_sk_\w+", printed)
        assert found is not None, printed
        return found[0]

    def _announced(self) -> str:
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            for line in self.log():
                if line["event"] == "serving":
                    return str(line["url"])
            time.sleep(0.05)
        raise TimeoutError(self._log.read_text("utf-8"))

    def log(self) -> list[dict[str, Any]]:
        """Give the lines that are whole. Any: what is logged."""
        return [json.loads(line) for line in self._log.read_bytes().split(b"\n") if line.endswith(b"}")]

    def memory_mib(self) -> int:
        """Give what it and the processes beside it hold."""
        pid = self._process.pid
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii").split()
        status = "".join(Path(f"/proc/{one}/status").read_text("ascii") for one in (pid, *children))
        return sum(int(kib) for kib in re.findall(r"VmRSS:\s+(\d+)", status)) >> 10

    def quickest(self, url: str) -> float:
        """Give the seconds of the quickest of some answers: what is slow each time is slow by itself."""
        shown = {"X-API-Key": self.keys["admin"]} if self.keys else {}
        taken = []
        for _ in range(TRIES):
            begun = time.perf_counter()
            with httpx.stream("GET", url, headers=shown, trust_env=False, timeout=PATIENCE_S) as answer:
                next(answer.iter_raw(), b"")
            taken.append(time.perf_counter() - begun)
        return min(taken)

    def stop(self) -> None:
        """End it."""
        self._process.terminate()
        self._process.wait(PATIENCE_S)


class Memory:
    """What a server holds, looked at every second until the end of a block."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._over = Event()
        self._thread = Thread(target=self._look)
        self.seen: list[int] = []

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._over.wait(1):
            with contextlib.suppress(OSError):
                self.seen.append(self._server.memory_mib())

    @property
    def quarters(self) -> list[int]:
        """Give the mean of each quarter of the time."""
        size = max(1, len(self.seen) // 4)
        return [
            round(sum(part) / len(part))
            for start in range(0, 4 * size, size)
            if (part := self.seen[start : start + size])
        ]


def events() -> Iterator[dict[str, Any]]:
    """Give a few interactions, so that there is something to ask about."""
    for number in range(60):
        id = f"q-{number}"
        yield {
            "event_type": "voice_query",
            "query_id": id,
            "store_id": STORE if number % 2 else "other",
            "session_id": f"s-{number // 4}",
            "user_id": f"u-{number % 7}",
            "query_text": f"where are the red shoes, size {30 + number % 9}",
            "transcription_confidence": round(0.4 + number / 100, 2),
            "intent": ("search", "faq", "cart")[number % 3],
        }
        yield {
            "event_type": "voice_outcome",
            "query_id": id,
            "answer_text": "Here they are.",
            "model_name": "some-model",
            "latency_ms": 100 * number,
            "action_taken": "PRODUCT_LOOKUP",
            "action_success": number % 5 > 0,
        }


def asked(server: Server, caller: str, given: argparse.Namespace, tally: Path) -> tuple[int, str]:
    """Run Schemathesis as a caller; give its exit code and what it says."""
    name, phases, more = CALLERS[caller]
    shown = ["--header", f"X-API-Key: {server.keys[name]}"] if name else []
    options = {
        "--url": server.url,
        "--phases": given.phases or phases,
        "--checks": "all",
        "--seed": given.seed,
        "--max-examples": given.examples,
        "--max-time": given.seconds,
        "--max-response-time": given.slow,
        "--warnings": "off",
    }
    command: list[str | Path] = [
        BIN / "st",
        "--config-file",
        HERE / "described.toml",
        "run",
        server.document,
        "--no-color",
    ]
    command += [*shown, *more, *(str(part) for option in options.items() for part in option)]
    environment = os.environ | {
        "SCHEMATHESIS_HOOKS": "described_hooks",
        "PYTHONPATH": str(HERE),
        "DESCRIBED_TALLY": str(tally),
    }
    done = subprocess.run(command, cwd=tally.parent, env=environment, check=False, capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


def main() -> int:
    """Run all callers, and tell the numbers."""
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--seconds", type=int, default=900, help="for each kind of caller")
    arguments.add_argument("--examples", type=int, default=60, help="for each operation and phase")
    arguments.add_argument("--phases", help="other ones than each caller's own")
    arguments.add_argument("--seed", type=int, default=1)
    arguments.add_argument("--slow", type=float, default=SLOW_S, help="seconds that an answer may take")
    arguments.add_argument("--caller", action="append", choices=list(CALLERS), help="only this one; may be repeated")
    given = arguments.parse_args()
    worst = cases = 0
    statuses: Counter[str] = Counter()
    slowest: list[tuple[float, str, str]] = []
    again: list[float] = []
    with tempfile.TemporaryDirectory() as place, contextlib.ExitStack() as stack:
        folder = Path(place)
        closed, opened = Server(folder / "closed", keys=True), Server(folder / "opened", keys=False)
        stack.callback(closed.stop)
        stack.callback(opened.stop)
        with Memory(closed) as memory:
            for number, caller in enumerate(given.caller or CALLERS):
                tally = folder / f"{number}.json"
                server = closed if CALLERS[caller][2] != OPEN else opened
                code, said = asked(server, caller, given, tally)
                worst, found = max(worst, code), re.search(r"(\d[\d,]*) generated", said)
                of_this = int(found[1].replace(",", "")) if found else 0
                cases += of_this
                counted = json.loads(tally.read_text("utf-8")) if tally.exists() else {"statuses": {}, "slowest": []}
                statuses.update(counted["statuses"])
                slowest += [tuple(one) for one in counted["slowest"]]
                again += [
                    server.quickest(url) for _, operation, url in counted["slowest"] if operation.startswith("GET")
                ]
                print(f"as {caller}: {of_this} cases, exit code {code}", flush=True)
                if code:
                    print(said[max(0, said.find("FAILURES")) :], flush=True)
        bugs = [line for server in (closed, opened) for line in server.log() if line["level"] == "error"]
    failed = sum(count for status, count in statuses.items() if status.startswith("5"))
    print(f"{cases} cases, {sum(statuses.values())} answers: {dict(sorted(statuses.items()))}")
    print(
        f"{failed} of them 5xx; {len(bugs)} bugs in the log; the slowest: {[one[:2] for one in sorted(slowest, reverse=True)][:5]}"
    )
    print(f"the slowest of those that only read, the quickest of {TRIES} times: {max(again, default=0):.3f} s")
    print(f"MiB in each quarter of the time: {memory.quarters}, at most {max(memory.seen, default=0)}")
    return worst or bool(bugs)


if __name__ == "__main__":
    sys.exit(main())
