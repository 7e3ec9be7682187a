"""People beside the judge: what they are given to look at, labels over HTTP and in a terminal, and labelling anew."""

import json
import os
import pty
import re
import select
import signal
import subprocess
import termios
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any, Self

import pytest

from acceptance.conftest import MakeDatabase, StartService
from acceptance.database import BACKENDS, PATIENCE_S
from acceptance.service import COMMAND, Service, clean_environment, outcome, query

# What is asked and shown is the same over every row database; what is stored is the contract's business.
pytestmark = pytest.mark.backends("sqlite")
over_both = pytest.mark.backends(*BACKENDS)

SETTINGS = {"EVAL_INTERVAL_SECONDS": "86400", "EVAL_GRACE_SECONDS": "0"}
QUEUE = "/evaluations/queue"
HOSTILE = "\x1b]0;owned\x07[red]markup[/red]\r\n\x1b[2J"


@pytest.fixture
def judged(start_service: StartService) -> Service:
    """A service of one's own with six labels of the rules."""
    service = start_service(**SETTINGS)
    judge(service)
    return service


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory, make_database: MakeDatabase) -> Iterator[Service]:
    """The same, shared by those who change no label."""
    folder = tmp_path_factory.mktemp("seen")
    with Service(folder, make_database(folder), **SETTINGS) as service:
        judge(service)
        yield service


def judge(service: Service) -> None:
    """Have six labelled by the rules: two GOOD, of which one was said again in other words, and four REVIEW."""
    session = {"session_id": "s", "intent": "find", "transcription_confidence": 0.9}
    done = {"answer_text": "Aisle 3.", "latency_ms": 900, "action_taken": "FIND"}
    service.ingest(
        query("first", query_text="do you have red shoes", timestamp="2026-01-01T10:00:00Z", **session),
        query("again", query_text="show me red shoes", timestamp="2026-01-01T10:00:05Z", **session),
        *(outcome(id, **done) for id in ("first", "again")),
    )
    for id in ("milk-1", "milk-2", "milk-3"):
        service.ingest(query(id, query_text="Where is the milk?", transcription_confidence=0.7), outcome(id))
    service.ingest(query("odd/?", query_text=HOSTILE, store_id="odd", transcription_confidence=0.7), outcome("odd/?"))
    assert service.aura("evaluate").stdout.startswith(b"6 labelled (2 GOOD, 4 REVIEW)")


def queue(service: Service, **parameters: Any) -> dict[str, Any]:
    """What is given to a person to look at."""
    found: dict[str, Any] = service.get(QUEUE, period="all", **parameters)
    return found


def ids(found: dict[str, Any]) -> list[str]:
    """The interactions of a queue."""
    return [item["interaction"]["id"] for item in found["items"]]


def verdict(service: Service, id: str) -> dict[str, Any]:
    """The label that stands."""
    return service.row("voice_evaluations", id)


def history(service: Service, id: str) -> list[tuple[str, str]]:
    """The labels before it, the latest first, and who gave them."""
    rows = service.get(f"/interactions/{id.replace('/', '%2F').replace('?', '%3F')}")["history"]
    return [(row["label"], row["evaluatedBy"]) for row in rows]


# Over HTTP


def test_what_is_most_worth_a_look_comes_first(judged: Service) -> None:
    found = queue(judged, reviewer="Ada")
    assert ids(found)[0].startswith("milk"), "it is said often"
    by_id = {item["interaction"]["id"]: item for item in found["items"]}
    assert by_id["first"]["why"] == ["disputed"]
    assert by_id["again"]["score"] < by_id["first"]["score"] < found["items"][0]["score"]
    assert found["waiting"] == 6


@over_both
def test_a_person_s_label_counts_at_once_and_for_good(judged: Service) -> None:
    said = {"label": "BAD", "reason": "wrong_answer", "explanation": "Shoes, not scarves.", "reviewer": "Ada"}
    answer = judged.http.post("/evaluations/first", json=said)
    assert (answer.status_code, answer.json()["evaluatedBy"]) == (200, "human")
    found = verdict(judged, "first")
    assert (found["label"], found["evaluated_by"], found["method"]) == ("BAD", "human", "Ada")
    assert judged.get("/stats/agreement", period="all")["known"] == 1
    assert "first" not in ids(queue(judged))
    assert judged.http.post("/evaluations/nobody", json=said).status_code == 404
    assert judged.http.post("/evaluations/again", json={"label": "FINE"}).status_code == 400
    judged.aura("evaluate", "--redo", "--all")
    assert verdict(judged, "first")["label"] == "BAD"
    assert history(judged, "first") == [("GOOD", "auto")]


