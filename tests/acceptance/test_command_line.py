"""Every command, with and without a server beside it: results on standard output, one line where something is wrong."""

import gzip
import json
import os
import pty
import select
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from acceptance.conftest import MakeDatabase
from acceptance.database import BACKENDS, PATIENCE_S, SqliteFile
from acceptance.here import aura_here, said_here
from acceptance.service import COMMAND, Service, aura, clean_environment, ndjson, outcome, query

# Most commands stand alone, on a file that they make.
pytestmark = pytest.mark.backends("sqlite")
over_both = pytest.mark.backends(*BACKENDS)

Ran = subprocess.CompletedProcess[bytes]

STATISTICS = [
    "summary", "top-queries", "unanswered", "hourly", "timeseries", "latency", "intents", "models", "stores", "quality",
    "sessions", "conversions", "dataset",
]  # fmt: skip
INSIGHTS = ["rephrasings", "causes", "key-terms", "synonyms"]
READING = [*(f"stats {name}" for name in STATISTICS), *(f"insights {name}" for name in INSIGHTS), "interactions"]
COMMANDS = [
    "serve", "migrate", "ingest", "stats", "insights", *READING, "insights demand", "interaction", "evaluate", "export",
    "verify", "copy", "rules", "rules check", "judge", "judge report", "judge cost",
    "judge compare", "review", "keys", "keys create", "keys list", "keys revoke", "keys rotate", "demo",
]  # fmt: skip

EVENTS = [
    query("q1", store_id="a", query_text="red apples", intent="find", transcription_confidence=0.9),
    outcome("q1", latency_ms=1_000, answer_text="Aisle 3.", action_taken="FIND"),
    query("q2", store_id="b", query_text="milk", transcription_confidence=0.9),
    outcome("q2", action_success=0, action_taken="FIND"),
]


def one_line(ran: Ran, *parts: str, code: int | None = None) -> None:
    """Assert that a command failed with one line, which holds the parts, and nothing else."""
    text = ran.stderr.decode()
    assert ran.returncode != 0, text
    assert code is None or ran.returncode == code
    assert text.count("\n") == 1, text
    assert ran.stdout == b""
    for part in parts:
        assert part in text, text


def succeeded(ran: Ran) -> bytes:
    """What a command printed that ran without a word on the side."""
    assert (ran.returncode, ran.stderr) == (0, b""), ran
    return ran.stdout


@pytest.fixture(scope="module")
def stocked(tmp_path_factory: pytest.TempPathFactory, make_database: MakeDatabase) -> Iterator[Service]:
    """A running service with two labelled interactions."""
    folder = tmp_path_factory.mktemp("stocked")
    with Service(folder, make_database(folder), EVAL_INTERVAL_SECONDS="86400") as service:
        service.ingest(*EVENTS)
        succeeded(service.aura("evaluate"))
        yield service


# Help and version


def test_the_version_is_printed(tmp_path: Path) -> None:
    printed = succeeded(aura("--version", folder=tmp_path)).decode()
    assert printed.strip().count(".") >= 2
    assert printed.count("\n") == 1


def test_it_is_also_a_module(tmp_path: Path) -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "aura_analytics", "-h"],
        cwd=tmp_path, env=clean_environment(), capture_output=True, timeout=60, check=False,
    )  # fmt: skip
    assert all(command.partition(" ")[0] in ran.stdout.decode() for command in COMMANDS)
    assert (ran.returncode, ran.stderr) == (0, b"")


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_explains_itself(tmp_path: Path, command: str) -> None:
    result = aura_here(*command.split(), "-h", folder=tmp_path)
    assert (result.exit_code, result.stderr) == (0, "")
    assert f"aura-analytics {command}" in result.stdout
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("arguments", [["nope"], ["stats", "summary", "--nope"]])
def test_a_wrong_argument_is_explained(tmp_path: Path, arguments: list[str]) -> None:
    ran = aura(*arguments, folder=tmp_path)
    assert ran.returncode != 0
    assert b"Traceback" not in ran.stderr
    assert ran.stderr


# Ingest


