"""Each comparison at its bound, on every field; what isn't known fits none; and no pattern takes long."""

import itertools
import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aura_analytics.errors import SettingsError
from aura_analytics.evaluation.condition import COMPARISONS, condition
from aura_analytics.evaluation.field import FIELDS
from aura_analytics.events.records import Interaction, VoiceOutcome, VoiceQuery

# Any, throughout: the fields' own types, and what TOML can hold.
QUERY = {
    "query_text": "red apples", "query_source": "text", "transcription_conf": 0.5, "audio_duration_ms": 900,
    "intent": "find", "fast_path": True,
}  # fmt: skip
OUTCOME = {
    "answer_text": "aisle 3", "model_name": "m", "latency_ms": 12.5, "tokens_prompt": 3, "tokens_completion": 4,
    "cost_usd": 0.01, "action_taken": "FAQ", "action_success": False, "error_flag": True, "error_message": "broke",
    "tool_calls": ["a", {"b": 1}],
}  # fmt: skip
VALUES = {
    **QUERY, **OUTCOME, "store_id": "s", "query_text_length": 10, "has_outcome": True, "answer_text_length": 7,
    "tokens": 7, "action_was_taken": True, "tool_calls_count": 2,
}  # fmt: skip
del VALUES["tool_calls"]
HUGE = 16**5_000  # more digits than Python writes
# What a query always has.
ALWAYS = {"store_id", "query_source", "query_text", "query_text_length", "fast_path", "has_outcome"}
FITTING: dict[str, dict[str, Any]] = {
    "number": {"below": 1e12, "at_most": 1e12, "at_least": -1, "above": -1, "is_not": -1, "one_of": [-1]},
    "text": {"is_not": "?", "one_of": ["?"], "matches": ""},
    "flag": {},
}


def interaction(outcome: dict[str, Any] | None = None, **query: Any) -> Interaction:
    asked = {"query_text": "red apples", **query}
    return Interaction(
        query=VoiceQuery(id="q", store_id="s", created_at=0, received_at=0, **asked),
        outcome=None if outcome is None else VoiceOutcome(query_id="q", occurred_at=0, received_at=0, **outcome),
    )


WHOLE = interaction(OUTCOME, **QUERY)


def holds(name: str, comparison: str, given: Any, asked: Interaction = WHOLE) -> bool:
    return condition("when", name, comparison, given)(asked)


def message_of(name: str, comparison: str, given: Any) -> str:
    with pytest.raises(SettingsError) as error:
        condition("when", name, comparison, given)
    return str(error.value)


def test_these_tests_know_every_field() -> None:
    assert set(VALUES) == set(FIELDS)


@pytest.mark.parametrize("name", FIELDS)
def test_every_field_is_read(name: str) -> None:
    assert holds(name, "is", VALUES[name])
    assert holds(name, "present", given=True)
    assert not holds(name, "absent", given=True)


@pytest.mark.parametrize("name", sorted(set(FIELDS) - ALWAYS))
@pytest.mark.parametrize("outcome", [None, {}])
def test_what_is_not_known_fits_no_comparison(name: str, outcome: dict[str, Any] | None) -> None:
    nothing = interaction(outcome)
    if name == "action_was_taken" and outcome is not None:
        assert holds(name, "is", given=False, asked=nothing)
        return
    assert holds(name, "absent", given=True, asked=nothing)
    assert not holds(name, "present", given=True, asked=nothing)
    assert not holds(name, "is", VALUES[name], nothing)
    assert not any(holds(name, how, value, nothing) for how, value in FITTING[FIELDS[name].kind].items())


@pytest.mark.parametrize(
    ("name", "comparison", "given", "fits"),
    [
        ("latency_ms", "below", 12.5, False),
        ("latency_ms", "below", math.nextafter(12.5, 13), True),
        ("latency_ms", "at_most", 12.5, True),
        ("latency_ms", "at_most", math.nextafter(12.5, 12), False),
        ("latency_ms", "at_least", 12.5, True),
        ("latency_ms", "at_least", math.nextafter(12.5, 13), False),
        ("latency_ms", "above", 12.5, False),
        ("latency_ms", "above", math.nextafter(12.5, 12), True),
        pytest.param("latency_ms", "below", HUGE, True, id="a whole number beyond all floats"),
        ("latency_ms", "is_not", 12.5, False),
        ("latency_ms", "is_not", 12, True),
        ("tool_calls_count", "one_of", [1, 2], True),
        ("tool_calls_count", "one_of", [1, 3], False),
        ("intent", "is", "FIND", False),
        ("intent", "is_not", "FIND", True),
        ("intent", "one_of", ["buy", "find"], True),
        ("query_source", "one_of", ["voice", "test"], False),
        ("fast_path", "is", False, False),
        ("fast_path", "is_not", False, True),
        ("query_text", "matches", "apples", True),
        ("query_text", "matches", "^apples", False),
        ("query_text", "matches", r"(?i)\bRED\b", True),
        ("query_text", "matches", "RED", False),
    ],
)
def test_a_comparison_holds_up_to_its_bound(name: str, comparison: str, given: Any, fits: bool) -> None:
    assert holds(name, comparison, given) is fits


