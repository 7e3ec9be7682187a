"""Asking the server: everything in turn while others send, and for what came just before."""

import threading
import time
from datetime import UTC, datetime
from typing import Any

import msgspec

from clients import Asker, Told
from questions import Question, Scope

LEAST_ROTATIONS = 3
MOST_TIMES_SECONDS = 5
CLIENTS = 2
FRESH_TRIES = 200
# Between two tries, for the load to go on as it would; no more often than people look.
PAUSE_S = 0.05

Point = tuple[str, Question, Scope]


class Loaded(msgspec.Struct):
    """Times and failures of every question, as clients met them."""

    times: dict[str, list[float]]
    failed: int = 0


class Fresh(msgspec.Struct):
    """Waits for a number that must hold the event before it; how often it didn't, and how often there was none."""

    waits: list[float] = []
    wrong: int = 0
    refused: int = 0


def put(client: Asker, question: Question, scope: Scope, *, later_ms: int = 0, live: bool = False) -> Told:
    """Ask the server. A window that begins a little later is another question; a live one has no end."""
    parameters: dict[str, Any] = {**question.parameters, "from": scope.start + later_ms}  # Any: texts and numbers
    if not live:
        parameters["to"] = scope.end
    if scope.store is not None:
        parameters["store"] = scope.store
    return client.get(question.path, parameters)


def rotated(url: str, points: list[Point], seconds: int, *, clients: int, live: bool = False) -> Loaded:
    """Let some clients ask everything in turn, no question twice."""
    found = Loaded({name: [] for name, _, _ in points})
    threads = [
        threading.Thread(target=one_client, args=(url, points, seconds, n, found), kwargs={"live": live})
        for n in range(clients)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def one_client(url: str, points: list[Point], seconds: int, number: int, found: Loaded, *, live: bool) -> None:
    """Ask everything in turn, each client from another place on, for some seconds and at least a few rotations."""
    client = Asker(url)
    shift = number * len(points) // CLIENTS
    began, asked_so_far = time.monotonic(), 0
    while not over(time.monotonic() - began, seconds, asked_so_far, len(points)):
        name, question, scope = points[(asked_so_far + shift) % len(points)]
        later_ms = 1 + asked_so_far * CLIENTS + number
        answer = put(client, question, scope, later_ms=later_ms, live=live)
        if answer.status == 200:
            found.times[name].append(answer.ms)
        else:
            found.failed += 1
        asked_so_far += 1


def over(passed: float, seconds: int, done: int, points: int) -> bool:
    """Whether a client has asked enough."""
    return passed > MOST_TIMES_SECONDS * seconds or (passed > seconds and done >= LEAST_ROTATIONS * points)


def freshness(url: str, seconds: int) -> Fresh:
    """Send an event and ask at once for a number that must hold it, again and again."""
    client, fresh, sent = Asker(url), Fresh(), 0
    began, start = time.monotonic(), round(time.time() * 1000)
    while fresh_again(len(fresh.waits), time.monotonic() - began, seconds):
        time.sleep(PAUSE_S)
        if client.post("/ingest", fresh_event(start, sent)).status != 200:
            fresh.refused += 1
            continue
        sent += 1
        window = {"store": f"fresh-{start}", "from": start, "to": start + 3_600_000 + sent}
        answer = client.get("/stats/summary", window)
        if answer.status == 200:
            fresh.waits.append(answer.ms)
            fresh.wrong += answer.content["totalQueries"] != sent
        else:
            fresh.refused += 1
    return fresh


def fresh_again(tries: int, passed: float, seconds: int) -> bool:
    """Whether there are too few tries yet."""
    return passed < MOST_TIMES_SECONDS * seconds and (tries < FRESH_TRIES or passed < seconds / 2)


def fresh_event(start: int, number: int) -> dict[str, str]:
    """Make a query of a store of its own, of this moment."""
    return {
        "event_type": "voice_query",
        "query_id": f"fresh-{start}-{number}",
        "store_id": f"fresh-{start}",
        "session_id": f"fresh-{number // 4}",
        "timestamp": datetime.now(UTC).isoformat(),
        "query_text": "is it there already",
    }
