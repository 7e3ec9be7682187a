"""Labels appear by themselves: by the rules, by a model that is asked over HTTP, and not at all where it fails."""

import json
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from llmock.pytest_plugin import LLMock

from acceptance.conftest import MakeDatabase
from acceptance.service import Event, Service, aura, children, ndjson, outcome, query, runs, until

StartService = Callable[..., Service]

MODEL = "google:gemini-2.5-flash-lite"
VERDICT = {"label": "BAD", "reason": "wrong_answer", "confidence": 0.9, "explanation": "It answered with shoes."}
KEY = "a-key-that-nobody-may-see"
COUNTS = {"postponed": 0, "paused": 0, "left": 0, "failed": 0}


@pytest.fixture(scope="module")
def quick(tmp_path_factory: pytest.TempPathFactory, make_database: MakeDatabase) -> Iterator[Service]:
    """A service without a key that looks for work all the time and waits for no outcome."""
    settings = {"EVAL_INTERVAL_SECONDS": "0.05", "EVAL_GRACE_SECONDS": "0"}
    folder = tmp_path_factory.mktemp("quick")
    with Service(folder, make_database(folder), **settings) as service:
        yield service


def evaluation(service: Service, id: str) -> dict[str, Any]:
    """The label of an interaction, once it is there."""
    until(lambda: service.rows("SELECT 1 FROM voice_evaluations WHERE query_id = ?", id))
    return service.row("voice_evaluations", id)


# The contract's table: what an interaction is like, and what becomes of it.
RULES: dict[str, tuple[Event, Event, str, str, float]] = {
    "not heard": ({"transcription_confidence": 0.49}, {}, "BAD", "very_low_transcription_confidence", 0.9),
    "not heard goes first": (
        {"transcription_confidence": 0.1, "query_text": "x"}, {}, "BAD", "very_low_transcription_confidence", 0.9,
    ),
    "short": ({"query_text": "ok"}, {}, "BAD", "query_too_short", 0.9),
    "half heard": ({"transcription_confidence": 0.5}, {}, "REVIEW", "low_transcription_confidence", 0.7),
    "nearly heard": ({"transcription_confidence": 0.79}, {}, "REVIEW", "low_transcription_confidence", 0.7),
    "fast path": (
        {"transcription_confidence": 0.96, "fast_path": True}, {"error_flag": 1}, "GOOD", "high_confidence_fast_path", 0.8,
    ),
    "fast path not sure": (
        {"transcription_confidence": 0.95, "fast_path": True}, {"error_flag": 1}, "BAD", "error_occurred", 0.95,
    ),
    "error": ({}, {"error_flag": True, "latency_ms": 20_000}, "BAD", "error_occurred", 0.95),
    "extremely slow": ({}, {"latency_ms": 10_001}, "BAD", "extreme_latency", 0.9),
    "slow": ({}, {"latency_ms": 10_000}, "REVIEW", "high_latency", 0.8),
    "just slow": ({}, {"latency_ms": 8_000.5}, "REVIEW", "high_latency", 0.8),
    "failed action": ({}, {"action_taken": "CART_ADD", "action_success": 0}, "REVIEW", "action_failed", 0.8),
    "fast action": ({}, {"action_taken": "CART_ADD", "latency_ms": 4_999}, "GOOD", "successful_fast_action", 0.85),
}  # fmt: skip

UNSETTLED: dict[str, tuple[Event, Event]] = {
    "nothing known": ({}, {"action_success": None}),
    "not that fast": ({"transcription_confidence": 0.8}, {"latency_ms": 5_000}),
    "success of unknown latency": ({}, {"action_success": 1}),
    "failure without an action": ({}, {"action_success": 0}),
    "no outcome": ({}, {}),
}


def test_the_rules_label_by_themselves(quick: Service, name: str) -> None:
    for case, (asked, became, *_) in RULES.items():
        quick.ingest(query(f"{name}-{case}", **asked), outcome(f"{name}-{case}", **{"latency_ms": 100, **became}))
    for case, (_, _, label, reason, confidence) in RULES.items():
        found = evaluation(quick, f"{name}-{case}")
        given = (found["label"], found["reason"], found["confidence_score"], found["evaluated_by"])
        assert given == (label, reason, confidence, "auto"), case
        assert found["evaluated_at"] > 1_760_000_000_000


