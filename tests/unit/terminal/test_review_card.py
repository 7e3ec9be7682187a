"""How an interaction looks to the person who labels it."""

import io
from typing import Any, get_args

import pytest
from rich.console import Console, RenderableType

from aura_analytics.evaluation.rubric import Reason
from aura_analytics.stats.reviewing import Why
from aura_analytics.terminal import review_card

HOSTILE = "[bold]hi[/] \x1b[2J\u202e evil"

# Any, throughout: the endpoints' JSON.


def turn(id: str, text: str = "red shoes", **fields: Any) -> dict[str, Any]:
    return {"id": id, "createdAt": 0, "queryText": text, "answerText": "Aisle 3.", "label": "BAD", **fields}


def details(text: str = "red shoes", *, turns: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    query = {
        "id": "q4", "storeId": text, "createdAt": 0, "queryText": text, "querySource": "voice", "intent": text,
        "transcriptionConfidence": 0.9, "audioDurationMs": None, "sessionId": "s", "userId": "shopper", "extra": None,
    }  # fmt: skip
    outcome = {
        "answerText": text, "actionTaken": text, "actionSuccess": False, "latencyMs": 900, "modelName": "m",
        "tokensPrompt": 1, "tokensCompletion": 1, "tokensTotal": None, "costUsd": 0.1, "toolCalls": [text],
        "errorMessage": text, "errorFlag": None, "extra": {"a": text},
    }  # fmt: skip
    return {"query": query, "outcome": outcome, "turns": turns or [turn("q4", text)]}


def item(**fields: Any) -> dict[str, Any]:
    verdict = {"label": "GOOD", "reason": "correct", "confidence": 0.5, "method": "google:m", "explanation": None}
    return {"verdict": verdict | fields, "why": ["unsure", "frequent"], "occurrences": 1_200}


def shown(what: RenderableType, width: int = 100) -> str:
    console = Console(file=io.StringIO(), width=width, highlight=False)
    console.print(what)
    printed: str = console.file.getvalue()  # type: ignore[attr-defined]  # it is the one above
    return printed


def test_a_card_says_what_was_said_answered_and_done_but_no_label() -> None:
    text = shown(review_card.card(details(), note="3 labelled", last=None))
    assert all(words in text for words in ("3 labelled", "red shoes", "voice, confidence 0.90", "failed", "900 ms"))
    assert not [words for words in ("BAD", "GOOD", "shopper", "$0.1") if words in text]
    assert "The conversation" not in text, "of a single turn there is none"


def test_the_turns_nearest_to_it_are_shown_and_when() -> None:
    turns = [turn(f"q{n}", f"wish {n}.", createdAt=n * 10_000) for n in range(9)]
    text = shown(review_card.card(details(turns=turns), note="", last=None))
    assert [f"wish {n}." in text for n in range(9)] == [True] * 7 + [False] * 2
    assert "▸" in next(line for line in text.splitlines() if "wish 4." in line)
    assert "-40 s" in text
    assert "+20 s" in text
    assert "BAD" not in text


@pytest.mark.parametrize("width", [40, 80, 200])
def test_nothing_that_was_said_acts_on_the_terminal(width: int) -> None:
    card = review_card.card(details(HOSTILE, turns=[turn("q4", HOSTILE), turn("q5", HOSTILE)]), note=HOSTILE, last=None)
    told = review_card.outcome("BAD", item(label=HOSTILE, reason=HOSTILE, method=HOSTILE, explanation=HOSTILE))
    for text in (shown(card, width), shown(told, width)):
        assert "\x1b" not in text
        assert "\u202e" not in text
        assert "[bold]" in text


def test_the_automatic_label_is_told_beside_one_s_own() -> None:
    text = shown(review_card.outcome("BAD", item(explanation="It fits.")), 200)
    assert text == (
        "you BAD · automatic GOOD correct, 50.0 % sure, by google:m: It fits. (isn't sure, said 1,200 times)\n"
    )
    assert shown(review_card.outcome(None, item())) == "skipped\n"


def test_a_session_is_summed_up() -> None:
    mine = {"a": ("GOOD", "GOOD"), "b": ("BAD", "GOOD"), "c": ("BAD", "BAD")}
    said = "3 labelled (1 GOOD, 2 BAD), 2 of 3 as they were labelled, 2 skipped\n"
    assert shown(review_card.summary(mine, 2)) == said
    assert shown(review_card.summary({}, 0)) == "0 labelled\n"


def test_every_reason_to_look_has_words_and_every_reason_is_the_judge_s_too() -> None:
    assert set(review_card.WHY) == set(get_args(Why)) - {"frequent"}
    assert set(review_card.REASONS) == set(get_args(Reason)) - {"correct", "partly_correct"}
    assert len(review_card.REASONS) <= 9, "each has a digit"
    assert all(words in shown(review_card.reasons()) for words in review_card.REASONS.values())
