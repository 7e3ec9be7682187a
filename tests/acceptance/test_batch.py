"""`evaluate --batch`: handed over, waited for and fetched by processes that may be killed at any moment."""

import json
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest

from acceptance.service import COMMAND, Service, aura, clean_environment, outcome, query, until
from gemini_batches import GeminiBatches, Json, blocked, verdict

StartService = Callable[..., Service]

# What differs between the row databases is the store's own suite's to show; here only where runs meet, and in the longest.
pytestmark = pytest.mark.backends("sqlite")
both = pytest.mark.backends("sqlite", "postgres")

KEY = "a-key-that-nobody-may-see"
# How long a killed run keeps others from its batch is made of these.
QUICK = {"EVAL_LEASE_SECONDS": "1", "EVAL_TIMEOUT_SECONDS": "2"}
PATIENCE_S = 150.0


@pytest.fixture
def gemini() -> Iterator[GeminiBatches]:
    """The provider."""
    with GeminiBatches() as service:
        yield service


@pytest.fixture
def service(start_service: StartService) -> Service:
    """A service that labels nothing itself."""
    return start_service(AURA_EVALUATE="off", AURA_STATISTICS="off", EVAL_GRACE_SECONDS="0")


def settings_of(service: Service, gemini: GeminiBatches) -> dict[str, str]:
    """What a run needs to know."""
    asked = {"GEMINI_API_KEY": KEY, "EVAL_BASE_URL": gemini.url, "AURA_DATABASE_URL": service.database_url}
    return {**asked, **QUICK, "EVAL_RETRY_SECONDS": "60"}


