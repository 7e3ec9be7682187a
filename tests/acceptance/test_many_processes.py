"""Several servers and evaluators on one database: each does its part, and none needs another to be well."""

import json
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from llmock.pytest_plugin import LLMock

from acceptance.conftest import StartEvaluator
from acceptance.database import PATIENCE_S
from acceptance.nursery import COMMAND
from acceptance.service import Service, clean_environment, outcome, query, until
from acceptance.watching import QUICK

StartService = Callable[..., Service]

VERDICT = {"label": "BAD", "reason": "wrong_answer", "confidence": 0.9, "explanation": "It answered with shoes."}


def thinking(llmock: LLMock) -> dict[str, str]:
    """Settings of an evaluator whose model takes its time."""
    llmock.delay(20).reply(json.dumps(VERDICT), times=None)
    return {"GEMINI_API_KEY": "k", "EVAL_BASE_URL": llmock.base_url("gemini"), "EVAL_LEASE_SECONDS": "1"}


def beside(service: Service, folder: Path, **settings: str) -> Service:
    """Another service on the database of one that runs, as if both ran in one folder; it isn't started yet."""
    made = Service(folder, service.database, **settings)
    (service.folder / "data").mkdir(exist_ok=True)
    (folder / "data").symlink_to(service.folder / "data")
    return made


def asked_for_all(service: Service) -> int:
    """How many interactions a command beside a service finds."""
    ran = service.aura("stats", "summary", "--period", "all", "--json")
    assert (ran.returncode, ran.stderr) == (0, b"")
    found: int = json.loads(ran.stdout)["totalQueries"]
    return found


def times_asked(service: Service) -> int:
    """How often a service was asked for a summary."""
    return [line["path"] for line in service.log() if line["event"] == "request"].count("/stats/summary")


def was_asked(service: Service, times: int) -> bool:
    """Whether a service was asked for a summary so often; it writes that down a moment after its answer."""
    return until(lambda: times_asked(service) >= times) and times_asked(service) == times


def is_claimed(service: Service) -> bool:
    return bool(service.rows("SELECT 1 FROM evaluation_queue WHERE lease IS NOT NULL"))


# Evaluators


def test_two_evaluators_label_what_a_server_takes_in_each_once(
    start_service: StartService, start_evaluator: StartEvaluator
) -> None:
    service = start_service(AURA_EVALUATE="off", **QUICK)
    evaluators = [start_evaluator(service.database_url, EVAL_BATCH_SIZE="10") for _ in range(2)]
    for n in range(20):
        ids = [f"{n}-{m}" for m in range(25)]
        service.ingest(*(event for id in ids for event in (query(id), outcome(id, latency_ms=100))))
    until(lambda: service.rows("SELECT count(*) FROM voice_evaluations") == [(500,)])
    until(lambda: not service.rows("SELECT 1 FROM evaluation_queue"))
    assert service.rows("SELECT * FROM voice_evaluation_history") == []
    assert service.get("/stats/summary", period="all")["totalQueries"] == 500
    assert [evaluator.end(signal.SIGTERM) for evaluator in evaluators] == [0, 0]
    labelled = [line["labelled"] for each in evaluators for line in each.log() if line["event"] == "evaluation"]
    assert sum(labelled) == 500
    assert not any(line["event"] == "evaluation" for line in service.log())
    assert service.complaints() == []


def test_what_a_killed_evaluator_had_is_labelled_by_another_one(
    start_service: StartService, start_evaluator: StartEvaluator, llmock: LLMock
) -> None:
    service = start_service(AURA_EVALUATE="off", **QUICK)
    killed = start_evaluator(service.database_url, **thinking(llmock))
    service.ingest(query("q"), outcome("q", action_success=None))
    until(lambda: is_claimed(service))
    assert killed.end(signal.SIGKILL) == -signal.SIGKILL
    assert service.rows("SELECT * FROM voice_evaluations") == []
    start_evaluator(service.database_url)
    until(lambda: service.rows("SELECT 1 FROM voice_evaluations"))
    assert service.row("voice_evaluations", "q")["reason"] == "no_judge_configured"


