"""Two judges beside each other, and what a judge cost, by the commands: models answer over HTTP, no label changes."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from llmock.pytest_plugin import LLMock
from llmock.scenarios import Match, Reply

from acceptance.database import BACKENDS
from acceptance.service import Service, aura, ndjson, outcome, query

StartService = Callable[..., Service]

# What is told is the same over every row database, but for what is counted in it.
pytestmark = pytest.mark.backends("sqlite")
over_both = pytest.mark.backends(*BACKENDS)

SMALL, LARGE = "google:gemini-2.5-flash-lite", "google:gemini-2.5-flash"
RUBRIC = "# GOOD\nEverything.\n# REVIEW\nNothing.\n# BAD\nNothing at all.\n"
ANSWER = {"reason": "wrong_answer", "confidence": 0.9, "explanation": "It answered with shoes."}
IDS = [f"q{n:02}" for n in range(12)]


def says(label: str, model: str = "*") -> Reply:
    """Each answer of a model."""
    return Reply(json.dumps({"label": label, **ANSWER}), times=None, match=Match(model=model))


def judged_by(llmock: LLMock, **settings: str) -> dict[str, str]:
    """Settings of a judge that isn't asked by itself."""
    asked = {"GEMINI_API_KEY": "a-key", "EVAL_BASE_URL": llmock.base_url("gemini"), "AURA_EVALUATE": "off"}
    return {**asked, "EVAL_GRACE_SECONDS": "0", **settings}


def stocked(service: Service) -> None:
    """Tell of interactions that no rule settles, each with its answer."""
    for id in IDS:
        service.ingest(
            query(id, query_text=f"do you have {id}"), outcome(id, action_success=None, answer_text="Shoes.")
        )


def compared(service: Service, *arguments: str) -> dict[str, Any]:
    ran = service.aura("judge", "compare", *arguments)
    assert (ran.returncode, ran.stderr) == (0, b""), ran
    found: dict[str, Any] = json.loads(ran.stdout)
    return found


def label_by_hand(service: Service, labels: dict[str, str]) -> None:
    """Have the rules' labels, and then a person's."""
    with service.opened() as connection:
        for id, label in labels.items():
            connection.execute(
                "UPDATE voice_evaluations SET label = ?, evaluated_by = 'human', method = 'Ada' WHERE query_id = ?",
                (label, id),
            )


@over_both
def test_two_models_judge_the_same_interactions_and_no_label_changes(
    start_service: StartService, llmock: LLMock
) -> None:
    llmock.add(says("GOOD", "*lite"), says("BAD", "*flash"))
    service = start_service(**judged_by(llmock, GEMINI_API_KEY=""))
    stocked(service)
    assert service.aura("evaluate").returncode == 0  # without a key, all are for review
    label_by_hand(service, dict.fromkeys(IDS[:8], "BAD"))
    before = sorted(service.rows("SELECT query_id, label, reason FROM voice_evaluations"))

    service.settings["GEMINI_API_KEY"] = "a-key"
    found = compared(service, SMALL, LARGE)

    assert (found["interactions"], found["contest"]["pairs"], len(found["examples"])) == (12, 12, 12)
    assert [one for one in found["contest"]["flips"] if one["count"]] == [{"a": "GOOD", "b": "BAD", "count": 12}]
    people = found["contest"]["byPeople"]
    assert (people["pairs"], people["accuracyA"]["value"], people["accuracyB"]["value"]) == (8, 0, 1)
    assert (people["onlyA"], people["onlyB"], people["p"]) == (0, 8, 2 / 2**8)
    for side, model in (("a", SMALL), ("b", LARGE)):
        assert found[side]["model"] == model
        assert (found[side]["effort"]["calls"], found[side]["effort"]["failedCalls"]) == (12, 0)
        assert found[side]["effort"]["costUsd"] > 0
    assert sorted(service.rows("SELECT query_id, label, reason FROM voice_evaluations")) == before
    assert len(llmock.requests) == 24


def test_the_interactions_are_the_same_each_time_and_only_those_that_are_chosen(
    start_service: StartService, llmock: LLMock
) -> None:
    llmock.add(says("GOOD", "*lite"), says("BAD", "*flash"))
    service = start_service(**judged_by(llmock, AURA_STATISTICS="off"))
    stocked(service)
    service.ingest(query("elsewhere", store_id="elsewhere"), outcome("elsewhere", action_success=None))
    chosen = [
        [one["queryId"] for one in compared(service, SMALL, LARGE, "--limit", "4", "--store", "shop")["examples"]]
        for _ in range(2)
    ]
    assert chosen[0] == chosen[1]
    assert len(chosen[0]) == 4
    assert compared(service, SMALL, LARGE, "--store", "elsewhere")["interactions"] == 1
    assert compared(service, SMALL, LARGE, "--label", "BAD")["interactions"] == 0


