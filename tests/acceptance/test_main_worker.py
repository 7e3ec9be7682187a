"""The assistant's side in TypeScript, in the runtime that it is for, against the service."""

import gzip
import json
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from acceptance.between import Between, Prepared
from acceptance.service import Service, until
from acceptance.workerd import SAMPLE, TRACKING, Worker

StartWorker = Callable[..., Worker]

# Long enough that only a test's end would see it.
NEVER_MS = 60_000


@pytest.fixture(scope="module")
def keys() -> dict[str, Any]:
    """Of the module's service: `ingest`, `signed`, and the `secret` of that."""
    return {}


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, keys: dict[str, Any]) -> Iterator[Service]:
    with Service(tmp_path_factory.mktemp("service"), AURA_EVALUATE="off", AURA_STATISTICS="off") as made:
        keys["ingest"] = made.aura("keys", "create", "worker", "--scope", "ingest").stdout.decode().strip()
        signed = json.loads(made.aura("keys", "create", "signed", "--scope", "ingest", "--signed", "--json").stdout)
        keys["signed"], keys["secret"] = signed["key"], signed["signing_secret"]
        until(lambda: made.http.post("/ingest", json=[]).status_code == 401)
        yield made


@pytest.fixture
def between(service: Service) -> Iterator[Between]:
    with Between(service.url) as made:
        yield made


@pytest.fixture
def start_worker(between: Between, keys: dict[str, Any]) -> Iterator[StartWorker]:
    """Start workers that send to `between`; they end with the test."""
    with ExitStack() as stack:

        def start(*, key: str = "", secret: str = "", service: str = "", **more: Any) -> Worker:
            bindings = {"ANALYTICS_API_KEY": key or keys["ingest"], "ANALYTICS_SIGNING_SECRET": secret}
            if not service:
                bindings["ANALYTICS_WORKER_URL"] = f"{between.url}/"
            return stack.enter_context(Worker(more.pop("entry", TRACKING), bindings, service=service, **more))

        yield start


def asked(store: str, number: int) -> dict[str, Any]:
    return {"store_id": store, "query_id": f"{store}-{number}", "query_text": f"do you have {number} shoes"}


def ids(service: Service, store: str) -> list[str]:
    return [id for (id,) in service.rows("SELECT id FROM voice_queries WHERE store_id = ? ORDER BY id", store)]


def stored(service: Service, store: str, count: int) -> bool:
    return len(ids(service, store)) == count


def named(store: str, count: int) -> list[str]:
    return sorted(f"{store}-{number}" for number in range(count))


def test_what_is_tracked_is_stored_and_what_is_wrong_is_counted(
    service: Service, between: Between, start_worker: StartWorker, name: str
) -> None:
    worker = start_worker()
    sent = [
        {"store_id": name, "query_text": "wo ist Müsli?", "session_id": "s", "own": "field"},
        {"store_id": name, "query_text": "", "transcription_confidence": 7},
    ]
    told = worker.tell(*sent, big=True, flush=True)
    [drop] = [one for one in told["drops"] if one["reason"] == "rejected"]
    assert drop["events"] == 1
    assert "transcription_confidence" in drop["detail"]
    assert [one["events"] for one in told["drops"] if one["reason"] == "invalid"] == [1]
    assert told["totals"] == {"tracked": 3, "delivered": 1, "spooled": 0, "dropped": 2}
    query_id = told["ids"][0]
    assert service.row("voice_queries", query_id)["query_text"] == "wo ist Müsli?"
    # An outcome and a conversion, sent by age, without anybody's flush.
    worker.tell(
        {"query_id": query_id, "answer_text": "Aisle 3", "action_success": True, "tools_used": ["search"]},
        {"query_id": query_id, "order_id": "o-1", "value": 89.9, "currency": "EUR"},
        options={"maxAgeMs": 20},
    )
    until(lambda: service.rows("SELECT 1 FROM voice_conversions WHERE query_id = ?", query_id))
    assert service.row("voice_outcomes", query_id)["tool_calls"] == '["search"]'
    assert len(between.arrivals) == 2
    everything_wrong = worker.tell({"store_id": name, "query_text": "", "fast_path": "maybe"}, flush=True)
    assert everything_wrong["drops"][-1]["reason"] == "rejected"
    assert len(between.arrivals) == 3


def test_batches_are_cut_by_number_and_bytes_and_packed(
    service: Service, between: Between, start_worker: StartWorker, name: str
) -> None:
    worker = start_worker()
    events = [asked(name, number) for number in range(25)]
    worker.tell(*events, options={"maxBatchEvents": 10, "maxAgeMs": 50})
    until(lambda: stored(service, name, 25))
    assert sorted(one.body.count(b"\n") + 1 for one in between.arrivals) == [5, 10, 10]
    worker.tell(*events, options={"maxBatchBytes": 2_000, "gzipFromBytes": 1_000}, flush=True)
    later = [one for one in between.arrivals[3:] if one.headers.get("content-encoding") == "gzip"]
    assert later
    assert all(len(gzip.decompress(one.body)) <= 2_000 for one in later)
    assert ids(service, name) == named(name, 25)


