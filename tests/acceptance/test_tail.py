"""Looking at a running service's log: by the command, by the script of the guide, over restarts, and with keys."""

import json
import os
import signal
import subprocess
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

import httpx
import pytest

from acceptance.conftest import StartService
from acceptance.database import PATIENCE_S
from acceptance.nursery import COMMAND
from acceptance.service import Service, aura, clean_environment, outcome, query, until

pytestmark = pytest.mark.backends("sqlite")

SCRIPT = Path(__file__).parents[2] / "test-analytics-with-logs.sh"
NOWHERE = "http://127.0.0.1:1"


class Tailing:
    """`aura-analytics tail` in a pipe."""

    def __init__(self, service: Service, *arguments: str, **settings: str) -> None:
        self._out = service.folder / f"tail-{len(list(service.folder.glob('tail-*')))}.log"
        with self._out.open("wb") as file:
            self.process = subprocess.Popen(
                [COMMAND, "tail", *arguments],
                cwd=service.folder,
                env=clean_environment(AURA_DATABASE_URL=service.database_url, **settings),
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(PATIENCE_S)

    def text(self) -> str:
        """What it has printed."""
        return self._out.read_text("utf-8")

    def until(self, text: str) -> None:
        """Wait until it has printed something."""
        until(lambda: text in self.text())


def script(service_url: str, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [SCRIPT, *arguments],
        env={"PATH": os.environ["PATH"], "BASE_URL": service_url, **settings},
        capture_output=True,
        text=True,
        timeout=PATIENCE_S * 2,
        check=False,
    )


def tailed(service: Service, **wanted: str) -> list[dict[str, Any]]:
    """The lines there are by now."""
    with service.http.stream("GET", "/logs/tail", params={"follow": "false", **wanted}) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        return [json.loads(row[6:]) for row in answer.iter_lines() if row.startswith("data: ")]


def test_a_request_is_found_by_its_correlation_id_and_by_its_store(shared: Service, name: str) -> None:
    shared.http.post("/ingest", json=query(name, store_id=name), headers={"x-correlation-id": name})
    shared.get("/stats/summary", store=name)

    def found() -> list[str]:
        """All but what asks for it, which names the store too."""
        return [line["path"] for line in tailed(shared, store=name) if line["path"] != "/logs/tail"]

    # A request's line is written once its answer has gone out.
    assert until(lambda: paths if len(paths := found()) > 1 else None) == ["/ingest", "/stats/summary"]
    (line,) = tailed(shared, correlation_id=name)
    assert (line["event"], line["path"], line["accepted"]) == ("request", "/ingest", 1)
    assert "apples" not in json.dumps(line)
    assert tailed(shared, correlation_id=name, level="warning") == []


def test_the_processes_beside_the_server_are_heard_too(shared: Service) -> None:
    assert [line["event"] for line in tailed(shared) if line.get("process") == "columns"][:1] == ["projection_rebuilt"]


def test_the_evaluator_is_heard_too(start_service: StartService, name: str) -> None:
    service = start_service(
        GEMINI_API_KEY="none", EVAL_BASE_URL=NOWHERE, EVAL_INTERVAL_SECONDS="0.1", EVAL_GRACE_SECONDS="0"
    )
    service.ingest(query(name, transcription_confidence=0.99, fast_path=True), outcome(name, latency_ms=5))

    line = until(lambda: next((line for line in tailed(service, level="info") if line["event"] == "evaluation"), None))
    assert (line["process"], line["GOOD"]) == ("evaluator", 1)


def test_the_command_goes_on_after_a_restart_and_ends_at_ctrl_c(start_service: StartService, name: str) -> None:
    service = start_service(PORT="0")
    with Tailing(service, "--url", service.url, "--since", "1h") as tailing:
        tailing.until("serving")
        service.http.get("/health", headers={"x-correlation-id": name})
        tailing.until(name)
        port = httpx.URL(service.url).port
        service.kill()
        tailing.until("trying again")
        command = [COMMAND, "serve", "--port", str(port), "--database", service.database_url]
        with subprocess.Popen(
            command, cwd=service.folder, env=clean_environment(), stderr=subprocess.DEVNULL, process_group=0
        ) as second:
            try:
                until(lambda: tailing.text().count("serving url=") == 2)
            finally:
                os.killpg(second.pid, signal.SIGKILL)
        tailing.process.send_signal(signal.SIGINT)
        assert tailing.process.wait(PATIENCE_S) == 130
        assert "Traceback" not in tailing.text()


def test_json_is_a_line_an_event(shared: Service, name: str) -> None:
    shared.http.get("/health", headers={"x-correlation-id": name})
    done = shared.aura("tail", "--json", "--no-follow", "--correlation-id", name)

    assert done.returncode == 0, done.stderr
    assert [json.loads(line)["path"] for line in done.stdout.splitlines()] == ["/health"]


def test_what_a_caller_sends_does_not_act_on_a_terminal(shared: Service, name: str) -> None:
    shared.http.get(f"/{name}%1b[2J%0aevent:%20line")
    done = shared.aura("tail", "--no-follow")

    assert name.encode() in done.stdout
    assert b"\x1b" not in done.stdout
    assert [line for line in done.stdout.splitlines() if line.startswith(b"event")] == []


def test_nothing_that_a_caller_sends_breaks_a_line_or_acts_on_a_terminal(shared: Service, name: str) -> None:
    shared.http.get(f"/{name}%C2%85%E2%80%A8%C2%9B2J%7F", headers={"x-correlation-id": name})
    shared.http.post("/ingest", json=query(name, store_id=f"{name}\u2028\x9b"), headers={"x-correlation-id": name})
    until(lambda: len(tailed(shared, correlation_id=name)) == 2)
    done = shared.aura("tail", "--json", "--no-follow", "--correlation-id", name)
    assert done.returncode == 0, done.stderr
    assert [json.loads(line)["path"] for line in done.stdout.splitlines()] == [
        f"/{name}\x85\u2028\x9b2J\x7f",
        "/ingest",
    ]
    told = script(shared.url, f"stats/summary?store={name}%C2%9B2J", name)
    shown = shared.http.get("/interactions", params={"store": f"{name}\u2028\x9b"}).text
    assert "\x9b" in shown
    asked = script(shared.url, f"interactions?store={name}%E2%80%A8%C2%9B")
    assert name in told.stdout
    for output in (told.stdout, asked.stdout):
        assert [one for one in output if unicodedata.category(one) == "Cc" and one != "\n"] == []


def test_what_answers_but_is_no_log_ends_the_command(shared: Service, tmp_path: Path) -> None:
    done = aura("tail", "--url", f"{shared.url}/health?", folder=tmp_path)
    assert done.returncode == 1
    assert b"has no log to look at" in done.stderr
    assert b"Traceback" not in done.stderr


def test_where_nobody_answers_the_command_says_what_to_do(tmp_path: Path) -> None:
    done = aura("tail", "--url", NOWHERE, folder=tmp_path)

    assert done.returncode == 1
    assert b"aura-analytics serve" in done.stderr
    assert b"Traceback" not in done.stderr


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Service, str, str]]:
    """A service with keys: of an administrator, and of a reader."""
    with Service(tmp_path_factory.mktemp("closed")) as service:
        made = [
            service.aura("keys", "create", scope, "--scope", scope).stdout.decode().strip()
            for scope in ("admin", "read")
        ]
        until(lambda: service.http.get("/stats/summary").status_code == 401)
        yield service, made[0], made[1]