def test_a_rubric_is_held_against_the_one_of_the_settings(start_service: StartService, llmock: LLMock) -> None:
    llmock.add(says("GOOD"))
    service = start_service(**judged_by(llmock, AURA_STATISTICS="off"))
    stocked(service)
    (service.folder / "kind.md").write_text(RUBRIC)
    found = compared(service, SMALL, "kind.md")
    assert found["contest"]["agreement"]["value"] == 1
    assert found["examples"] == []
    [ours], [kind] = found["a"]["rubrics"], found["b"]["rubrics"]
    assert ours.startswith("voice-shopping@")
    assert kind.startswith("kind@")
    assert {found[side]["model"] for side in "ab"} == {SMALL}
    asked = [json.dumps(one.body) for one in llmock.requests]
    assert sum("Nothing at all." in one for one in asked) == 12
    both = compared(service, SMALL, f"{LARGE}@kind.md", "--limit", "1")["b"]
    assert (both["model"], both["rubrics"]) == (LARGE, [kind])


def test_what_fails_is_counted_by_its_cause_and_left_out(start_service: StartService, llmock: LLMock) -> None:
    llmock.add(says("GOOD", "*lite"), Reply("no verdict", times=None, match=Match(model="*flash")))
    service = start_service(**judged_by(llmock, AURA_STATISTICS="off"))
    stocked(service)
    found = compared(service, SMALL, LARGE)
    assert (found["a"]["failures"], found["contest"]["pairs"], found["contest"]["byPeople"]) == ({}, 0, None)
    assert found["b"]["failures"] == {"invalid": 12}
    assert found["b"]["effort"]["failedCalls"] >= 12


def test_the_day_s_budget_holds(start_service: StartService, llmock: LLMock) -> None:
    llmock.add(says("GOOD"))
    service = start_service(**judged_by(llmock, EVAL_DAILY_BUDGET_USD="0.0000001"))
    stocked(service)
    found = compared(service, SMALL, LARGE)
    assert found["a"]["failures"] == found["b"]["failures"] == {"budget_spent": 12}
    assert llmock.requests == []


@over_both
def test_what_it_cost_is_told_by_the_service_and_by_a_command(start_service: StartService, llmock: LLMock) -> None:
    llmock.add(says("GOOD", "*lite"), Reply("no verdict", times=None, match=Match(model="*flash")))
    service = start_service(**judged_by(llmock, EVAL_DAILY_BUDGET_USD="5"))
    stocked(service)
    assert service.get("/stats/judge")["calls"] == 0
    both = compared(service, SMALL, LARGE, "--limit", "5")

    found = service.get("/stats/judge")

    small, large = (next(one for one in found["byModel"] if one["model"] == model) for model in (SMALL, LARGE))
    assert (small["calls"], small["answered"], small["failures"]) == (5, 5, {})
    assert small["costUsd"] == pytest.approx(both["a"]["effort"]["costUsd"])
    assert small["tokensPrompt"] == both["a"]["effort"]["tokensPrompt"] > 0
    assert (large["answered"], large["failureRate"]) == (0, 1)
    assert found["costUsd"] == pytest.approx(small["costUsd"] + large["costUsd"])
    assert found["costPerLabelUsd"] == pytest.approx(found["costUsd"] / 5)
    assert found["today"]["budgetUsd"] == 5
    assert found["costUsd"] <= found["today"]["spentUsd"] < 5  # what was reserved and not asked counts too
    assert found["queue"]["due"] == len(IDS)
    assert found["queue"]["oldestAgeMs"] >= 0
    by_command = json.loads(service.aura("judge", "cost", "--period", "24h").stdout)
    assert by_command["byModel"] == found["byModel"]
    header, *lines = service.aura("judge", "cost", "--csv").stdout.decode().splitlines()
    assert header.startswith('"model","rubric","calls"')
    assert len(lines) == 2


def test_an_interaction_tells_what_its_label_took(start_service: StartService, llmock: LLMock) -> None:
    llmock.add(says("GOOD"))
    service = start_service(**judged_by(llmock))
    stocked(service)
    assert service.aura("evaluate").returncode == 0
    verdict = service.get(f"/interactions/{IDS[0]}")["verdict"]
    assert verdict["method"] == SMALL
    assert verdict["rubric"].startswith("voice-shopping@")
    assert min(verdict[name] for name in ("tokensPrompt", "tokensCompletion", "costUsd", "durationMs")) > 0
    assert json.loads(service.aura("interaction", IDS[0]).stdout)["verdict"] == verdict


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((SMALL, LARGE), b"has no key"),
        (("nowhere.md", SMALL), b"nowhere.md can't be read"),
        (("", SMALL), b"is no judge"),
        ((SMALL, LARGE, "--label", "fine"), b"label is one of GOOD, REVIEW, BAD"),
        ((SMALL, LARGE, "--below", "2"), b"below is a number from 0 to 1"),
    ],
)
def test_what_can_t_be_compared_is_told_in_one_line(tmp_path: Path, arguments: tuple[str, ...], words: bytes) -> None:
    (tmp_path / "events.ndjson").write_bytes(ndjson([query("q")]))
    settings = {"GEMINI_API_KEY": "" if b"key" in words else "a-key"}
    ran = aura("judge", "compare", *arguments, folder=tmp_path, settings=settings)
    assert (ran.returncode, ran.stdout) == (1, b"")
    assert words in ran.stderr
    assert ran.stderr.count(b"\n") == 1
    assert not (tmp_path / "data").exists()
