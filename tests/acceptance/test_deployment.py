"""The image's HEALTHCHECK, run as the engine does: it tells a server that works from one that doesn't, or isn't there."""

import json
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import httpx
import pytest

from acceptance.service import PATIENCE_S, Service, clean_environment

DOCKERFILE = Path(__file__).resolve().parents[2] / "Dockerfile"


def check(port: int) -> int:
    """Run the command; only its interpreter is ours. Give the exit code."""
    line = next(
        line
        for line in DOCKERFILE.read_text("utf-8").splitlines()
        if line.strip().startswith("CMD [") and "/health" in line
    )
    _, *arguments = json.loads(line.strip().removeprefix("CMD "))
    return subprocess.run(
        [sys.executable, *arguments],
        env=clean_environment(PORT=str(port), http_proxy="http://127.0.0.1:1"),
        stderr=subprocess.DEVNULL,
        timeout=PATIENCE_S,
        check=False,
    ).returncode


@pytest.fixture
def unhealthy() -> Iterator[int]:
    """The port of a server that says that it can't do its work."""

    class Unhealthy(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(503)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Tell nobody."""

    with HTTPServer(("127.0.0.1", 0), Unhealthy) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


def test_a_server_that_works_is_healthy(shared: Service) -> None:
    assert check(httpx.URL(shared.url).port or 0) == 0


def test_a_server_that_says_it_is_not_well_is_unhealthy(unhealthy: int) -> None:
    assert check(unhealthy) == 1


def test_where_nobody_listens_is_unhealthy() -> None:
    with socket.socket() as taken:  # bound, so that nobody else takes it, but nobody listens
        taken.bind(("127.0.0.1", 0))
        assert check(taken.getsockname()[1]) == 1
