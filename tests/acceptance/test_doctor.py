"""Looking whether all is well: with the server and without, on each database, and nothing is changed by it."""

import hashlib
import json
import os
import time
from pathlib import Path
from typing import Any

import pytest

from acceptance.conftest import MakeDatabase, StartService
from acceptance.database import PATIENCE_S, SqliteFile
from acceptance.model import Model
from acceptance.service import Service, aura, query

EVERYTHING = {"versions", "settings", "migrations", "database", "writable", "database clock", "evaluation queue"}
EVERYTHING |= {"columns", "CORS", "keys", "judge", "server", "ingest", "statistics"}
EVERYTHING |= {"rates", "masking", "alerts", "traces"}
TABLES = ("voice_queries", "voice_outcomes", "evaluation_queue", "change_feed", "api_keys", "audit_log", "judge_calls")

# What was found, by the names of its lines. Any: a line as JSON has it.
Found = dict[str, dict[str, Any]]


def doctor(service: Service, *arguments: str, code: int, **settings: str) -> Found:
    """Look, see that the exit code is as it should be, and give what was found."""
    chosen = {"AURA_DATABASE_URL": service.database_url, **service.settings, **settings}
    done = aura("doctor", "--json", *arguments, folder=service.folder, settings=chosen)
    assert done.returncode == code, (done.stdout, done.stderr)
    told = json.loads(done.stdout)
    assert told["exitCode"] == code
    return {line["name"]: line for line in told["checks"]}


def bad(found: Found) -> set[str]:
    return {name for name, line in found.items() if line["state"] in ("warning", "fail")}


def rows(service: Service) -> list[list[tuple[Any, ...]]]:
    return [sorted(service.rows(f"SELECT * FROM {table}"), key=repr) for table in TABLES]


def test_all_is_looked_at_while_the_server_runs_and_while_it_does_not(start_service: StartService, name: str) -> None:
    service = start_service()
    service.ingest(query(name))
    service.get("/stats/summary")
    before = rows(service)

    found = doctor(service, code=1)
    assert found.keys() >= EVERYTHING
    assert bad(found) == {"keys"}  # there are none yet
    assert found["judge"]["state"] == "skipped"
    assert rows(service) == before
    service.stop()
    if isinstance(service.database, SqliteFile):
        file = service.folder / "aura.db"
        digest = hashlib.sha256(file.read_bytes()).hexdigest()
    found = doctor(service, code=1)
    assert bad(found) == {"keys", "server"}
    assert rows(service) == before
    if isinstance(service.database, SqliteFile):
        assert hashlib.sha256(file.read_bytes()).hexdigest() == digest


def test_what_hasn_t_come_to_its_end_is_told(start_service: StartService) -> None:
    service = start_service(AURA_STATISTICS="off", AURA_EVALUATE="off")
    message = "INSERT INTO alert_messages (id, target, rule, kind, body, made_at, due_at, attempts) VALUES (?, 't', 'r', 'k', '{}', 1, ?, 3)"
    with service.opened() as connection:
        connection.execute(message, ("tried-again", 9))
        connection.execute(message, ("given-up", None))
        connection.execute(
            "INSERT INTO erasures (id, person, actor, begun_at, erased) VALUES ('e', 'p', 'a', 1, '{}')", ()
        )

    found = doctor(
        service,
        "--url",
        service.url,
        code=2,
        OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:9",
        WEBHOOK_URLS="http://127.0.0.1:9/x",
    )
    assert bad(found) >= {"keys", "alert messages", "alerts given up", "erasures", "alerts", "traces"}
    assert "WEBHOOK_SECRET" in found["alerts"]["seen"]


@pytest.mark.backends("sqlite")
def test_the_judge_is_asked_once_and_it_is_noted_nowhere(start_service: StartService) -> None:
    service = start_service(AURA_EVALUATE="off")
    with Model() as model:
        found = doctor(service, code=1, **model.settings)
        assert found["judge google:gemini-2.5-flash-lite"]["state"] == "ok"
        assert len(model.asked) == 1
        found = doctor(service, code=2, **{**model.settings, "GEMINI_API_KEY": "wrong-key-7"})
        line = found["judge google:gemini-2.5-flash-lite"]
        assert (line["state"], "GEMINI_API_KEY" in line["advice"]) == ("fail", True)
        assert "wrong-key-7" not in json.dumps(found)
        assert len(model.asked) == 2
        assert doctor(service, "--no-judge", code=1, **model.settings)["judge"]["state"] == "skipped"
        model.behave = lambda _: None
        assert doctor(service, code=2, **model.settings)["judge google:gemini-2.5-flash-lite"]["state"] == "fail"
        assert len(model.asked) == 3
    assert service.rows("SELECT count(*) FROM judge_calls") == [(0,)]