@pytest.mark.backends("sqlite")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_an_evaluator_that_is_stopped_gives_back_what_it_has(
    start_service: StartService, start_evaluator: StartEvaluator, llmock: LLMock, number: signal.Signals
) -> None:
    service = start_service(AURA_EVALUATE="off", **QUICK)
    evaluator = start_evaluator(service.database_url, **thinking(llmock) | {"EVAL_LEASE_SECONDS": "86400"})
    service.ingest(query("q"), outcome("q", action_success=None))
    until(lambda: is_claimed(service))
    assert evaluator.end(number) == 0
    assert service.rows("SELECT query_id, lease, attempts FROM evaluation_queue") == [("q", None, 0)]
    assert [line["event"] for line in evaluator.log()] == ["evaluating", "stopped"]


def test_an_evaluator_that_has_nothing_to_do_ends_at_once(tmp_path: Path, start_evaluator: StartEvaluator) -> None:
    evaluator = start_evaluator(f"sqlite:///{tmp_path}/aura.db", EVAL_INTERVAL_SECONDS="86400")
    until(lambda: evaluator.has_logged("evaluating"))
    assert evaluator.end(signal.SIGTERM) == 0
    assert [line["event"] for line in evaluator.log()] == ["migrated", "evaluating", "stopped"]


def test_an_evaluator_waits_for_a_database_that_is_not_there_yet(
    tmp_path: Path, start_evaluator: StartEvaluator
) -> None:
    in_the_way = tmp_path / "data"
    in_the_way.write_text("no folder can be made here yet")
    evaluator = start_evaluator(f"sqlite:///{in_the_way}/aura.db")
    until(lambda: sum(line["event"] == "database_awaited" for line in evaluator.log()) >= 2)
    assert evaluator.process.poll() is None
    in_the_way.unlink()
    until(lambda: evaluator.has_logged("evaluating"))
    pauses = [line["again_in_s"] for line in evaluator.log() if line["event"] == "database_awaited"]
    assert pauses == sorted(pauses)
    assert evaluator.end(signal.SIGTERM) == 0


def test_an_evaluator_that_waits_for_a_database_can_be_stopped(tmp_path: Path, start_evaluator: StartEvaluator) -> None:
    (tmp_path / "data").write_text("no folder can be made here")
    evaluator = start_evaluator(f"sqlite:///{tmp_path}/data/aura.db")
    until(lambda: evaluator.has_logged("database_awaited"))
    assert evaluator.end(signal.SIGTERM) == 0
    assert evaluator.log()[-1]["event"] == "stopped"


# Servers without statistics


@pytest.fixture
def without(start_service: StartService) -> Service:
    """A server that keeps no statistics."""
    return start_service("without", AURA_STATISTICS="off", **QUICK)


def test_a_server_without_statistics_takes_in_and_labels(without: Service) -> None:
    without.ingest(query("q", session_id="s"), outcome("q", latency_ms=100))
    until(lambda: without.rows("SELECT 1 FROM voice_evaluations"))
    found = without.get("/interactions/q")
    assert (found["query"]["id"], found["verdict"]["label"], found["turns"]) == ("q", "GOOD", [])
    assert found["rephrased"] is found["repeated"] is None
    assert without.rows("SELECT * FROM change_followers") == []
    assert list(without.folder.rglob("*columns*")) == []


@pytest.mark.backends("sqlite")
def test_a_server_without_statistics_says_so(without: Service) -> None:
    health = without.get("/health")
    assert (health["status"], health["database"], health["statistics"]) == ("healthy", "usable", "off")
    for path in ("/stats/summary", "/stats/top-queries?format=csv", "/interactions", "/insights/causes", "/verify",
                 "/export/training-data"):  # fmt: skip
        answer = without.http.get(path)
        assert (answer.status_code, answer.headers["content-type"]) == (503, "application/problem+json"), path
        assert (answer.json()["code"], answer.json()["title"]) == ("statistics_off", "This server keeps no statistics")
    assert without.http.get("/interactions/nobody").status_code == 404
    assert without.http.get("/stats/summary?period=7y").status_code == 400
    assert without.complaints() == []


