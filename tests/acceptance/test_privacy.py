"""A person over HTTP and the command line: shown, erased, put on record."""

import json
import os
import signal
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from acceptance.conftest import StartService
from acceptance.service import Service, children, ndjson, outcome, query, runs, until

ANN = "ann/o'x\n@shop.example\n"
LINES = {"content-type": "application/x-ndjson"}
PATH = "/users/ann%2Fo'x%0A%40shop%2Eexample%0A"


def send(service: Service, count: int = 3) -> None:
    events = [query(f"a{n}", user_id=ANN, session_id=f"s{n}", query_text="find xyzzy") for n in range(count)]
    events += [outcome(f"a{n}", answer_text="the xyzzy") for n in range(count)]
    events += [query("b", user_id="bob"), outcome("b")]
    for start in range(0, len(events), 5_000):
        body = ndjson(events[start : start + 5_000])
        service.http.post("/ingest", content=body, headers=LINES, timeout=60).raise_for_status()


def asked(service: Service) -> int:
    return int(service.get("/stats/summary", period="all")["totalQueries"])


def test_all_is_shown_and_erased_and_put_on_record(start_service: StartService) -> None:
    service = start_service()
    send(service)
    assert asked(service) == 4
    shown = service.http.get(PATH, timeout=60)
    assert shown.headers["content-type"] == "application/x-ndjson"
    lines = [json.loads(line) for line in shown.text.splitlines()]
    assert sorted(line["query"]["id"] for line in lines if line["kind"] == "interaction") == ["a0", "a1", "a2"]
    receipt = service.http.delete(PATH, timeout=60).raise_for_status().json()
    assert (receipt["rows"]["voice_queries"], receipt["rows"]["voice_outcomes"]) == (3, 3)
    assert receipt["remains"] == []
    assert asked(service) == 1
    assert service.get("/verify")["differing"] == 0
    assert service.http.get(PATH, timeout=60).text == ""
    record = service.get("/audit", action="person.forgotten")
    assert [(one["subject"], one["details"]["erasure"]) for one in record] == [(receipt["person"], receipt["id"])]
    assert ANN not in json.dumps(record)
    assert service.http.delete(f"/users/{'x' * 5_000}").status_code == 400
    assert service.http.get("/audit", params={"since": "soon"}).status_code == 400


def test_killed_amid_it_said_again_ends_the_same(start_service: StartService) -> None:
    service = start_service()
    send(service, 4_000)
    with suppress(httpx.TimeoutException):
        service.http.delete(PATH, timeout=0.2)
    service.kill()
    service.start()
    receipt = service.http.delete(PATH, timeout=60).raise_for_status().json()
    assert (receipt["rows"]["voice_queries"], receipt["rows"]["voice_outcomes"]) == (4_000, 4_000)
    assert asked(service) == 1
    assert service.get("/verify")["differing"] == 0


def holding(service: Service) -> list[Path]:
    """The files that hold what was said; one may go while it is looked for."""
    found = []
    for path in Path(service.folder).rglob("*"):
        with suppress(FileNotFoundError):
            if path.is_file() and b"xyzzy" in path.read_bytes():
                found.append(path)
    return found


@pytest.mark.backends("sqlite")
def test_the_command_beside_a_server_leaves_no_byte_in_any_file(start_service: StartService) -> None:
    service = start_service()
    send(service)
    assert asked(service) == 4
    done = service.aura("forget", "--user", ANN, "--block", "--json")
    assert json.loads(done.stdout)["remains"] == []
    assert asked(service) == 1
    assert ANN.encode() not in done.stdout

    until(lambda: not holding(service))
    body = ndjson([query("new", user_id=ANN)])
    told = service.http.post("/ingest", content=body, headers=LINES)
    assert told.json()["duplicates"] == 1
    assert b"person.forgotten" in service.aura("audit").stdout


@pytest.mark.backends("sqlite")
def test_killed_before_the_columns_follow_a_start_alone_leaves_no_byte_in_any_file(start_service: StartService) -> None:
    """The erasing goes on by itself: of what was told as erased, and of what was broken off."""
    service = start_service(AURA_EVALUATE="off")
    send(service)
    assert asked(service) == 4
    [columns] = children(service)
    os.kill(columns, signal.SIGSTOP)
    with suppress(httpx.TimeoutException):
        service.http.delete(PATH, timeout=1)
    until(lambda: service.rows("SELECT count(*) FROM voice_queries") == [(1,)])
    assert holding(service)  # else there would be nothing to be seen
    service.kill()
    os.kill(columns, signal.SIGKILL)
    until(lambda: not runs(columns))
    service.start()

    until(lambda: not holding(service))
    assert asked(service) == 1