def test_files_of_each_form_are_taken_in(tmp_path: Path) -> None:
    (tmp_path / "lines.ndjson").write_bytes(ndjson(EVENTS[:1]))
    (tmp_path / "lines.ndjson.gz").write_bytes(gzip.compress(ndjson(EVENTS[1:2])))
    (tmp_path / "array.json").write_text(json.dumps(EVENTS[2:], indent=2), "utf-8")
    (tmp_path / "one.json").write_text(json.dumps(query("q3"), indent=2), "utf-8")
    ran = aura("ingest", "lines.ndjson", "lines.ndjson.gz", "array.json", "one.json", folder=tmp_path)
    assert succeeded(ran) == b"5 accepted, 0 duplicates, 0 rejected\n"
    again = aura("ingest", "--json", "array.json", "lines.ndjson", folder=tmp_path)
    assert json.loads(succeeded(again)) == {"accepted": 0, "duplicates": 3, "rejected": 0}
    assert (tmp_path / "data" / "aura.db").exists(), "where the settings say by default"


@pytest.mark.parametrize("body", [gzip.compress(ndjson(EVENTS)), json.dumps(EVENTS).encode()])
def test_standard_input_is_taken_in(tmp_path: Path, body: bytes) -> None:
    ran = aura("ingest", "-", "--database", "sqlite:///here.db", folder=tmp_path, stdin=body)
    assert succeeded(ran) == b"4 accepted, 0 duplicates, 0 rejected\n"
    assert (tmp_path / "here.db").exists()


@over_both
def test_a_file_goes_to_the_server_that_is_named(stocked: Service, tmp_path: Path, name: str) -> None:
    (tmp_path / "f.ndjson").write_bytes(ndjson([query(name, store_id=name), outcome(name)]))
    ran = aura("ingest", "f.ndjson", "--url", stocked.url, folder=tmp_path)
    assert succeeded(ran) == b"2 accepted, 0 duplicates, 0 rejected\n"
    assert not (tmp_path / "data").exists()
    assert stocked.get("/stats/summary", store=name)["successfulQueries"] == 1
    again = aura("ingest", "f.ndjson", "--url", stocked.url + "/", folder=tmp_path)
    assert succeeded(again) == b"0 accepted, 2 duplicates, 0 rejected\n"


@over_both
def test_a_file_goes_into_the_database_beside_a_running_server(stocked: Service, tmp_path: Path, name: str) -> None:
    (tmp_path / "f.ndjson").write_bytes(ndjson([query(name, store_id=name), outcome(name)]))
    assert succeeded(stocked.aura("ingest", tmp_path / "f.ndjson")) == b"2 accepted, 0 duplicates, 0 rejected\n"
    assert stocked.get("/stats/summary", store=name)["successfulQueries"] == 1


@pytest.mark.parametrize(("through_server", "all_bad"), [(False, False), (True, False), (True, True)])
def test_a_rejected_line_is_named_by_file_and_line(
    stocked: Service, tmp_path: Path, name: str, through_server: bool, all_bad: bool
) -> None:
    good = [] if all_bad else [json.dumps(query(f"{name}-1")), "", json.dumps(query(f"{name}-2"))]
    lines = [*good, '{"event_type": "voice_query", "store_id": 5}', "not json", json.dumps({"type": "\x1b[31mred"})]
    (tmp_path / "f.ndjson").write_text("\n".join(lines), "utf-8")
    ran = aura("ingest", "f.ndjson", *(["--url", stocked.url] if through_server else []), folder=tmp_path)
    assert ran.returncode == 1
    assert ran.stdout.decode() == f"{0 if all_bad else 2} accepted, 0 duplicates, 3 rejected\n"
    told = ran.stderr.decode().splitlines()
    assert [line.partition(": ")[0] for line in told] == [f"f.ndjson:{len(good) + n}" for n in (1, 2, 3)]
    assert "store_id" in told[0]
    assert "\x1b" not in ran.stderr.decode()


