"""Rules of one's own: they label in place of the package's, a wrong file stops the start, and a file can be tried first."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from acceptance.conftest import MakeDatabase
from acceptance.service import Service, aura, outcome, query, until

StartService = Callable[..., Service]

MINE = """
[[rule]]
reason = "about_shoes"
label = "BAD"
confidence = 0.6
when.query_text.matches = '(?i)\\bshoes\\b'

[[rule]]
reason = "answered"
label = "GOOD"
confidence = 0.7
when.answer_text_length.at_least = 1
any = [{ latency_ms.below = 1000 }, { latency_ms.absent = true }]

[[rule]]
reason = "about_red_shoes"
label = "REVIEW"
confidence = 0.5
when.query_text.matches = "red shoes"
"""
WRONG = MINE.replace("at_least", "at_lest")
TOLD = "rule 2 (answered), when.answer_text_length: a number has no “at_lest”; did you mean at_least?"


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    path = tmp_path / "mine.toml"
    path.write_text(MINE, "utf-8")
    return path


def checked(service: Service, *arguments: str | Path) -> dict[str, Any]:
    """What `rules check` says in a pipe. Any: its JSON."""
    ran = service.aura("rules", "check", *arguments)
    assert (ran.returncode, ran.stderr) == (0, b""), ran.stderr
    found: dict[str, Any] = json.loads(ran.stdout)
    return found


def hits(found: dict[str, Any]) -> dict[str, tuple[int, int]]:
    return {row["reason"]: (row["hits"], row["fitting"]) for row in found["rules"] if row["fitting"]}


def test_rules_of_ones_own_label_and_a_file_is_tried_beside_the_server(start_service: StartService, mine: Path) -> None:
    service = start_service(EVAL_RULES=str(mine), EVAL_INTERVAL_SECONDS="0.05", EVAL_GRACE_SECONDS="0")
    service.ingest(
        query("shoes", query_text="Red shoes, please"),
        query("red", query_text="where are red shoes", transcription_confidence=0.4, store_id="other"),
        query("apples"), outcome("apples", answer_text="Aisle 3.", latency_ms=10),
        query("slow"), outcome("slow", answer_text="Aisle 3.", latency_ms=9_000),
    )  # fmt: skip
    until(lambda: len(service.rows("SELECT 1 FROM voice_evaluations")) == 4)
    assert sorted(service.rows("SELECT query_id, label, reason FROM voice_evaluations")) == [
        ("apples", "GOOD", "answered"),
        ("red", "BAD", "about_shoes"),
        ("shoes", "BAD", "about_shoes"),
        ("slow", "REVIEW", "no_judge_configured"),
    ]

    found = checked(service)
    assert (found["file"], found["interactions"], found["left_to_judge"], found["differing"]) == (str(mine), 4, 1, 0)
    assert hits(found) == {"about_shoes": (2, 2), "answered": (1, 1), "about_red_shoes": (0, 1)}
    assert found["rules"][2]["shadowed_by"] == ["about_shoes"]

    service.settings.pop("EVAL_RULES")
    found = checked(service)
    assert (found["file"], found["left_to_judge"], found["differing"]) == ("rules.toml", 1, 0)
    assert hits(found)["high_latency"] == (1, 1)
    assert hits(found)["successful_fast_action"] == (1, 1)
    by_rules = next(row for row in found["labels"] if row["made_by"] == "rules")
    assert by_rules == {"made_by": "rules", "same": 3, "differing": 0, "left_to_judge": 1}
    assert found["changes"] == [
        {"label": "BAD", "reason": "about_shoes", "new_label": None, "new_reason": None, "count": 1}
    ]

    assert checked(service, mine, "--store", "other")["interactions"] == 1
    assert checked(service, mine, "--from", "2000-01-01T00:00:00Z", "--to", "2000-01-02T00:00:00Z")["interactions"] == 0
    assert checked(service, mine, "--period", "1h", "--json")["interactions"] == 4
    assert service.complaints() == []


@pytest.mark.parametrize(
    "command", [["serve", "--port", "0"], ["evaluate"], ["evaluate", "--watch"], ["rules", "check"]]
)
@pytest.mark.backends("sqlite")
def test_a_wrong_file_stops_the_start(
    tmp_path: Path, make_database: MakeDatabase, mine: Path, command: list[str]
) -> None:
    mine.write_text(WRONG, "utf-8")
    settings = {"AURA_DATABASE_URL": make_database(tmp_path).url, "EVAL_RULES": "mine.toml"}
    ran = aura(*command, folder=tmp_path, settings=settings)
    assert (ran.returncode, ran.stdout) == (1, b"")
    assert ran.stderr.decode() == f"error: EVAL_RULES: mine.toml: {TOLD}\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine.toml"]


@pytest.mark.backends("sqlite")
def test_a_file_that_is_tried_is_named_itself(tmp_path: Path, make_database: MakeDatabase, mine: Path) -> None:
    mine.write_text(WRONG, "utf-8")
    settings = {"AURA_DATABASE_URL": make_database(tmp_path).url}
    ran = aura("rules", "check", "mine.toml", folder=tmp_path, settings=settings)
    assert (ran.returncode, ran.stderr.decode()) == (1, f"error: mine.toml: {TOLD}\n")
    ran = aura("rules", "check", "nowhere.toml", folder=tmp_path, settings=settings)
    assert ran.stderr == b"error: nowhere.toml can't be read: No such file or directory\n"
    ran = aura("rules", "check", "--period", "soon", folder=tmp_path, settings=settings)
    assert ran.returncode == 1
    assert b"period is a number of minutes" in ran.stderr
