"""Acknowledged is durable: a kill, a stop and a full queue in the middle of load lose nothing and double nothing."""

import http.client
import json
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import closing, contextmanager

import httpx
import pytest

from acceptance.database import SqliteFile
from acceptance.service import Event, Service, outcome, query, until

StartService = Callable[..., Service]

SENDERS = 4
PAIRS = 10


class Sender(threading.Thread):
    """Posts batches over one connection, one after the other, until the service is gone or it is told to stop.

    `acknowledged` holds the ids of what was answered with 200, `broken` the error that ended it and when the request
    that it hit was sent whole, `refused` the statuses of other answers.
    """

    def __init__(self, service: Service, name: str) -> None:
        super().__init__(name=name)
        url = httpx.URL(service.url)
        assert url.port is not None
        self._connection = http.client.HTTPConnection(url.host, url.port, timeout=30)
        self._stopping = threading.Event()
        self.acknowledged: list[str] = []
        self.unsure: list[Event] = []
        self.broken: tuple[Exception, float] | None = None
        self.refused: list[int] = []

    def run(self) -> None:
        number = 0
        with closing(self._connection):
            while not self._stopping.is_set():
                ids = [f"{self.name}-{number}-{n}" for n in range(PAIRS)]
                number += 1
                self.unsure = [event for id in ids for event in (query(id), outcome(id))]
                sent_at = float("inf")
                try:
                    self._connection.request(
                        "POST", "/ingest", json.dumps(self.unsure), {"content-type": "application/json"}
                    )
                    sent_at = time.monotonic()
                    answer = self._connection.getresponse()
                    answer.read()
                except (OSError, http.client.HTTPException) as error:
                    self.broken = (error, sent_at)
                    return
                if answer.status == 200:
                    self.acknowledged += ids
                else:
                    self.refused.append(answer.status)

    def stop(self) -> None:
        self._stopping.set()


@contextmanager
def load(service: Service, name: str) -> Iterator[list[Sender]]:
    """Senders at work; at the end of the block they have ended."""
    senders = [Sender(service, f"{name}-{n}") for n in range(SENDERS)]
    for sender in senders:
        sender.start()
    try:
        yield senders
    finally:
        for sender in senders:
            sender.stop()
        for sender in senders:
            sender.join()


def acknowledged(senders: list[Sender]) -> set[str]:
    return {id for sender in senders for id in sender.acknowledged}


def assert_each_once(service: Service, ids: set[str]) -> None:
    """Every id has its query and its outcome once, in the rows and in the statistics."""
    queries = [id for (id,) in service.rows("SELECT id FROM voice_queries")]
    outcomes = [id for (id,) in service.rows("SELECT query_id FROM voice_outcomes")]
    assert len(queries) == len(set(queries))
    assert set(queries) == set(outcomes), "a batch is stored whole or not at all"
    assert ids <= set(queries)
    summary = service.get("/stats/summary", period="all")
    assert summary["totalQueries"] == summary["successfulQueries"] == len(queries)


def test_kill_9_during_load_loses_nothing_and_doubles_nothing(start_service: StartService) -> None:
    service = start_service()
    promised: set[str] = set()
    unsure: list[Event] = []
    for round_ in range(3):
        with load(service, f"round-{round_}") as senders:
            until(lambda senders=senders: len(acknowledged(senders)) >= 2_000)  # type: ignore[misc]
            service.kill()
        assert all(sender.broken for sender in senders)
        promised |= acknowledged(senders)
        unsure = [event for sender in senders for event in sender.unsure]
        service.start()
        assert_each_once(service, promised)
        answer = service.ingest(*unsure)  # as a sender that never got its answer does
        assert answer["accepted"] + answer["duplicates"] == len(unsure)
        promised |= {event["query_id"] for event in unsure}
        assert_each_once(service, promised)
    if isinstance(service.database, SqliteFile):
        assert service.rows("PRAGMA integrity_check") == [("ok",)]