def test_a_rejected_member_of_an_array_is_named(tmp_path: Path) -> None:
    (tmp_path / "f.json").write_text(json.dumps([query("1"), {}], indent=1), "utf-8")
    ran = aura("ingest", "f.json", folder=tmp_path)
    assert ran.returncode == 1
    assert ran.stderr.decode().startswith("f.json: event 2: ")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "No such file"),
        (b"", "empty"),
        (b"\n\n", "empty"),
        (gzip.compress(ndjson(EVENTS) * 100)[:-20], "gzip"),
        (b"[1, 2", "can't be read"),
    ],
    ids=["missing", "empty", "blank", "cut gzip", "cut array"],
)
def test_a_file_that_cannot_be_read_is_one_line(tmp_path: Path, content: bytes | None, says: str) -> None:
    if content is not None:
        (tmp_path / "f.ndjson").write_bytes(content)
    one_line(aura("ingest", "f.ndjson", folder=tmp_path), "f.ndjson", says)


def test_a_folder_is_one_line(tmp_path: Path) -> None:
    one_line(aura("ingest", ".", folder=tmp_path), "directory")


def test_rubbish_is_rejected_without_a_traceback(tmp_path: Path) -> None:
    (tmp_path / "f.bin").write_bytes(bytes(range(256)) * 200)
    ran = aura("ingest", "f.bin", folder=tmp_path)
    assert ran.returncode != 0
    assert ran.stderr
    assert b"Traceback" not in ran.stderr


def test_a_server_that_is_none_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "f.ndjson").write_bytes(ndjson(EVENTS))
    one_line(aura("ingest", "f.ndjson", "--url", "nonsense", folder=tmp_path), "nonsense")


def test_one_missing_file_of_several_is_one_line_and_the_others_can_be_sent_again(tmp_path: Path) -> None:
    (tmp_path / "f.ndjson").write_bytes(ndjson(EVENTS))
    one_line(aura("ingest", "f.ndjson", "missing.ndjson", folder=tmp_path), "missing.ndjson")
    again = succeeded(aura("ingest", "f.ndjson", folder=tmp_path))
    assert again in (b"0 accepted, 4 duplicates, 0 rejected\n", b"4 accepted, 0 duplicates, 0 rejected\n")


# On a terminal


def on_a_terminal(folder: Path, *arguments: str | Path, settings: Mapping[str, str] | None = None) -> tuple[int, str]:
    """Run the command on a terminal of its own; give its exit code and all that it showed."""
    ours, theirs = pty.openpty()
    try:
        with subprocess.Popen(
            [COMMAND, *arguments],
            cwd=folder,
            env=clean_environment(TERM="xterm-256color", COLUMNS="120", **(settings or {})),
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
        ) as process:
            os.close(theirs)
            shown = b""
            deadline = time.monotonic() + PATIENCE_S
            while time.monotonic() < deadline:
                if not select.select([ours], [], [], 0.1)[0]:
                    continue
                try:
                    piece = os.read(ours, 65_536)
                except OSError:  # the other side has hung up
                    break
                if not piece:
                    break
                shown += piece
            else:
                process.kill()
        return process.returncode, shown.decode()
    finally:
        os.close(ours)


def test_a_terminal_sees_a_progress_bar_and_a_pipe_none(tmp_path: Path) -> None:
    (tmp_path / "f.ndjson").write_bytes(ndjson([query(f"q{n}") for n in range(5_000)]))
    code, shown = on_a_terminal(tmp_path, "ingest", "f.ndjson")
    assert code == 0
    assert "ingesting" in shown
    assert "━" in shown
    assert "5,000 accepted" in shown
    ran = aura("ingest", "f.ndjson", folder=tmp_path)
    assert (ran.stdout, ran.stderr) == (b"0 accepted, 5,000 duplicates, 0 rejected\n", b"")


def test_a_terminal_sees_tables_in_which_nothing_that_was_said_acts(tmp_path: Path) -> None:
    spoken = "\x1b]0;owned\x07[red]markup[/red]\r\n\x1b[2J"
    (tmp_path / "f.ndjson").write_bytes(ndjson([query("q1", query_text=spoken)]))
    assert aura("ingest", "f.ndjson", folder=tmp_path).returncode == 0
    code, shown = on_a_terminal(tmp_path, "stats", "top-queries")
    assert code == 0
    assert "[red]markup[/red]" in shown
    assert "\x1b]0" not in shown
    assert "\x07" not in shown
    assert "\x1b[2J" not in shown


# Statistics


