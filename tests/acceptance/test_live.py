"""Listening to changes over a real connection."""

import httpx
import pytest

from acceptance.conftest import StartService
from acceptance.database import PATIENCE_S
from acceptance.service import Service, query

pytestmark = pytest.mark.backends("sqlite")


def test_a_change_is_told_to_who_listens(shared: Service, name: str) -> None:
    with shared.http.stream("GET", "/stats/live") as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        lines = answer.iter_lines()
        first = next(line for line in lines if line.startswith("data:"))
        shared.ingest(query(name))
        assert next(line for line in lines if line.startswith("data:")) != first


def test_a_server_that_stops_does_not_wait_for_who_listens(start_service: StartService) -> None:
    service = start_service()
    with httpx.stream("GET", f"{service.url}/stats/live", timeout=PATIENCE_S, trust_env=False) as answer:
        lines = answer.iter_lines()
        assert next(line for line in lines if line.startswith("data:"))
        assert service.stop() == 0
        assert list(lines)[-1:] in ([""], [])
    assert service.complaints() == []