@pytest.mark.parametrize(
    ("outcome", "tokens"),
    [
        ({"tokens_total": 9, "tokens_prompt": 1}, 9),
        ({"tokens_total": 0, "tokens_prompt": 1}, 0),
        ({"tokens_prompt": 1}, 1),
        ({"tokens_completion": 2}, 2),
    ],
)
def test_tokens_are_the_total_or_the_sum_of_what_is_known(outcome: dict[str, Any], tokens: int) -> None:
    assert holds("tokens", "is", tokens, interaction(outcome))


def test_an_empty_text_is_known() -> None:
    empty = interaction({"answer_text": "", "tool_calls": []})
    assert holds("answer_text", "present", given=True, asked=empty)
    assert holds("answer_text_length", "is", 0, empty)
    assert holds("tool_calls_count", "is", 0, empty)


@pytest.mark.parametrize("text", ["a" * 100_000 + "!", "\ud800", "", "苹果"])
@pytest.mark.parametrize("pattern", ["^(a+)+$", "(a|aa)*b$", "(.*)*x"])
def test_a_pattern_takes_no_longer_than_the_text_is_long(pattern: str, text: str) -> None:
    assert not holds("query_text", "matches", pattern, interaction(query_text=text))


@settings(max_examples=300, deadline=None)
@given(st.text(st.characters(codec=None)), st.sampled_from(["a", "[^b]", r"\d+", "^$", "(?i)é"]))
def test_any_text_can_be_looked_through(text: str, pattern: str) -> None:
    assert holds("query_text", "matches", pattern, interaction(query_text=text)) in (True, False)


@pytest.mark.parametrize(
    "given",
    [
        None,
        "x",
        "(",
        1,
        math.nan,
        math.inf,
        True,
        False,
        [],
        [[1]],
        ["x", 1],
        {},
        pytest.param(HUGE, id="huge"),
        pytest.param([HUGE, True], id="list with huge"),
    ],
)
def test_a_wrong_value_is_told_and_nothing_else_raises(given: Any) -> None:
    for name, comparison in itertools.product(FIELDS, COMPARISONS):
        told = ""
        try:
            made = condition("when", name, comparison, given)
        except SettingsError as error:
            told = str(error)
        else:
            assert {made(WHOLE), made(interaction())} <= {True, False}
        assert told == "" or told.startswith(f"when.{name}")
        assert "\n" not in told


@pytest.mark.parametrize(
    ("name", "comparison", "given", "message"),
    [
        ("latency", "above", 1, "when: there is no field “latency”; did you mean latency_ms?"),
        ("zzz", "above", 1, "when: there is no field “zzz”; it may be store_id, query_source, "),
        ("latency_ms", "beyond", 1, "when.latency_ms: a number has no “beyond”; it may be below, at_most, at_least, above, "),
        ("intent", "above", 1, "when.intent: a text has no “above”; it may be is, is_not, one_of, matches, present, absent"),
        ("fast_path", "one_of", [True], "when.fast_path: a flag has no “one_of”; it may be is, is_not, present, absent"),
        ("latency_ms", "above", "1", "when.latency_ms.above: “1” is not what it takes: a number"),
        ("latency_ms", "above", True, "when.latency_ms.above: “true” is not what it takes: a number"),
        ("latency_ms", "above", math.inf, "when.latency_ms.above: “inf” is not what it takes: a number"),
        ("fast_path", "is", 1, "when.fast_path.is: “1” is not what it takes: true or false"),
        ("query_source", "is", "phone", "when.query_source.is: “phone” is not what it takes: voice, text, test"),
        ("intent", "one_of", [], "when.intent.one_of: “[]” is not what it takes: a list of at least one text"),
        ("intent", "one_of", ["a", 1], "when.intent.one_of: “1” is not what it takes: a text"),
        ("intent", "present", False, "when.intent.present: “false” is not what it takes: true"),
        ("intent", "matches", "(a", "when.intent.matches: “(a” is no regular expression: unclosed group"),
        ("intent", "matches", "(?=a)", "look-around, including look-ahead and look-behind, is not supported"),
        ("intent", "matches", "a{999}{999}{999}", "is no regular expression: Compiled regex exceeds size limit"),
        ("intent", "matches", 1, "when.intent.matches: “1” is not what it takes: a regular expression"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told(name: str, comparison: str, given: Any, message: str) -> None:
    assert message in message_of(name, comparison, given)