@pytest.fixture(scope="module")
def told(stocked: Service) -> dict[str, Any]:
    """What the server says of one store: everything that can be read, and training data."""
    answers = {command: stocked.get(endpoint(command), period="all", store="a") for command in READING}
    assert answers["stats summary"]["totalQueries"] == 1
    parameters = {"format": "gemini", "period": "all", "store": "a"}
    training = stocked.http.get("/export/training-data", params=parameters).content
    assert training.count(b"\n") == 1
    return {**answers, "export": training}


def endpoint(command: str) -> str:
    """The path of a command's endpoint."""
    return f"/{command.replace(' ', '/')}"


def steady(answer: Any) -> Any:
    """An answer without what may change from one moment to the next: the queue of the present."""
    return (
        {name: value for name, value in answer.items() if name != "evaluationQueue"}
        if isinstance(answer, dict)
        else answer
    )


def assert_the_same(service: Service, told: dict[str, Any], commands: Sequence[str]) -> None:
    """The commands print what the server's endpoints say."""
    for command in commands:
        ran = service.aura(*command.split(), "--period", "all", "--store", "a", "--json")
        assert steady(json.loads(succeeded(ran))) == steady(told[command]), command
    export = ("export", "--format", "gemini", "--store", "a")
    assert succeeded(service.aura(*export)) == told["export"]
    assert succeeded(service.aura(*export, "--output", "out.ndjson")) == b""
    assert (service.folder / "out.ndjson").read_bytes() == told["export"]
    assert list(service.folder.glob("*.part")) == []
    assert succeeded(service.aura("export", "--label", "bad", "--store", "a")) == b""


def test_statistics_and_exports_beside_a_server_are_the_server_s(stocked: Service, told: dict[str, Any]) -> None:
    for command in READING:
        said = said_here(stocked, *command.split(), "--period", "all", "--store", "a", "--json")
        assert steady(json.loads(said)) == steady(told[command]), command
    assert_the_same(stocked, told, ["stats summary"])
    one_line(stocked.aura("export", "-o", "no/such/folder/out.ndjson"), "out.ndjson")


@over_both
def test_statistics_and_exports_without_a_server_are_the_same(
    stocked: Service, told: dict[str, Any], tmp_path: Path
) -> None:
    alone = Service(tmp_path / "alone", stocked.database)  # not started; a server's database is there from anywhere
    if isinstance(stocked.database, SqliteFile):
        alone = Service(tmp_path / "alone")
        with (
            closing(sqlite3.connect(stocked.database.path)) as source,
            closing(sqlite3.connect(alone.folder / "aura.db")) as copy,
        ):
            source.backup(copy)
    assert_the_same(alone, told, ["stats summary", "insights causes", "interactions"])


def test_a_terminal_sees_tables_and_a_pipe_json(stocked: Service) -> None:
    def table(command: str) -> str:
        code, shown = on_a_terminal(
            stocked.folder,
            *command.split(),
            "--store",
            "a",
            "--store",
            "b",
            settings={"AURA_DATABASE_URL": stocked.database_url},
        )
        assert code == 0, shown
        return shown

    assert all(word in table("stats summary") for word in ("a,b · 24h", "queries", "conversion", "latency, p95"))
    assert all(word in table("stats top-queries") for word in ("red apples", "find", "1,000 ms", "100.0 %", "milk"))
    assert all(word in table("stats unanswered") for word in ("milk", "action_failed", "needs_review"))
    assert "█" in table("stats timeseries")
    assert "did wrong" in table("insights causes")
    assert "q1" in table("interactions")
    assert json.loads(succeeded(stocked.aura("stats", "top-queries", "--store", "a")))[0]["queryText"] == "red apples"


@over_both
def test_one_interaction_is_shown_whole(stocked: Service) -> None:
    settings = {"AURA_DATABASE_URL": stocked.database_url}
    code, shown = on_a_terminal(stocked.folder, "interaction", "q1", settings=settings)
    assert code == 0
    assert all(word in shown for word in ("red apples", "Aisle 3.", "1,000 ms", "GOOD", "The conversation"))
    assert json.loads(succeeded(stocked.aura("interaction", "q1"))) == stocked.get("/interactions/q1")
    one_line(stocked.aura("interaction", "a/b?c#d"), "no interaction has this id")