def test_requests_share_batches(service: Service, between: Between, start_worker: StartWorker, name: str) -> None:
    """Each request has a timer, and what a timer takes along is nothing for the others."""
    worker = start_worker()
    for number in range(60):
        worker.tell(asked(name, number), options={"maxAgeMs": 300})
    until(lambda: stored(service, name, 60))
    assert len(between.arrivals) < 20


def test_what_a_request_tracks_after_its_first_was_sent_early_has_a_timer_too(
    service: Service, between: Between, start_worker: StartWorker, name: str
) -> None:
    """The timer of the first finds the second too young for it."""
    worker = start_worker()
    worker.tell(asked(name, 0), options={"maxAgeMs": 400}, flush=True, later=[asked(name, 1)], laterMs=200)
    until(lambda: stored(service, name, 2))
    assert len(between.arrivals) == 2


def test_what_a_request_had_on_its_way_that_the_runtime_ended_is_sent_by_another(
    service: Service, between: Between, start_worker: StartWorker, name: str
) -> None:
    worker = start_worker()
    between.open.clear()
    options: dict[str, int] = {"maxAgeMs": 1, "maxHeldBytes": 400}
    soon = options | {"attemptMs": 500, "retryForMs": 500}
    worker.tell(asked(name, 0) | {"own": "x" * 100}, flush="nobody waits", options=soon)
    between.open.set()
    until(lambda: worker.tell(flush=True, options=options)["totals"]["delivered"] == 1)
    told = worker.tell(asked(name, 1) | {"own": "x" * 100}, flush=True, options=options)
    assert told["totals"] == {"tracked": 2, "delivered": 2, "spooled": 0, "dropped": 0}
    assert ids(service, name) == named(name, 2)


def test_a_number_that_is_none_is_the_one_by_default(service: Service, start_worker: StartWorker, name: str) -> None:
    start_worker().tell(asked(name, 0), options={"maxAgeMs": None, "maxBatchEvents": None})
    until(lambda: stored(service, name, 1))


def test_a_signed_try_whose_answer_was_lost_is_signed_anew_and_doubles_nothing(
    service: Service, between: Between, start_worker: StartWorker, keys: dict[str, Any], name: str
) -> None:
    worker = start_worker(key=keys["signed"], secret=keys["secret"])
    between.answers.extend([Prepared(status=503, passed_on=True)] * 2)
    events = [asked(name, number) for number in range(50)]
    told = worker.tell(*events, options={"gzipFromBytes": 10}, flush=True)
    assert told["totals"] == {"tracked": 50, "delivered": 50, "spooled": 0, "dropped": 0}
    assert len({one.headers["webhook-id"] for one in between.arrivals}) == 1
    assert len({one.headers["webhook-timestamp"] for one in between.arrivals}) == 3
    assert ids(service, name) == named(name, 50)


def test_who_is_told_when_to_come_back_comes_back_then(between: Between, start_worker: StartWorker, name: str) -> None:
    worker = start_worker()
    between.answers.append(Prepared(status=429, headers={"retry-after": "1"}))
    before = time.monotonic()
    told = worker.tell(asked(name, 0), flush=True)
    assert time.monotonic() - before >= 1
    assert told["totals"]["delivered"] == 1
    # Longer than a request lives: given up at once.
    between.answers.append(Prepared(status=503, headers={"retry-after": "3600"}))
    told = worker.tell(asked(name, 1), flush=True)
    assert [one["reason"] for one in told["drops"]] == ["undelivered"]
    assert len(between.arrivals) == 3


def test_a_wrong_key_is_tried_once(between: Between, start_worker: StartWorker, keys: dict[str, Any]) -> None:
    wrong = keys["ingest"][:-1] + ("a" if keys["ingest"][-1] != "a" else "b")
    told = start_worker(key=wrong).tell(asked("shop", 0), flush=True)
    assert [(one["reason"], one["events"]) for one in told["drops"]] == [("refused", 1)]
    assert "401" in told["drops"][0]["detail"]
    assert len(between.arrivals) == 1
    kept = start_worker(key=wrong, spool=True).tell(asked("shop", 0), flush=True)
    assert (kept["drops"], kept["totals"]["spooled"]) == ([], 1)
    assert len(between.arrivals) == 2


