"""Alerts from end to end: measured, raised once, said until it is heard, over restarts, and never by a few interactions."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

import pytest
from standardwebhooks.webhooks import Webhook

from acceptance.conftest import StartService
from acceptance.service import Event, Service, aura, outcome, query, until

SECRET = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
RULES = """
[[alert]]
name = "errors"
metric = "error_rate"
above = 0.5
clear = 0.4
window = "1h"
"""


class Receiver:
    """Somebody who is told; what comes has to be signed. It answers with the statuses that it is given, then 204."""

    def __init__(self) -> None:
        self.heard: list[dict[str, Any]] = []
        self.ids: list[str] = []
        self.statuses: list[int] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._server.server_port}/hook"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def kinds(self) -> list[str]:
        """What was heard."""
        return [said["type"] for said in self.heard]

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                Webhook(SECRET).verify(body, {name.lower(): value for name, value in self.headers.items()})
                receiver.ids.append(self.headers["webhook-id"])
                status = receiver.statuses.pop(0) if receiver.statuses else 204
                if status == 204:
                    receiver.heard.append(json.loads(body))
                self.send_response(status)
                if status == 302:
                    self.send_header("location", receiver.url)
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                pass

        return Handler


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as made:
        yield made


def settings(receiver: Receiver) -> dict[str, str]:
    return {
        "ALERTS": "../alerts.toml",
        "ALERTS_INTERVAL_SECONDS": "0.2",
        "WEBHOOK_URLS": receiver.url,
        "WEBHOOK_SECRET": SECRET,
    }


def errors(name: str, count: int, *, failed: bool) -> list[Event]:
    ids = [f"{name}-{number}" for number in range(count)]
    return [query(id) for id in ids] + [outcome(id, action_success=int(not failed)) for id in ids]


def alert(service: Service, **asked: str) -> dict[str, Any]:
    found: dict[str, Any] = service.get("/alerts", **asked)["alerts"][0]
    return found


@pytest.fixture
def watching(start_service: StartService, receiver: Receiver, tmp_path: Any) -> Service:
    (tmp_path / "alerts.toml").write_text(RULES)
    return start_service(**settings(receiver))


def test_it_is_said_once_when_raised_and_once_when_cleared_also_over_a_restart(
    watching: Service, receiver: Receiver, name: str
) -> None:
    watching.ingest(*errors(f"{name}-few", 3, failed=True))
    until(lambda: alert(watching)["interactions"] == 3)
    assert alert(watching, measure="true")["value"] == 1.0
    assert alert(watching)["state"] == "calm"  # all of three failed, which three do by chance
    receiver.statuses = [500, 302]
    watching.ingest(*errors(f"{name}-many", 30, failed=True))
    until(lambda: receiver.kinds() == ["alert.raised"])
    assert len(set(receiver.ids)) == 1
    until(lambda: watching.get("/alerts")["messages"][0]["outcome"] == "delivered")
    assert len(receiver.ids) == 3
    assert receiver.heard[0]["data"]["name"] == "errors"
    assert receiver.heard[0]["data"]["value"] == 1.0
    watching.kill()
    watching.start()
    until(lambda: alert(watching)["state"] == "raised")
    seen = alert(watching)["lookedAt"]
    until(lambda: alert(watching)["lookedAt"] > seen)
    assert receiver.kinds() == ["alert.raised"]
    watching.ingest(*errors(f"{name}-well", 70, failed=False))
    until(lambda: receiver.kinds() == ["alert.raised", "alert.cleared"])
    until(lambda: [one["outcome"] for one in watching.get("/alerts")["messages"]] == ["delivered"] * 2)
    assert watching.complaints() == []


@pytest.mark.backends("sqlite")
def test_a_test_is_told_at_once_by_the_endpoint_and_the_command(watching: Service, receiver: Receiver) -> None:
    (told,) = watching.http.post("/alerts/test").json()
    assert (told["outcome"], told["host"]) == ("delivered", "127.0.0.1")
    assert watching.aura("alerts", "test").returncode == 0
    receiver.statuses = [500]
    assert watching.aura("alerts", "test").returncode == 1
    assert receiver.kinds() == ["alert.test"] * 2
    log = json.loads(watching.aura("alerts", "log").stdout)
    assert [one["outcome"] for one in log] == ["failed", "delivered", "delivered"]
    assert "/hook" not in json.dumps(log)
    assert json.loads(watching.aura("alerts", "list").stdout)[0]["name"] == "errors"


@pytest.mark.backends("sqlite")
def test_check_says_by_its_exit_code_whether_something_is_above(
    start_service: StartService, name: str, tmp_path: Any
) -> None:
    (tmp_path / "alerts.toml").write_text(RULES)
    service = start_service(ALERTS="../alerts.toml", ALERTS_INTERVAL_SECONDS="3600")
    assert service.aura("alerts", "check").returncode == 0
    service.ingest(*errors(name, 30, failed=True))
    assert service.aura("alerts", "check").returncode == 1
    service.stop()
    assert service.aura("alerts", "check").returncode == 1  # without a server too


@pytest.mark.backends("sqlite")
@pytest.mark.parametrize(
    "wrong",
    [
        {"WEBHOOK_URLS": "http://127.0.0.1:9/token-of-mine"},
        {"WEBHOOK_URLS": "ftp://token-of-mine"},
        {"ALERTS": "nowhere.toml"},
        {"WEBHOOK_SECRET": "token-of-mine"},
        {"WEBHOOK_SECRET": "whsec_tokenofmine0123456"},
    ],
)
def test_what_is_wrong_stops_the_start_and_shows_no_secret(shared: Service, wrong: dict[str, str]) -> None:
    done = aura("serve", "--port", "0", folder=shared.folder, settings=wrong)
    assert done.returncode == 1
    assert next(iter(wrong)).encode() in done.stderr
    assert b"token-of-mine" not in done.stderr