@pytest.mark.parametrize("command", ["stats top-queries", "stats timeseries", "insights causes", "interactions"])
def test_csv_is_the_endpoint_s(stocked: Service, command: str) -> None:
    parameters = {"period": "all", "store": "a", "format": "csv"}
    told = stocked.http.get(endpoint(command), params=parameters).content
    assert said_here(stocked, *command.split(), "--period", "all", "--store", "a", "--csv") == told


def test_csv_does_nothing_to_a_terminal(tmp_path: Path) -> None:
    (tmp_path / "f.ndjson").write_bytes(ndjson([query("q1", query_text="\x1b]0;owned\x07\x1b[2J")]))
    assert aura("ingest", "f.ndjson", folder=tmp_path).returncode == 0
    code, shown = on_a_terminal(tmp_path, "stats", "top-queries", "--csv")
    assert code == 0
    assert '"queryText"' in shown
    assert "\x1b]0" not in shown
    assert "\x1b[2J" not in shown


def test_options_go_to_the_endpoint(stocked: Service) -> None:
    def said(*arguments: str) -> Any:
        return json.loads(said_here(stocked, *arguments, "--period", "all"))

    assert said("stats", "summary", "--latency-min", "999", "--latency-max", "1000")["totalQueries"] >= 1
    assert said("stats", "summary", "--text", "no such words")["totalQueries"] == 0
    assert said("stats", "stores", "--limit", "1", "--store", "b")[0]["storeId"] == "b"
    series = said(
        "stats", "timeseries", "--metric", "queries", "--metric", "cost", "--step", "day", "--tz", "Asia/Tokyo"
    )
    assert (series["step"], series["tz"], series["metrics"]) == ("day", "Asia/Tokyo", ["queries", "cost"])
    assert len(said("interactions", "--limit", "1", "--sort", "latency")["interactions"]) == 1
    assert said("insights", "causes", "--examples", "0")["examples"] == []
    compared = json.loads(said_here(stocked, "stats", "summary", "--compare", "previous"))
    assert compared["previous"]["totalQueries"] == 0


def test_a_window_is_named_by_both_ends(stocked: Service) -> None:
    window = ("--from", "2020-01-01T00:00:00Z", "--to", "1600000000000")
    told = json.loads(said_here(stocked, "stats", "summary", *window, "--json"))
    assert (told["totalQueries"], told["from"], told["to"]) == (0, 1_577_836_800_000, 1_600_000_000_000)


def test_a_wrong_value_is_one_line(stocked: Service, tmp_path: Path) -> None:
    one_line(stocked.aura("stats", "summary", "--period", "7y"), "period")
    one_line(aura("stats", "hourly", "--from", "yesterday", folder=tmp_path), "from")
    one_line(stocked.aura("export", "--period", "7y"), "period")
    one_line(aura("export", "--to", "tomorrow", folder=tmp_path), "to")


# The other commands


def test_migrate_says_what_it_did(tmp_path: Path) -> None:
    first = succeeded(aura("migrate", folder=tmp_path)).decode().splitlines()
    assert [line.removeprefix("applied ") for line in first][:4] == [
        "001_voice_queries",
        "002_voice_outcomes",
        "003_voice_evaluations",
        "004_create_views",
    ]
    assert succeeded(aura("migrate", folder=tmp_path)) == b"nothing to apply\n"


def test_migrate_lists_what_was_applied_and_what_waits(tmp_path: Path) -> None:
    def listed() -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(succeeded(aura("migrate", "--status", "--json", folder=tmp_path)))
        return found

    before = listed()
    assert {one["applied_at"] for one in before} == {None}
    assert list(tmp_path.iterdir()) == []
    assert succeeded(aura("migrate", "--status", folder=tmp_path)).decode().count("pending") == len(before)
    applied = json.loads(succeeded(aura("migrate", "--json", folder=tmp_path)))["applied"]
    after = listed()
    assert [f"{one['version']:03}_{one['name']}" for one in after] == applied
    assert all(one["applied_at"] > 1e12 for one in after)
    shown = succeeded(aura("migrate", "--status", folder=tmp_path)).decode()
    assert "voice_queries" in shown
    assert "pending" not in shown
    assert json.loads(succeeded(aura("migrate", "--json", folder=tmp_path))) == {"applied": []}