@contextmanager
def started(service: Service, gemini: GeminiBatches, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """A run in a process of its own, killed at the end if it still lives."""
    with subprocess.Popen(
        [COMMAND, "evaluate", "--batch", "--json", *arguments],
        cwd=service.folder,
        env=clean_environment(**settings_of(service, gemini)),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def finished(service: Service, gemini: GeminiBatches, *arguments: str) -> dict[str, Any]:
    """What a run says at its end, which it comes to without an error."""
    ran = aura(
        "evaluate", "--batch", "--json", *arguments, folder=service.folder, settings=settings_of(service, gemini)
    )
    assert ran.returncode == 0, ran.stderr
    assert KEY.encode() not in ran.stdout + ran.stderr
    found: dict[str, Any] = json.loads(ran.stdout)
    return found


def unclear(service: Service, count: int) -> list[str]:
    """Send interactions that the rules leave open; give their ids."""
    ids = [f"q{number:04}" for number in range(count)]
    service.ingest(*(query(id) for id in ids))
    service.ingest(*(outcome(id, action_success=None, answer_text="Aisle 3.") for id in ids))
    return ids


def labelled(service: Service) -> int:
    """How many labels there are."""
    return int(service.rows("SELECT count(*) FROM voice_evaluations")[0][0])


def each_labelled_once(service: Service, gemini: GeminiBatches, ids: Sequence[str]) -> None:
    """Assert that each was asked about, paid for, noted and labelled once, and that nothing is left to do."""
    asked = [request["key"] for job in gemini.jobs for request in job.requests]
    assert sorted(asked) == sorted(ids)
    assert sorted(service.rows("SELECT query_id FROM voice_evaluations")) == [(id,) for id in sorted(ids)]
    assert sorted(service.rows("SELECT query_id FROM judge_calls")) == [(id,) for id in sorted(ids)]
    assert service.rows("SELECT query_id FROM voice_evaluation_history") == []
    assert service.rows("SELECT query_id FROM evaluation_queue") == []
    assert service.rows("SELECT id FROM judge_batches WHERE ended_at IS NULL") == []


def test_a_batch_is_handed_over_waited_for_and_fetched(service: Service, gemini: GeminiBatches) -> None:
    service.ingest(query("ok", query_text="ok"), outcome("ok"))
    ids = unclear(service, 3)
    found = finished(service, gemini)
    assert found["labels"] == {"BAD": 1, "GOOD": 3}
    assert (found["handedOver"], found["waiting"]) == (3, 0)
    assert found["costUsd"] == pytest.approx(3 * 0.00014 / 2)
    assert [len(job.requests) for job in gemini.jobs] == [3]
    row = service.row("voice_evaluations", ids[0])
    assert (row["method"], row["tokens_prompt"], row["tokens_completion"]) == (
        "google:gemini-2.5-flash-lite",
        1_000,
        100,
    )
    assert row["cost_usd"] == pytest.approx(0.00014 / 2)


def test_it_tells_people_how_far_it_is(service: Service, gemini: GeminiBatches) -> None:
    unclear(service, 2)
    ran = aura("evaluate", "--batch", folder=service.folder, settings=settings_of(service, gemini))
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.decode().startswith("2 labelled (2 GOOD), 2 handed over, for $0.0001")
    assert "2 handed over, 2 with the provider, 0 labelled" in ran.stderr.decode()


def test_handed_over_now_and_fetched_by_the_next_one(service: Service, gemini: GeminiBatches) -> None:
    ids = unclear(service, 3)
    found = finished(service, gemini, "--no-wait")
    assert (found["handedOver"], found["waiting"], found["labels"]) == (3, 3, {})
    ordinary = aura("evaluate", "--json", folder=service.folder, settings={"AURA_DATABASE_URL": service.database_url})
    assert json.loads(ordinary.stdout)["labels"] == {}, "an ordinary run leaves them alone"
    found = finished(service, gemini)
    assert (found["handedOver"], found["labels"]) == (0, {"GOOD": 3})
    each_labelled_once(service, gemini, ids)


def test_lines_without_a_verdict_wait_for_another_try(service: Service, gemini: GeminiBatches) -> None:
    rest: dict[str, Json | None] = {"q0000": blocked(), "q0001": None}
    gemini.replies = lambda request: rest.get(request["key"], verdict("BAD", "wrong_answer"))
    unclear(service, 4)
    found = finished(service, gemini)
    assert (found["labels"], found["postponed"]) == ({"BAD": 2}, 2)
    waiting = service.rows("SELECT query_id, attempts, lease FROM evaluation_queue ORDER BY query_id")
    assert waiting == [("q0000", 1, None), ("q0001", 1, None)]


def test_an_expired_job_gives_all_back(service: Service, gemini: GeminiBatches) -> None:
    ids = unclear(service, 3)
    gemini.states = ("BATCH_STATE_EXPIRED",)
    assert finished(service, gemini)["labels"] == {}
    assert service.rows("SELECT error FROM judge_batches") == [("the provider let the job expire",)]
    assert service.rows("SELECT DISTINCT attempts, lease FROM evaluation_queue") == [(0, None)]
    gemini.states = ("BATCH_STATE_SUCCEEDED",)
    assert finished(service, gemini)["labels"] == {"GOOD": 3}
    assert labelled(service) == len(ids)


@both
def test_two_at_once_ask_about_each_once(service: Service, gemini: GeminiBatches) -> None:
    ids = unclear(service, 60)
    with started(service, gemini) as one, started(service, gemini) as other:
        told = [json.loads(process.communicate(timeout=PATIENCE_S)[0]) for process in (one, other)]
    assert sum(sum(one["labels"].values()) for one in told) == len(ids)
    each_labelled_once(service, gemini, ids)


def test_what_is_labelled_anew_may_go_the_same_way(service: Service, gemini: GeminiBatches) -> None:
    ids = unclear(service, 3)
    finished(service, gemini)
    gemini.replies = lambda _: verdict("BAD", "wrong_answer")
    ran = aura(
        "evaluate", "--batch", "--redo", "--label", "GOOD", folder=service.folder, settings=settings_of(service, gemini)
    )
    assert ran.returncode == 0, ran.stderr
    assert service.rows("SELECT DISTINCT label FROM voice_evaluations") == [("BAD",)]
    assert len(service.rows("SELECT query_id FROM voice_evaluation_history")) == len(ids)
    assert [len(job.requests) for job in gemini.jobs] == [3, 3]


# Killed


def test_killed_before_the_hand_over(service: Service, gemini: GeminiBatches) -> None:
    ids = unclear(service, 3)
    gemini.takes_files.clear()
    with started(service, gemini) as process:
        until(lambda: gemini.files_coming, within_s=PATIENCE_S)
        process.kill()
    assert gemini.jobs == []
    gemini.takes_files.set()
    assert finished(service, gemini)["labels"] == {"GOOD": 3}
    each_labelled_once(service, gemini, ids)
    assert len(gemini.jobs) == 1


def test_killed_after_the_hand_over_before_it_knew_the_job(service: Service, gemini: GeminiBatches) -> None:
    ids = unclear(service, 3)
    gemini.answers.clear()
    with started(service, gemini) as process:
        until(lambda: gemini.jobs, within_s=PATIENCE_S)
        process.kill()
    assert service.rows("SELECT job FROM judge_batches") == [(None,)]
    gemini.answers.set()
    assert finished(service, gemini)["labels"] == {"GOOD": 3}
    each_labelled_once(service, gemini, ids)
    assert len(gemini.jobs) == 1


def test_killed_while_it_waited(service: Service, gemini: GeminiBatches) -> None:
    ids = unclear(service, 3)
    gemini.states = ("BATCH_STATE_RUNNING",) * 3
    with started(service, gemini) as process:
        until(lambda: gemini.looks() >= 2, within_s=PATIENCE_S)
        process.kill()
    gemini.jobs[0].states = ["BATCH_STATE_SUCCEEDED"]
    assert finished(service, gemini)["labels"] == {"GOOD": 3}
    each_labelled_once(service, gemini, ids)


@both
def test_killed_amid_fetching(service: Service, gemini: GeminiBatches) -> None:
    ids = unclear(service, 600)
    gemini.states = ("BATCH_STATE_SUCCEEDED",)
    finished(service, gemini, "--no-wait")
    with started(service, gemini) as process:
        until(lambda: labelled(service), within_s=PATIENCE_S)
        process.kill()
    finished(service, gemini)
    each_labelled_once(service, gemini, ids)


# What can't be


@pytest.mark.parametrize(
    ("arguments", "settings", "says"),
    [
        ([], {}, "GEMINI_API_KEY"),
        ([], {"EVAL_MODEL": "openai:gpt-5-mini", "OPENAI_API_KEY": "k"}, "Gemini's batch mode"),
        (["--watch"], {}, "--watch goes with --database only"),
    ],
)
def test_what_can_t_be_is_said(service: Service, arguments: list[str], settings: dict[str, str], says: str) -> None:
    ran = aura("evaluate", "--batch", *arguments, folder=service.folder, settings=settings)
    assert ran.returncode != 0
    assert says in ran.stderr.decode()
    assert b"Traceback" not in ran.stderr


def test_only_a_batch_can_be_left_to_itself(service: Service) -> None:
    ran = aura("evaluate", "--no-wait", folder=service.folder)
    assert ran.returncode == 2
    assert "--no-wait goes with --batch" in ran.stderr.decode()


def test_a_wrong_key_ends_it_and_gives_all_back(service: Service, gemini: GeminiBatches) -> None:
    unclear(service, 2)
    gemini.refuses["upload"] = 403
    ran = aura("evaluate", "--batch", folder=service.folder, settings=settings_of(service, gemini))
    assert ran.returncode == 1
    assert ran.stderr.decode().splitlines()[-1] == (
        "error: google:gemini-2.5-flash-lite: the provider answered with HTTP 403"
    )
    assert service.rows("SELECT DISTINCT attempts, lease FROM evaluation_queue") == [(0, None)]