@over_both
@pytest.mark.parametrize("order", ["value", "random"])
def test_no_two_people_look_at_the_same(start_service: StartService, order: str) -> None:
    service = start_service(**SETTINGS)
    service.ingest(*(query(f"q{n}", transcription_confidence=0.7) for n in range(60)))
    assert service.aura("evaluate").stdout.startswith(b"60 labelled")
    with ThreadPoolExecutor(8) as people:
        given = list(people.map(lambda n: ids(queue(service, order=order, limit=5, reviewer=f"p{n}")), range(16)))
    every = [id for some in given for id in some]
    assert sorted(every) == sorted(f"q{n}" for n in range(60))
    assert ids(queue(service, order=order, limit=5, reviewer="p0")) == given[0]


# In a terminal


@pytest.fixture(params=["beside a server", "alone"])
def place(request: pytest.FixtureRequest, judged: Service) -> Service:
    """The same rows, with the server that keeps their columns and without."""
    if request.param == "alone":
        judged.stop()
    return judged


def test_keys_from_a_pipe_label_one_after_the_other(place: Service) -> None:
    keys = b"b\n4\ns\nu\ng\n" + b"r\n" * 2 + b"j\nb\n\ng\n"
    ran = place.aura("review", "--reviewer", "Ada", stdin=keys)
    assert (ran.returncode, ran.stderr) == (0, b"")
    assert ran.stdout.decode().splitlines()[-1].startswith("6 labelled (2 GOOD, 2 REVIEW, 2 BAD), ")
    rows = place.rows("SELECT label, reason, method FROM voice_evaluations WHERE evaluated_by = 'human'")
    assert {method for *_, method in rows} == {"Ada"}
    assert ("BAD", "wrong_answer", "Ada") in rows
    assert ("BAD", "reviewed", "Ada") in rows


def test_what_was_skipped_doesn_t_come_again_and_what_is_undone_does(place: Service) -> None:
    ran = place.aura("review", "--store", "shop", stdin=b"s\n" * 2 + b"g\nu\nb\n1\n" + b"s\n" * 20)
    assert ran.returncode == 0
    assert ran.stdout.decode().rstrip().endswith("1 labelled (1 BAD), 0 of 1 as they were labelled, 4 skipped")
    ((label, reason, method),) = place.rows(
        "SELECT label, reason, method FROM voice_evaluations WHERE evaluated_by = 'human'"
    )
    assert (label, reason, method) == ("BAD", "poor_transcription", "person")
    assert place.rows("SELECT count(*) FROM voice_evaluations WHERE evaluated_by = 'auto'") == [(5,)]


def test_nothing_that_was_said_acts(judged: Service) -> None:
    ran = judged.aura("review", "--store", "odd", stdin=b"g\n")
    text = ran.stdout.decode()
    assert "[red]markup[/red]" in text
    assert "\x1b" not in text
    assert verdict(judged, "odd/?")["evaluated_by"] == "human"


def test_where_nothing_waits_it_says_so_and_a_wrong_order_is_one_line(seen: Service) -> None:
    assert seen.aura("review", "--store", "elsewhere").stdout == b"nothing waits for a person\n"
    ran = seen.aura("review", "--order", "worth")
    assert (ran.returncode, ran.stdout, ran.stderr.count(b"\n")) == (1, b"", 1)
    assert b"order is one of value, random" in ran.stderr


class Terminal:
    """A person's terminal in which the session runs."""

    def __init__(self, service: Service, *arguments: str) -> None:
        self.ours, theirs = pty.openpty()
        self.before = termios.tcgetattr(self.ours)
        self.shown = ""
        self._seen = 0
        self.process = subprocess.Popen(
            [COMMAND, "review", *arguments],
            cwd=service.folder,
            env=clean_environment(TERM="xterm-256color", COLUMNS="100", AURA_DATABASE_URL=service.database_url),
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
        )
        os.close(theirs)

    def press(self, keys: str) -> Self:
        """Press keys, without Enter."""
        os.write(self.ours, keys.encode())
        return self

    def sees(self, pattern: str) -> str:
        """Read on until a pattern is on the screen, after the one that was seen last; give what fits it."""
        deadline = time.monotonic() + PATIENCE_S
        while not (found := re.compile(pattern).search(self.shown, self._seen)):
            assert time.monotonic() < deadline, self.shown
            if select.select([self.ours], [], [], 0.1)[0]:
                try:
                    self.shown += os.read(self.ours, 65_536).decode(errors="replace")
                except OSError as error:  # the other side has hung up
                    raise AssertionError(self.shown) from error
        self._seen = found.end()
        return found[0]

    def ended(self) -> int:
        """Wait for the end; give the exit code."""
        return self.process.wait(PATIENCE_S)

    def close(self) -> None:
        """Hang up."""
        self.process.kill()
        self.process.wait()
        os.close(self.ours)