@pytest.mark.parametrize("other", ["--failed", "--retry-failed", "--json"])
def test_watching_goes_with_no_other_wish(tmp_path: Path, other: str) -> None:
    result = aura_here("evaluate", "--watch", other, folder=tmp_path)
    assert result.exit_code == 2
    assert "--watch" in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_evaluate_tells_what_it_labelled(tmp_path: Path) -> None:
    assert aura("ingest", "-", folder=tmp_path, stdin=ndjson(EVENTS)).returncode == 0
    ran = succeeded(aura("evaluate", folder=tmp_path)).decode()
    assert ran == "2 labelled (1 GOOD, 1 REVIEW), 0 to be tried again, 0 given up\n"
    again = succeeded(aura("evaluate", "--json", folder=tmp_path))
    assert json.loads(again) == {"labels": {}, "postponed": 0, "paused": 0, "left": 0, "failed": 0}
    assert json.loads(succeeded(aura("evaluate", "--failed", "--json", folder=tmp_path))) == []


@over_both
def test_verify_says_that_all_is_well(stocked: Service, tmp_path: Path) -> None:
    told = json.loads(succeeded(stocked.aura("verify", "--json")))
    assert told["interactions"] >= 2
    assert told["differing"] == 0
    assert b"0 interactions: rows and columns agree" in succeeded(aura("verify", folder=tmp_path))


# Settings


@pytest.mark.parametrize(
    ("where", "setting", "value", "takes"),
    [
        ("the environment", "PORT", "65536", "65535"),
        ("the environment", "AURA_DATABASE_URL", "mysql://x/y", "sqlite:///"),
        ("the environment", "EVAL_INTERVAL_SECONDS", "nan", "seconds"),
        ("the environment", "AURA_DATABSE_URL", "sqlite:///x.db", "AURA_DATABASE_URL"),
        (".env", "LOG_LEVEL", "loud", "debug, info, warning, error"),
        (".env", "EVAL_BATCH_SIZES", "50", "EVAL_BATCH_SIZE"),
        (".dev.vars", "EVAL_BATCH_SIZE", "0", "from 1"),
        (".dev.vars", "WORKER_URL", "x", ".dev.vars"),
    ],
)
def test_a_wrong_setting_is_one_line_that_names_it(
    tmp_path: Path, where: str, setting: str, value: str, takes: str
) -> None:
    if where == "the environment":
        ran = aura("migrate", folder=tmp_path, settings={setting: value})
    else:
        (tmp_path / where).write_text(f"{setting}={value}\n", "utf-8")
        ran = aura("migrate", folder=tmp_path)
    one_line(ran, setting, takes)
    assert not (tmp_path / "data").exists()


def test_a_wrong_setting_stops_the_server(tmp_path: Path) -> None:
    one_line(aura("serve", "--port", "x", folder=tmp_path), "PORT", "whole number")
    one_line(aura("serve", "--host", "no such host", folder=tmp_path), "HOST")


def test_a_wrong_key_or_model_stops_the_server_without_the_key(tmp_path: Path) -> None:
    ran = aura("serve", "--port", "0", folder=tmp_path, settings={"GEMINI_API_KEY": "two words"})
    one_line(ran, "GEMINI_API_KEY")
    assert b"two words" not in ran.stderr
    one_line(
        aura("serve", "--port", "0", folder=tmp_path, settings={"GEMINI_API_KEY": "k", "EVAL_MODEL": "nobody:x"}),
        "EVAL_MODEL",
    )


@pytest.mark.parametrize(
    "url",
    [
        "mysql://aura:very-secret@db/aura",
        "postgresql://aura:very-secret@db:five/aura",
        "postgresql://aura:very-secret@[nonsense]/aura",
        "postgresql://aura:very-secret@127.0.0.1:1/aura?unknown=1",
        "postgresql://aura:very-secret@127.0.0.1:1/aura",
    ],
)
def test_no_command_shows_the_password_of_a_database(tmp_path: Path, url: str) -> None:
    ran = aura("migrate", "--status", folder=tmp_path, settings={"AURA_DATABASE_URL": url})
    one_line(ran, "")
    assert b"very-secret" not in ran.stderr
    given = aura("stats", "summary", "--database", url, folder=tmp_path)
    one_line(given, "")
    assert b"very-secret" not in given.stderr