def test_without_a_key_the_rest_is_for_review(quick: Service, name: str) -> None:
    for case, (asked, became) in UNSETTLED.items():
        events = [query(f"{name}-{case}", store_id=name, **asked), outcome(f"{name}-{case}", **became)]
        quick.ingest(*events[: 1 if case == "no outcome" else 2])
    for case in UNSETTLED:
        found = evaluation(quick, f"{name}-{case}")
        assert (found["label"], found["reason"]) == ("REVIEW", "no_judge_configured"), case
        assert 0 <= found["confidence_score"] <= 1
    assert len(quick.get("/stats/dataset", label="REVIEW", store=name)) == len(UNSETTLED)


def test_a_late_outcome_is_judged_anew(quick: Service, name: str) -> None:
    quick.ingest(query(name))
    assert evaluation(quick, name)["reason"] == "no_judge_configured"
    quick.ingest(outcome(name, latency_ms=100))
    until(lambda: quick.rows("SELECT 1 FROM voice_evaluations WHERE query_id = ? AND label = 'GOOD'", name))
    assert quick.row("voice_evaluations", name)["reason"] == "successful_fast_action"


def test_a_person_s_label_stays(quick: Service, name: str) -> None:
    quick.ingest(query(name))
    evaluation(quick, name)
    with quick.opened() as connection:
        connection.execute(
            "UPDATE voice_evaluations SET label = 'BAD', reason = 'mine', evaluated_by = 'human' WHERE query_id = ?",
            (name,),
        )
    quick.ingest(outcome(name, latency_ms=100))
    until(lambda: not quick.rows("SELECT 1 FROM evaluation_queue WHERE query_id = ?", name))
    found = quick.row("voice_evaluations", name)
    assert (found["label"], found["reason"], found["evaluated_by"]) == ("BAD", "mine", "human")


def test_a_query_within_its_grace_time_waits(shared: Service, name: str) -> None:
    shared.ingest(query(name))
    assert shared.aura("evaluate").returncode == 0
    assert shared.rows("SELECT * FROM voice_evaluations WHERE query_id = ?", name) == []
    assert shared.get("/stats/summary")["totalQueries"] > 0


# The model


def with_model(llmock: LLMock, **settings: str) -> dict[str, str]:
    """Settings under which the judge is asked, at the address where llmock speaks Gemini's protocol."""
    return {"GEMINI_API_KEY": KEY, "EVAL_BASE_URL": llmock.base_url("gemini"), **settings}


@pytest.mark.backends("sqlite")
def test_a_model_judges_what_the_rules_leave_open(start_service: StartService, llmock: LLMock) -> None:
    llmock.reply(json.dumps(VERDICT), times=None)
    service = start_service(**with_model(llmock, EVAL_INTERVAL_SECONDS="0.05"))
    service.ingest(query("open", query_text="do you have red shoes"), outcome("open", action_success=None))
    service.ingest(query("ruled"), outcome("ruled", error_flag=1))
    found = evaluation(service, "open")
    assert (found["label"], found["reason"], found["confidence_score"]) == ("BAD", "wrong_answer", 0.9)
    assert (found["method"], found["explanation"], found["evaluated_by"]) == (MODEL, VERDICT["explanation"], "auto")
    assert evaluation(service, "ruled")["reason"] == "error_occurred"
    assert len(llmock.requests) == 1
    assert "do you have red shoes" in json.dumps(llmock.last_request.body)
    [bad] = [row for row in service.get("/stats/dataset", label="BAD") if row["prompt"] == "do you have red shoes"]
    assert bad["completion"] is None
    assert service.stop() == 0
    logged = json.dumps(service.log())
    assert KEY not in logged
    assert "red shoes" not in logged


def test_a_kill_while_the_model_thinks_costs_no_label(start_service: StartService, llmock: LLMock) -> None:
    llmock.delay(2).reply(json.dumps(VERDICT), times=None)
    settings = with_model(llmock, EVAL_INTERVAL_SECONDS="0.05", EVAL_LEASE_SECONDS="1")
    service = start_service(**settings)
    service.ingest(query("q"), outcome("q", action_success=None))
    until(lambda: service.rows("SELECT 1 FROM evaluation_queue WHERE lease IS NOT NULL"))
    service.kill()
    assert service.rows("SELECT * FROM voice_evaluations") == []
    service.start()
    assert evaluation(service, "q")["label"] == "BAD"
    assert service.rows("SELECT * FROM evaluation_queue") == []
    assert service.get("/stats/dataset", label="BAD")


def evaluators(service: Service) -> list[int]:
    """The processes that label beside the service."""
    return [
        one for one in children(service) if b"aura_analytics.evaluator" in Path(f"/proc/{one}/cmdline").read_bytes()
    ]