@pytest.fixture
def terminal(judged: Service) -> Iterator[Terminal]:
    with closing(Terminal(judged, "--reviewer", "Ada", "--store", "shop")) as made:
        yield made


def test_single_keys_on_a_terminal(judged: Service, terminal: Terminal) -> None:
    terminal.sees("quit")
    terminal.press("j").sees("automatic ")
    terminal.press("b").sees("What went wrong")
    terminal.press("x\x1b[A5").sees("1 labelled · 4 waiting")
    terminal.sees("quit")
    terminal.press("u").sees("quit")
    terminal.press("g").sees("1 labelled · 4 waiting")
    terminal.press("q").sees("1 labelled .1 GOOD., 0 of 1")
    assert terminal.ended() == 0
    ((label, method),) = judged.rows("SELECT label, method FROM voice_evaluations WHERE evaluated_by = 'human'")
    assert (label, method) == ("GOOD", "Ada")
    assert termios.tcgetattr(terminal.ours) == terminal.before


def test_a_second_thought_ends_it_and_what_was_labelled_stays(judged: Service, terminal: Terminal) -> None:
    terminal.sees("quit")
    terminal.press("r").sees("1 labelled")
    terminal.process.send_signal(signal.SIGINT)
    terminal.sees("1 labelled .1 REVIEW.")
    assert terminal.ended() == 130
    assert "Traceback" not in terminal.shown
    assert judged.rows("SELECT count(*) FROM voice_evaluations WHERE evaluated_by = 'human'") == [(1,)]
    assert termios.tcgetattr(terminal.ours) == terminal.before


# Labelling anew


CHOICES = [
    (("--all",), 6),
    (("--store", "odd"), 1),
    (("--label", "good"), 2),
    (("--label", "none"), 0),
    (("--reason", "low_transcription_confidence"), 4),
    (("--method", "rules", "--below", "0.8"), 4),
    (("--rubric", "voice-shopping@000000000000"), 0),
    (("--intent", "find", "--to", "2026-01-01T10:00:01Z"), 1),
    (("--from", "2026-01-01T10:00:01Z", "--intent", "find"), 1),
    (("--period", "1h"), 4),
]


@over_both
def test_a_choice_is_labelled_anew(seen: Service) -> None:
    before = seen.rows("SELECT query_id, label, reason FROM voice_evaluations ORDER BY query_id")
    for choice, count in CHOICES:
        ran = seen.aura("evaluate", "--redo", *choice, "--json")
        assert ran.returncode == 0, ran.stderr
        assert ran.stderr == f"{count} to be labelled anew\n".encode(), choice
        assert sum(json.loads(ran.stdout)["labels"].values()) == count, choice
        assert seen.rows("SELECT query_id, label, reason FROM voice_evaluations ORDER BY query_id") == before, choice


@over_both
def test_old_labels_stay_as_history(judged: Service) -> None:
    rules = judged.folder / "rules.toml"
    rules.write_text(
        '[[rule]]\nreason = "all_bad"\nlabel = "BAD"\nconfidence = 0.9\nwhen.transcription_conf.below = 1.0\n', "utf-8"
    )
    judged.settings["EVAL_RULES"] = str(rules)
    judged.http.post("/evaluations/milk-1", json={"label": "GOOD"})
    ran = judged.aura("evaluate", "--redo", "--store", "shop")
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.startswith(b"4 labelled (4 BAD)"), "what a person labelled isn't asked about again"
    assert (verdict(judged, "milk-1")["label"], verdict(judged, "milk-2")["label"]) == ("GOOD", "BAD")
    assert history(judged, "milk-2") == [("REVIEW", "auto")]
    assert history(judged, "first") == [("GOOD", "auto")]
    [(action, details)] = judged.rows("SELECT action, details FROM audit_log")
    assert (action, json.loads(details)) == (
        "interactions.requeued",
        {"interactions": 4, "choice": {"store_id": "shop"}},
    )


NO_CHOICES = [
    ["--redo"],
    ["--redo", "--period", "all"],
    ["--redo", "--all", "--store", "shop"],
    ["--redo", "--period", "1h", "--from", "2026-01-01T00:00:00Z"],
    ["--redo", "--failed", "--all"],
    ["--redo", "--watch", "--all"],
    ["--redo", "--below", "2"],
    ["--redo", "--label", "FINE"],
    ["--redo", "--from", "soon"],
    ["--store", "shop"],
    ["--all"],
]


def test_what_is_no_choice_changes_nothing(seen: Service) -> None:
    for arguments in NO_CHOICES:
        ran = seen.aura("evaluate", *arguments)
        assert ran.returncode in (1, 2), arguments
        assert ran.stdout == b"", arguments
        assert b"Traceback" not in ran.stderr
        assert seen.rows("SELECT count(*) FROM evaluation_queue") == [(0,)], arguments