def test_sigterm_during_load_answers_what_was_sent_before(start_service: StartService) -> None:
    service = start_service()
    with load(service, "load") as senders:
        until(lambda: len(acknowledged(senders)) >= 2_000)
        stopped_at = time.monotonic()
        service.signal(signal.SIGTERM)
        assert service.ended() == 0
    cut = [sender.broken for sender in senders if sender.broken and sender.broken[1] < stopped_at]
    assert cut == []
    assert {status for sender in senders for status in sender.refused} <= {503}
    if isinstance(service.database, SqliteFile):
        wal = service.database.path.with_name("aura.db-wal")
        assert not wal.exists() or wal.stat().st_size == 0
    service.start()
    assert_each_once(service, acknowledged(senders))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_waits_for_what_is_in_flight(start_service: StartService, number: signal.Signals) -> None:
    """The database is locked, so that the requests are surely in flight when the signal comes."""
    service = start_service()
    url = httpx.URL(service.url)
    with (
        service.database.locked() as unlock,
        closing(http.client.HTTPConnection(url.host, url.port, timeout=30)) as first,
        closing(http.client.HTTPConnection(url.host, url.port, timeout=30)) as second,
    ):
        for connection, id in ((first, "1"), (second, "2")):
            connection.request("POST", "/ingest", json.dumps(query(id)), {"content-type": "application/json"})
        assert service.http.get("/health").status_code == 200  # it has read what came before
        service.signal(number)
        until(lambda: _refuses(service))
        unlock()
        answers = [connection.getresponse() for connection in (first, second)]
        assert [(answer.status, json.loads(answer.read())["accepted"]) for answer in answers] == [(200, 1)] * 2
    assert service.ended() == 0
    assert sorted(service.rows("SELECT id FROM voice_queries")) == [("1",), ("2",)]
    assert not service.columns.with_name(service.columns.name + ".owner").exists()


def _refuses(service: Service) -> bool:
    try:
        httpx.get(f"{service.url}/health", trust_env=False)
    except httpx.TransportError:
        return True
    return False


def test_a_full_queue_is_a_503_and_nothing_of_it_is_stored(start_service: StartService) -> None:
    service = start_service(INGEST_QUEUE_EVENTS="10")
    batches = {side: [query(f"{side}-{n}") for n in range(8)] for side in ("left", "right")}

    def send(side: str) -> httpx.Response:
        return httpx.post(f"{service.url}/ingest", json=batches[side], timeout=30, trust_env=False)

    with service.database.locked() as unlock, ThreadPoolExecutor(2) as pool:
        sent: dict[Future[httpx.Response], str] = {pool.submit(send, side): side for side in batches}
        (answered, *more), waiting = wait(sent, timeout=30, return_when=FIRST_COMPLETED)
        assert not more
        refused = answered.result()
        assert refused.status_code == 503, refused.text
        assert int(refused.headers["retry-after"]) >= 1
        assert refused.headers["content-type"] == "application/problem+json"
        unlock()
        (taken,) = waiting
        assert taken.result(30).json()["accepted"] == 8
    assert {id.partition("-")[0] for (id,) in service.rows("SELECT id FROM voice_queries")} == {sent[taken]}
    assert service.ingest(*batches[sent[answered]])["accepted"] == 8
    assert service.get("/stats/summary")["totalQueries"] == 16


def test_a_database_that_stays_locked_is_a_503_until_it_is_free(start_service: StartService) -> None:
    service = start_service()
    with service.database.locked():
        answer = service.http.post("/ingest", json=query("1"))
        assert answer.status_code == 503, answer.text
        assert int(answer.headers["retry-after"]) >= 1
        assert answer.headers["content-type"] == "application/problem+json"
    assert service.rows("SELECT * FROM voice_queries") == []
    assert service.ingest(query("1"))["accepted"] == 1


def test_too_many_bytes_in_flight_are_a_503(start_service: StartService) -> None:
    """A body whose end doesn't come holds its part of the budget; when its sender is gone, there is room again."""
    service = start_service(INGEST_QUEUE_BYTES="4096")
    url = httpx.URL(service.url)
    with closing(http.client.HTTPConnection(url.host, url.port, timeout=30)) as slow:
        slow.putrequest("POST", "/ingest")
        slow.putheader("content-length", "100000")
        slow.endheaders(b"[" + b" " * 4_000)
        refused = until(lambda: _refusal(service))
        assert refused.json()["status"] == 503
        assert int(refused.headers["retry-after"]) >= 1
    assert until(lambda: _refusal(service) is None)


def _refusal(service: Service) -> httpx.Response | None:
    """The answer to one event, where it isn't taken."""
    answer = service.http.post("/ingest", json=query("1", query_text="x" * 500))
    return None if answer.status_code == 200 else answer