def test_help_shows_no_setting_that_is_given(tmp_path: Path) -> None:
    settings = {"AURA_DATABASE_URL": "postgresql://aura:very-secret@db/aura", "GEMINI_API_KEY": "very-secret"}
    for command in ("serve", "migrate", "evaluate", "stats summary"):
        result = aura_here(*command.split(), "-h", folder=tmp_path, settings=settings)
        assert (result.exit_code, result.stderr) == (0, "")
        assert "very-secret" not in result.output


def test_a_switch_on_the_command_line_goes_before_the_environment(stocked: Service, tmp_path: Path) -> None:
    """Only the server that keeps statistics is one too many on this database."""
    given = {"AURA_DATABASE_URL": stocked.database_url, "AURA_STATISTICS": "off"}
    one_line(aura("serve", "--stats", "--port", "0", folder=tmp_path, settings=given), "running server")


def test_the_environment_goes_before_env_and_env_before_dev_vars(tmp_path: Path) -> None:
    def migrated(*arguments: str, **settings: str) -> None:
        assert aura_here("migrate", *arguments, folder=tmp_path, settings=settings).exit_code == 0

    (tmp_path / ".dev.vars").write_text("AURA_DATABASE_URL=sqlite:///vars.db\n", "utf-8")
    migrated()
    assert (tmp_path / "vars.db").exists()
    (tmp_path / ".env").write_text("# ours\nexport AURA_DATABASE_URL='sqlite:///env.db'\n", "utf-8")
    succeeded(aura("migrate", folder=tmp_path))
    assert (tmp_path / "env.db").exists()
    migrated(AURA_DATABASE_URL="sqlite:///environment.db", UNRELATED="x")
    assert (tmp_path / "environment.db").exists()
    migrated("--database", "sqlite:///argument.db", AURA_DATABASE_URL="sqlite:///no.db")
    assert (tmp_path / "argument.db").exists()
    assert not (tmp_path / "no.db").exists()


# What can't be used


def test_a_taken_port_is_one_line(tmp_path: Path) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = taken.getsockname()[1]
        one_line(aura("serve", "--port", str(port), folder=tmp_path), str(port), "in use")
    assert not (tmp_path / "data").exists()


def test_a_second_server_on_the_same_database_is_one_line(stocked: Service) -> None:
    ran = stocked.aura("serve", "--port", "0")
    assert (ran.returncode, ran.stderr.count(b"\n"), ran.stdout) == (1, 1, b""), ran.stderr
    assert b"running server" in ran.stderr
    assert stocked.get("/health")["status"] == "healthy"
    assert stocked.get("/stats/summary")["totalQueries"] >= 2
    assert succeeded(stocked.aura("stats", "summary", "--json"))


@pytest.mark.parametrize(
    ("command", "path"),
    [
        *(
            (command, "rubbish.db")
            for command in ("migrate", "stats summary", "ingest -", "evaluate", "serve --port 0")
        ),
        ("export", "a-folder"),
        ("verify", "rubbish.db/x.db"),
    ],
)
def test_a_database_that_is_none_is_one_line(tmp_path: Path, command: str, path: str) -> None:
    (tmp_path / "rubbish.db").write_bytes(b"this is no database\n" * 500)
    (tmp_path / "a-folder").mkdir()
    ran = aura(*command.split(), "--database", f"sqlite:///{path}", folder=tmp_path, stdin=ndjson(EVENTS))
    one_line(ran, "database")
    assert (tmp_path / "rubbish.db").read_bytes().startswith(b"this is no database")


def test_a_pipe_that_closes_early_is_no_traceback(stocked: Service) -> None:
    with subprocess.Popen(
        [COMMAND, "stats", "top-queries", "--json"],
        cwd=stocked.folder,
        env=clean_environment(AURA_DATABASE_URL=stocked.database_url),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        said = process.stderr.read()
    assert b"Traceback" not in said