@pytest.mark.backends("sqlite")
def test_with_a_key_all_is_well(start_service: StartService) -> None:
    service = start_service(CORS_ALLOW_ORIGINS="https://shop.example")
    made = service.aura("keys", "create", "all", "--scope", "admin", "--expires", "300d").stdout.decode().strip()

    found = doctor(service, code=0, AURA_API_KEY=made)
    assert found["CORS for https://shop.example"]["state"] == "ok"
    assert found["statistics"]["state"] == "ok"
    assert made not in json.dumps(found)
    service.aura("keys", "create", "soon", "--scope", "read", "--expires", "2d")
    found = doctor(service, code=1, AURA_API_KEY=made)
    (ending,) = (line["seen"] for name, line in found.items() if name.startswith("key "))
    assert ending in {"ends in 47 h", "ends in 48 h"}, "it is rounded, and asked within a moment"
    # Another page is in these settings than in the server's.
    found = doctor(service, code=2, AURA_API_KEY=made, CORS_ALLOW_ORIGINS="https://other.example")
    assert found["CORS for https://other.example"]["state"] == "fail"


def test_a_queue_that_waits_is_told(start_service: StartService, name: str) -> None:
    service = start_service(AURA_EVALUATE="off", AURA_STATISTICS="off")
    service.ingest(query(name))
    with service.opened() as connection:
        connection.execute("UPDATE evaluation_queue SET due_at = ?", (int(time.time() * 1000) - 7_200_000,))
        connection.execute("UPDATE evaluation_queue SET waits_since = due_at", ())

    found = doctor(service, code=1)
    assert "waited for 2 h" in found["evaluation queue"]["seen"]
    assert found["columns"]["state"] == "skipped"


def test_a_database_that_is_not_there_fails_and_none_is_made(make_database: MakeDatabase, tmp_path: Path) -> None:
    database = make_database(tmp_path)
    done = aura("doctor", folder=tmp_path, settings={"AURA_DATABASE_URL": database.url})

    assert done.returncode == 2
    assert b"aura-analytics migrate" in done.stdout
    assert not (tmp_path / "aura.db").exists()


@pytest.mark.backends("sqlite")
@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"PORT": "many"}, b"PORT"),
        ({"AURA_DATABASE_URL": "postgresql://nobody:secret@127.0.0.1:1/none"}, b"AURA_DATABASE_URL"),
        ({"EVAL_RULES": "nowhere.toml"}, b"EVAL_RULES"),
        ({"TRUSTED_PROXIES": "everywhere"}, b"TRUSTED_PROXIES"),
    ],
)
def test_what_is_wrong_with_the_settings_is_a_line(tmp_path: Path, settings: dict[str, str], said: bytes) -> None:
    aura("migrate", folder=tmp_path)
    began = time.monotonic()
    done = aura("doctor", folder=tmp_path, settings=settings)

    assert done.returncode == 2, done.stderr
    assert said in done.stdout
    assert b"secret" not in done.stdout + done.stderr
    assert b"Traceback" not in done.stderr
    assert time.monotonic() - began < PATIENCE_S


@pytest.mark.backends("sqlite")
@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is read-only for root")
def test_a_file_that_cannot_be_written_fails(start_service: StartService) -> None:
    service = start_service()
    service.stop()
    (service.folder / "aura.db").chmod(0o444)

    assert doctor(service, code=2)["writable"]["state"] == "fail"


@pytest.mark.backends("sqlite")
def test_a_database_that_somebody_has_locked_fails(start_service: StartService) -> None:
    service = start_service(AURA_EVALUATE="off")
    with service.opened() as connection:
        connection.execute("BEGIN IMMEDIATE", ())
        assert "busy" in doctor(service, code=2)["writable"]["seen"]
        connection.execute("ROLLBACK", ())


@pytest.mark.backends("sqlite")
def test_another_service_at_the_address_is_told(shared: Service) -> None:
    found = doctor(shared, "--url", "http://127.0.0.1:1", code=2)
    assert found["server"]["state"] == "fail"