def test_commands_beside_a_server_without_statistics_count_for_themselves(without: Service) -> None:
    without.ingest(query("q"))
    assert asked_for_all(without) == 1


def test_a_server_without_statistics_runs_beside_one_with_them(start_service: StartService, tmp_path: Path) -> None:
    first = start_service("first", **QUICK)
    second = beside(first, tmp_path / "second", AURA_STATISTICS="off", AURA_EVALUATE="off")
    with second:
        second.ingest(query("q"))
        assert first.get("/stats/summary", period="all")["totalQueries"] == 1
        assert second.http.get("/stats/summary").status_code == 503
        assert asked_for_all(second) == 1
        assert was_asked(first, 2), "the command asked the server that has them"
        assert second.stop() == 0
    first.ingest(query("r"))
    assert first.get("/stats/summary", period="all")["totalQueries"] == 2
    assert first.complaints() == []


# Servers of one PostgreSQL database


def slots(service: Service) -> list[str]:
    """The files of columns in a service's folder, by their slots."""
    return [path.name.split(".")[-3] for path in sorted((service.folder / "data").glob("*.columns.duckdb"))]


@pytest.fixture
def several(start_service: StartService, tmp_path: Path) -> Iterator[list[Service]]:
    """Two servers of one database."""
    one = start_service("one", **QUICK)
    with beside(one, tmp_path / "two", **QUICK) as two:
        yield [one, two]


@pytest.mark.backends("postgres")
def test_servers_of_one_database_have_columns_of_their_own_and_the_same_numbers(several: list[Service]) -> None:
    assert slots(several[0]) == ["0", "1"]
    for n in range(10):
        several[n % 2].ingest(query(f"q{n}"), outcome(f"q{n}", latency_ms=100))
        assert [service.get("/stats/summary", period="all")["totalQueries"] for service in several] == [n + 1] * 2
    until(lambda: not several[0].rows("SELECT 1 FROM evaluation_queue"))
    assert [len(service.get("/stats/dataset", label="GOOD", period="all")) for service in several] == [10, 10]
    assert [service.get("/verify")["differing"] for service in several] == [0, 0]
    assert [service.complaints() for service in several] == [[], []]
    assert [service.stop() for service in several] == [0, 0]


@pytest.mark.backends("postgres")
def test_a_killed_server_of_several_leaves_its_slot_and_commands_ask_the_other(several: list[Service]) -> None:
    one, two = several
    two.ingest(query("q"))
    one.kill()
    assert asked_for_all(two) == 1
    assert was_asked(two, 1)
    one.start()
    assert slots(one) == ["0", "1"]
    assert one.get("/stats/summary", period="all")["totalQueries"] == 1


@pytest.mark.backends("postgres")
def test_a_command_without_a_server_takes_a_slot_for_itself(several: list[Service]) -> None:
    assert [service.stop() for service in several] == [0, 0]
    assert asked_for_all(several[1]) == 0
    assert slots(several[1]) == ["0", "1"]


@pytest.mark.backends("postgres")
def test_a_second_server_with_a_path_of_its_own_needs_no_slot(start_service: StartService, tmp_path: Path) -> None:
    one = start_service("one", **QUICK)
    with beside(one, tmp_path / "two", AURA_COLUMNS_PATH="mine.duckdb", **QUICK) as two:
        assert slots(two) == ["0"]
        assert (two.folder / "mine.duckdb").exists()


def test_a_server_waits_for_a_database_that_starts_late(tmp_path: Path) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = taken.getsockname()[1]
    url = f"postgresql://aura:very-secret@127.0.0.1:{port}/aura"
    log = tmp_path / "stderr.log"
    with log.open("wb") as stderr:
        process = subprocess.Popen(
            [COMMAND, "serve", "--port", "0", "--database", url],
            cwd=tmp_path, env=clean_environment(), stdin=subprocess.DEVNULL, stdout=stderr, stderr=stderr,
        )  # fmt: skip
    try:
        until(lambda: log.read_bytes().count(b"database_awaited") >= 2)
        assert process.poll() is None
        assert b"very-secret" not in log.read_bytes()
    finally:
        process.kill()
        process.wait(PATIENCE_S)
