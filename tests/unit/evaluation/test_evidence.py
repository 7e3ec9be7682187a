"""The evidence: what a judge is shown of a case, and what it isn't."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aura_analytics.evaluation.evidence import HIDDEN, MAX_MESSAGE, MAX_TEXT, MAX_TURN_TEXT, MAX_TURNS, clean, describe
from aura_analytics.evaluation.judgement import Case
from aura_analytics.events.records import Interaction, VoiceOutcome, VoiceQuery


def interaction(
    text: str = "where are the red apples", *, query: dict[str, Any] | None = None, **outcome: Any
) -> Interaction:
    """An interaction of a known shopper; `query` and `outcome` override fields. Any: whatever a field takes."""
    asked: dict[str, Any] = {
        "id": "01J-QUERY",
        "store_id": "store-77",
        "created_at": 1_760_000_000_000,
        "received_at": 1_760_000_000_100,
        "query_text": text,
        "session_id": "session-4711",
        "user_id": "shopper-42",
        "transcription_conf": 0.9,
        "intent": "find_product",
    }
    query_ = VoiceQuery(**asked | (query or {}))
    fields = {"answer_text": "We have shoes.", "latency_ms": 900, "action_taken": "PRODUCT_LOOKUP", **outcome}
    done = VoiceOutcome(query_id=query_.id, occurred_at=query_.created_at, received_at=query_.received_at, **fields)
    return Interaction(query=query_, outcome=done)


def shown(about: Interaction, *previous: Interaction) -> dict[str, Any]:
    """What a judge reads of a case. Any: JSON."""
    found: dict[str, Any] = json.loads(describe(Case(about, previous)))
    return found


def test_what_was_said_answered_and_done_is_shown() -> None:
    """All that the rubric speaks of, in one object; not by whom, and not where."""
    assert shown(interaction(tool_calls=["search"])) == {
        "query_text": "where are the red apples",
        "transcription_conf": 0.9,
        "intent": "find_product",
        "outcome_recorded": True,
        "answer_text": "We have shoes.",
        "action_taken": "PRODUCT_LOOKUP",
        "action_success": None,
        "error_flag": None,
        "error_message": None,
        "latency_ms": 900,
        "tool_calls": ["search"],
    }


def test_a_missing_outcome_is_said() -> None:
    """Without an outcome there are no fields of one, and the record says so."""
    assert shown(msgspec.structs.replace(interaction(), outcome=None)) == {
        "query_text": "where are the red apples",
        "transcription_conf": 0.9,
        "intent": "find_product",
        "outcome_recorded": False,
    }


def test_nobody_s_id_is_shown() -> None:
    """Neither by itself nor inside of a text, a key, a number or a tool's arguments."""
    calls = [
        {"name": "find", "arguments": json.dumps({"q": "apples", "user_id": "x-1"}), "auth_token": "t0k"},
        {"of shopper-42": 1, "cart": 471_100},
    ]
    about = interaction(
        "I am shopper-42", query={"user_id": "471100"}, error_message="no cart of session-4711", tool_calls=calls
    )
    found = shown(about, interaction("in store-77", query={"user_id": "shopper-42"}))
    assert found["query_text"] == "I am [id]"
    assert found["error_message"] == "no cart of [id]"
    assert found["tool_calls"] == [{"name": "find", "arguments": {"q": "apples"}}, {"of [id]": 1, "cart": "[id]"}]
    assert found["previous_turns"][0]["query_text"] == "in [id]"


def test_what_is_no_id_stays() -> None:
    """A short id, a part of a word, and a store that is called like what it sells."""
    about = interaction("bakery of shopper-421 or abc", query={"store_id": "bakery", "session_id": "abc"})
    assert shown(about)["query_text"] == "bakery of shopper-421 or abc"


def test_an_id_within_another_is_taken_out_with_it() -> None:
    """The longest first."""
    about = interaction("shopper-42-b says", query={"session_id": "shopper-42-b"})
    assert shown(about)["query_text"] == "[id] says"


def test_long_texts_are_cut() -> None:
    """No field sends more than its share, tool calls included."""
    found = shown(interaction("a" * 10_000, answer_text="b" * MAX_TEXT, tool_calls=["c" * 100] * 100))
    assert found["query_text"] == "a" * (MAX_TEXT - 1) + "…"
    assert found["answer_text"] == "b" * MAX_TEXT
    assert len(found["tool_calls"]) == MAX_TEXT