def test_only_an_administrator_may_look(closed: tuple[Service, str, str]) -> None:
    service, admin, reader = closed
    for key, code in (("", 401), (reader, 403)):
        headers = {"x-api-key": key} if key else {}
        assert service.http.get("/logs/tail", headers=headers).status_code == code
        done = aura("tail", "--url", service.url, folder=service.folder, settings={"AURA_API_KEY": key})
        assert done.returncode == 1
        assert b"scope admin" in done.stderr
    told = script(service.url, "health", "by-key", AURA_API_KEY=admin)
    assert told.returncode == 0, told.stderr
    assert '"correlation_id":"by-key"' in told.stdout
    assert "scope admin" in script(service.url, "health").stdout
    assert script(service.url, "ingest", AURA_API_KEY=reader).returncode == 1


@pytest.mark.parametrize("endpoint", ["ingest", "stats/summary", "health", "stats/summary?period=1h"])
def test_the_guide_s_script_shows_the_answer_and_its_lines(shared: Service, name: str, endpoint: str) -> None:
    done = script(shared.url, endpoint, name)

    assert done.returncode == 0, done.stderr
    assert "Status          200" in done.stdout
    (line,) = [json.loads(row) for row in done.stdout.splitlines() if row.startswith('{"correlation_id"')]
    assert (line["correlation_id"], line["status"]) == (name, 200)


def test_the_guide_s_script_tells_what_is_wrong(shared: Service) -> None:
    assert script(shared.url, "stats/nothing").returncode == 1
    assert script(NOWHERE).returncode == 2
    assert script(shared.url, "health", "a\nb").returncode == 2