def test_an_answer_that_is_no_receipt_is_nobodys_word(between: Between, start_worker: StartWorker) -> None:
    between.answers.append(Prepared(status=200, body=b"<html>Welcome to the hotel"))
    told = start_worker().tell(asked("shop", 0), flush=True)
    assert [one["reason"] for one in told["drops"]] == ["refused"]


def test_a_service_that_is_slow_holds_nobody_up_and_stores_once(
    service: Service, between: Between, start_worker: StartWorker, name: str
) -> None:
    worker = start_worker()
    between.open.clear()
    worker.tell(asked(name, 0), options={"maxAgeMs": 0, "attemptMs": 200})  # it returns: that is the point
    until(lambda: len(between.arrivals) >= 2)
    between.open.set()
    until(lambda: worker.tell()["totals"]["delivered"] == 1)
    assert ids(service, name) == [f"{name}-0"]


def test_memory_is_bounded_and_what_is_over_is_counted(
    between: Between, start_worker: StartWorker, name: str, service: Service
) -> None:
    worker = start_worker()
    events = [asked(name, number) for number in range(50)]
    told = worker.tell(*events, options={"maxHeldBytes": 2_000, "maxAgeMs": NEVER_MS})
    kept = 50 - len(told["drops"])
    assert 0 < kept < 20
    assert {one["reason"] for one in told["drops"]} == {"memory"}
    assert between.arrivals == []
    worker.tell(flush=True)
    assert stored(service, name, kept)
    too_large = asked(name, 99) | {"own": "x" * 3_000}
    assert worker.tell(too_large, options={"maxEventBytes": 2_000})["drops"][-1]["reason"] == "invalid"


def test_a_service_that_is_away_for_less_than_a_request_s_life_loses_nothing(
    service: Service, between: Between, start_worker: StartWorker, name: str
) -> None:
    worker = start_worker()
    between.down()
    worker.tell(*[asked(name, number) for number in range(10)], options={"maxAgeMs": 0})
    assert worker.tell(asked(name, 10), options={"retryForMs": 100}, flush=True)["totals"]["dropped"] == 1
    between.up()
    until(lambda: stored(service, name, 10))


def test_a_service_that_is_away_for_longer_loses_nothing_where_there_is_a_spool(
    service: Service, between: Between, start_worker: StartWorker, name: str
) -> None:
    worker = start_worker(spool=True)
    told: Any = None
    for begun in range(0, 300, 20):
        if begun == 60:
            until(lambda: stored(service, name, 60))
            between.down()
        events = [asked(name, number) for number in range(begun, begun + 20)]
        told = worker.tell(*events, options={"retryForMs": 300, "maxBatchEvents": 20}, flush=begun % 60 == 0)
    until(lambda: worker.tell()["totals"]["spooled"] == 240)
    assert told["drops"] == []
    between.up()
    worker.cron()
    assert ids(service, name) == named(name, 300)
    assert worker.tell()["totals"] == {"tracked": 300, "delivered": 300, "spooled": 240, "dropped": 0}
    assert worker.tell(path="/spool") == {"left": 0}


def test_a_later_request_takes_along_what_lies_in_the_spool(
    service: Service, between: Between, start_worker: StartWorker, name: str
) -> None:
    worker = start_worker(spool=True)
    between.answers.append(Prepared(status=401))
    assert worker.tell(asked(name, 0), flush=True)["totals"]["spooled"] == 1
    until(lambda: worker.tell(asked(name, 1), flush=True)["totals"]["delivered"], within_s=20)
    assert f"{name}-0" in ids(service, name)


def test_what_kv_lists_and_doesn_t_give_yet_stays_there(
    service: Service, between: Between, start_worker: StartWorker, name: str
) -> None:
    worker = start_worker(spool=True)
    between.answers.append(Prepared(status=401))
    assert worker.tell(asked(name, 0), flush=True)["totals"]["spooled"] == 1
    assert worker.tell(path="/spool", late=True) == {"left": 0}
    assert worker.tell(path="/spool") == {"left": 1}
    assert ids(service, name) == named(name, 1)


def test_the_sample_reaches_the_service_by_a_binding(service: Service, start_worker: StartWorker, name: str) -> None:
    worker = start_worker(entry=SAMPLE, service=service.url)
    answer = worker.http.post("/", json={"store_id": name, "text": "where are the shoes"}).json()
    until(lambda: service.rows("SELECT 1 FROM voice_outcomes WHERE query_id = ?", answer["query_id"]))
    assert ids(service, name) == [answer["query_id"]]
    assert worker.http.get("/").status_code == 405


def test_without_an_address_nothing_is_tracked_and_nothing_breaks() -> None:
    with Worker(TRACKING, {}) as worker:
        told = worker.tell({"store_id": "shop", "query_text": "hello"}, flush=True)
    assert told["totals"]["tracked"] == 0
    assert len(told["ids"]) == 1
