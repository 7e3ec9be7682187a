"""Two judges beside each other: what is told of what they said, and its tables."""

from typing import Any

import pytest

from aura_analytics.evaluation.judgement import Case, Judgement
from aura_analytics.evaluation.trial import Trial
from aura_analytics.events.records import Interaction, JudgeCall, Label
from aura_analytics.terminal.rival_tables import MOST_EXAMPLES, comparison_table
from aura_analytics.terminal.rivals import as_json, told
from contract.making import NOW, outcome, query
from unit.terminal.answers import HOSTILE, cells, shown

SMALL, LARGE = "google:gemini-2.5-flash-lite", "openai:a-large-one"


class Named:
    """A judge that isn't asked any more."""

    def __init__(self, name: str) -> None:
        self.name = name

    async def judge(self, case: Case, calls: list[JudgeCall]) -> Judgement:
        raise AssertionError(case, calls)

    async def aclose(self) -> None:
        """Nothing to let go of."""


def call(id: str, model: str, **fields: Any) -> JudgeCall:
    whole = {"duration_ms": 400.0, "tokens_prompt": 1_000, "tokens_completion": 50, "cost_usd": 0.0002, **fields}
    return JudgeCall(
        query_id=id, store_id="shop", called_at=NOW, model=model, rubric="v@1", outcome="answered", **whole
    )


def tried(model: str, labels: dict[str, Label], text: str = "It answered.", **fields: Any) -> Trial:
    judgements = {id: Judgement(label, "correct", 0.9, text, model=model, rubric="v@1") for id, label in labels.items()}
    return Trial(judgements=judgements, calls=[call(id, model, **fields) for id in labels])


def compared(a: Trial, b: Trial, people: dict[str, Label], count: int = 4, text: str = "red apples") -> dict[str, Any]:
    cases = [
        Case(Interaction(query=query(f"q{n}", query_text=text), outcome=outcome(f"q{n}", answer_text=text)))
        for n in range(count)
    ]
    return as_json(told(("A's", "B's"), (Named(SMALL), Named(LARGE)), cases, (a, b), people))


def some() -> dict[str, Any]:
    """Four interactions: one labelled alike, one gravely differently, one a little, one by the one judge only."""
    a = tried(SMALL, {"q0": "GOOD", "q1": "GOOD", "q2": "GOOD", "q3": "BAD"})
    b = tried(LARGE, {"q0": "GOOD", "q1": "BAD", "q2": "REVIEW"}, duration_ms=1_500.0, cost_usd=None)
    b.failures["timed_out"] += 1
    return compared(a, b, {"q0": "GOOD", "q1": "BAD"})


def test_all_is_told_of_both() -> None:
    found = some()
    assert (found["interactions"], found["contest"]["pairs"]) == (4, 3)
    assert (found["a"]["name"], found["a"]["model"], found["a"]["rubrics"]) == ("A's", SMALL, ["v@1"])
    assert found["a"]["labels"] == {"GOOD": 3, "REVIEW": 0, "BAD": 1}
    assert found["b"]["failures"] == {"timed_out": 1}
    assert found["a"]["effort"]["costUsd"] == pytest.approx(0.0008)
    assert (found["b"]["effort"]["costUsd"], found["b"]["effort"]["unpricedCalls"]) == (None, 3)
    assert found["contest"]["byPeople"]["onlyB"] == 1
    assert [(one["queryId"], one["a"]["label"], one["b"]["label"], one["people"]) for one in found["examples"]] == [
        ("q1", "GOOD", "BAD", "BAD"),
        ("q2", "GOOD", "REVIEW", None),
    ]
    assert found["examples"][0]["answerText"] == "red apples"


def test_where_nothing_was_said_nothing_is_told() -> None:
    found = compared(Trial(), Trial(), {}, count=0)
    assert (found["interactions"], found["contest"]["agreement"], found["examples"]) == (0, None, [])
    text = shown(comparison_table(found))
    assert "0 interactions" in text
    assert not any(part in text for part in ("Their agreement", "By people", "Labelled differently"))


def test_a_table_shows_it() -> None:
    rows, text = cells(comparison_table(some())), shown(comparison_table(some()))
    assert ["GOOD", "1", "1", "1", "33.3", "%"] in rows
    assert ["A", "50.0", "%", "9.5", "to", "90.5", "%", "0"] in rows
    assert ["none:", "timed", "out", "0", "1"] in rows
    for part in (
        SMALL,
        LARGE,
        "v@1",
        "400 ms",
        "1,500 ms",
        "$0.2000",
        "–",
        "Neither is shown to be better",
        "p = 1.0000",
    ):
        assert part in text, part


@pytest.mark.parametrize(("better", "name"), [(0, "A"), (1, "B")])
def test_who_is_better_by_more_than_chance_is_named(better: int, name: str) -> None:
    right: dict[str, Label] = {f"q{n}": "BAD" for n in range(20)}
    wrong: dict[str, Label] = dict.fromkeys(right, "GOOD")
    a, b = (wrong, right) if better else (right, wrong)
    found = compared(tried(SMALL, a), tried(LARGE, b), right, count=20)
    assert f"{name} is better by more than chance (McNemar's exact p < 0.0001)." in shown(comparison_table(found))
    assert f"{MOST_EXAMPLES} of 20" in shown(comparison_table(found))


@pytest.mark.parametrize("width", [80, 100])
def test_it_fits_a_terminal(width: int) -> None:
    text = shown(comparison_table(some()), width=width)
    assert all(len(line) <= width for line in text.splitlines())
    assert all(part in text for part in (SMALL, LARGE, "REVIEW"))


@pytest.mark.parametrize("text", HOSTILE)
def test_a_text_is_shown_as_it_is_and_does_nothing(text: str) -> None:
    a, b = tried(SMALL, {"q0": "GOOD"}, text), tried(LARGE, {"q0": "BAD"}, text)
    table = shown(comparison_table(compared(a, b, {}, count=1, text=text)))
    assert all(character.isprintable() for character in table.replace("\n", ""))