def test_tool_calls_of_any_shape_are_described() -> None:
    """Depth, broken JSON and plain names are all taken as they come."""
    deep: list[Any] = []
    for _ in range(900):
        deep = [deep]
    found = shown(interaction(tool_calls=["search", "{broken", "[" * 3_000, 3, None, deep]))
    assert found["tool_calls"][:2] == ["search", "{broken"]
    assert found["tool_calls"][3:5] == [3, None]


def test_the_turns_before_are_shown_in_their_order() -> None:
    """Before what is judged, with what tells what is being talked about, and shorter."""
    found = shown(
        interaction("the other one"), interaction("show me mugs"), interaction("u" * 600, answer_text="v" * 600)
    )
    first, second = found["previous_turns"]
    assert next(iter(found)) == "previous_turns"
    assert first == {
        "query_text": "show me mugs",
        "answer_text": "We have shoes.",
        "intent": "find_product",
        "action_taken": "PRODUCT_LOOKUP",
        "action_success": None,
    }
    assert len(second["query_text"]) == len(second["answer_text"]) == MAX_TURN_TEXT


def test_a_turn_before_without_an_outcome() -> None:
    """It was said, and that is all."""
    before = msgspec.structs.replace(interaction("show me mugs"), outcome=None)
    (turn,) = shown(interaction(), before)["previous_turns"]
    assert {name for name, value in turn.items() if value is not None} == {"query_text", "intent"}


def test_only_the_nearest_turns_are_shown() -> None:
    """What lies further back says nothing any more, and costs."""
    before = [interaction(f"turn {number}") for number in range(MAX_TURNS + 5)]
    found = shown(interaction(), *before)["previous_turns"]
    assert [turn["query_text"] for turn in found] == [f"turn {number}" for number in range(5, MAX_TURNS + 5)]


def test_a_message_that_would_be_too_long_loses_its_oldest_turns_first() -> None:
    """What is judged is whole as long as it can be."""
    before = [interaction(f"{number} " + "ü\u200b" * 300, answer_text="\u200b" * 500) for number in range(20)]
    message = describe(Case(interaction("a" * MAX_TEXT), before))
    found = json.loads(message)
    assert len(message) <= MAX_MESSAGE
    assert found["query_text"] == "a" * MAX_TEXT
    assert 0 < len(found["previous_turns"]) < 20
    assert found["previous_turns"][-1]["query_text"].startswith("19 ")


TEXTS = st.text(st.characters(), max_size=40) | st.text(st.sampled_from('<|>[]/"\\IN{}\u200b\U000e0041a'), max_size=40)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)


@settings(deadline=None)
@given(text=TEXTS, answer=TEXTS, calls=st.lists(JSON, max_size=4), before=TEXTS, times=st.sampled_from([1, 10, 500]))
def test_whatever_was_said_is_one_object_of_visible_characters(
    text: str, answer: str, calls: list[Any], before: str, times: int
) -> None:
    """It can be read, has the keys it always has, is as long as it may be, and opens no tag and no token."""
    about = interaction(text * times, answer_text=answer * times, error_message=text, tool_calls=calls * times)
    message = describe(Case(about, [interaction(before * times)] * 20))
    assert len(message) <= MAX_MESSAGE
    assert set(json.loads(message)) == {"previous_turns", *shown(interaction())}
    assert not HIDDEN.search(message)
    assert "<" not in message
    assert "[INST]" not in message


@given(TEXTS)
def test_a_text_arrives_as_it_was_said(text: str) -> None:
    """Escaping changes how a text is spelled, never what it is; only half a pair of surrogates is no text."""
    found = shown(interaction(text))["query_text"]
    assert found == "".join("\ufffd" if "\ud800" <= one <= "\udfff" else one for one in text)


@pytest.mark.parametrize(
    ("text", "longest", "cleaned"),
    [
        ("It fits.", 20, "It fits."),
        (" It\n\n\tfits. ", 20, "It fits."),
        ("It\u202e fi\u200bts\x1b[2J", 20, "It fi ts [2J"),
        ("\U000e0041", 20, ""),
        ("a" * 30, 20, "a" * 19 + "…"),
    ],
)
def test_a_text_for_people_is_one_line(text: str, longest: int, cleaned: str) -> None:
    """What a model says goes to terminals and pages."""
    assert clean(text, longest) == cleaned