@pytest.mark.backends("sqlite")
def test_a_process_of_its_own_asks_the_model_and_comes_back(start_service: StartService, llmock: LLMock) -> None:
    llmock.reply(json.dumps(VERDICT), times=None)
    service = start_service(**with_model(llmock, EVAL_INTERVAL_SECONDS="0.05"))
    if not (first := evaluators(service)):
        pytest.skip("the system doesn't tell who has started which process")
    os.kill(first[0], signal.SIGKILL)
    service.ingest(query("q"), outcome("q", action_success=None))
    assert evaluation(service, "q")["label"] == "BAD"
    [second] = evaluators(service)
    assert second != first[0]
    assert service.stop() == 0
    assert not runs(second)
    assert [line["event"] for line in service.log() if line["event"].startswith("evaluator")] == ["evaluator_ended"]


@pytest.mark.backends("sqlite")
def test_the_process_that_asks_the_model_ends_with_a_server_that_is_killed(
    start_service: StartService, llmock: LLMock
) -> None:
    service = start_service(**with_model(llmock))
    if not (asking := evaluators(service)):
        pytest.skip("the system doesn't tell who has started which process")
    service.kill()
    until(lambda: not any(map(runs, asking)))


@pytest.mark.backends("sqlite")
def test_a_judge_that_fails_leaves_it_waiting_and_never_mislabels(
    tmp_path: Path, make_database: MakeDatabase, llmock: LLMock
) -> None:
    """The command alone, without a server; the pauses between the tries are turned off in the queue itself."""
    service = Service(tmp_path, make_database(tmp_path))  # not started: its database is what the commands work on
    settings = with_model(llmock, EVAL_MAX_ATTEMPTS="2", AURA_DATABASE_URL=service.database_url)
    events = [query("q"), outcome("q", action_success=None)]
    assert aura("ingest", "-", folder=tmp_path, stdin=ndjson(events), settings=settings).returncode == 0

    llmock.reply("It was rather good.", times=None)
    ran = aura("evaluate", "--json", folder=tmp_path, settings=settings)
    assert (ran.returncode, json.loads(ran.stdout)) == (0, {"labels": {}, **COUNTS, "postponed": 1})
    [(attempts, error, failed_at)] = service.rows("SELECT attempts, last_error, failed_at FROM evaluation_queue")
    assert (attempts, failed_at) == (1, None)
    assert "schema" in error
    assert service.rows("SELECT * FROM voice_evaluations") == []

    with service.opened() as connection:
        connection.execute("UPDATE evaluation_queue SET due_at = 0")
    ran = aura("evaluate", "--json", folder=tmp_path, settings=settings)
    assert (ran.returncode, json.loads(ran.stdout)) == (0, {"labels": {}, **COUNTS, "failed": 1})
    listed = json.loads(aura("evaluate", "--failed", "--json", folder=tmp_path, settings=settings).stdout)
    assert [(one["query_id"], one["attempts"]) for one in listed] == [("q", 2)]
    assert "schema" in listed[0]["last_error"]
    shown = aura("evaluate", "--failed", folder=tmp_path, settings=settings).stdout.decode()
    assert "q" in shown
    assert "schema" in shown
    assert service.rows("SELECT * FROM voice_evaluations") == []

    llmock.reset()
    llmock.reply(json.dumps(VERDICT), times=None)
    ran = aura("evaluate", "--retry-failed", folder=tmp_path, settings=settings)
    assert ran.returncode == 0
    assert b"1 labelled" in ran.stdout
    assert service.row("voice_evaluations", "q")["label"] == "BAD"
    assert json.loads(aura("evaluate", "--failed", "--json", folder=tmp_path, settings=settings).stdout) == []
    assert KEY.encode() not in ran.stdout + ran.stderr


@pytest.mark.backends("sqlite")
def test_a_refused_key_is_told_without_the_key(tmp_path: Path, make_database: MakeDatabase, llmock: LLMock) -> None:
    service = Service(tmp_path, make_database(tmp_path))
    settings = with_model(llmock, AURA_DATABASE_URL=service.database_url)
    events = [query("q"), outcome("q", action_success=None)]
    assert aura("ingest", "-", folder=tmp_path, stdin=ndjson(events), settings=settings).returncode == 0
    llmock.fail(403, times=None, message=f"{KEY} is no key")
    ran = aura("evaluate", folder=tmp_path, settings=settings)
    assert b"1 to be tried again" in ran.stdout
    assert b"403" in ran.stderr
    assert KEY.encode() not in ran.stdout + ran.stderr
    assert KEY not in str(service.rows("SELECT * FROM evaluation_queue"))
