"""The rules against the contract's table: each at its exact bound, and the first that fits decides."""

import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aura_analytics.errors import SettingsError
from aura_analytics.evaluation.judgement import Judgement
from aura_analytics.evaluation.rule import Rule
from aura_analytics.evaluation.rules import default_rules, judge_by_rules, parse_rules, read_rules
from aura_analytics.events.records import LABELS, Interaction, VoiceOutcome, VoiceQuery
from unit.evaluation import rules_twin as twin

NO_OUTCOME: dict[str, Any] | None = None
JUST_BELOW_HALF = math.nextafter(0.5, 0)

# The contract's table, in its order.
VERY_LOW = Judgement("BAD", "very_low_transcription_confidence", 0.9)
SHORT = Judgement("BAD", "query_too_short", 0.9)
LOW = Judgement("REVIEW", "low_transcription_confidence", 0.7)
FAST_PATH = Judgement("GOOD", "high_confidence_fast_path", 0.8)
ERROR = Judgement("BAD", "error_occurred", 0.95)
EXTREME = Judgement("BAD", "extreme_latency", 0.9)
SLOW = Judgement("REVIEW", "high_latency", 0.8)
FAILED = Judgement("REVIEW", "action_failed", 0.8)
FAST_ACTION = Judgement("GOOD", "successful_fast_action", 0.85)
TABLE = (VERY_LOW, SHORT, LOW, FAST_PATH, ERROR, EXTREME, SLOW, FAILED, FAST_ACTION)

RULE = """
[[rule]]
reason = "slow"
label = "REVIEW"
confidence = 0.5
when.latency_ms.above = 100
"""


def interaction(query: dict[str, Any] | None = None, outcome: dict[str, Any] | None = None) -> Interaction:
    """An interaction that no rule fits, but for what is given. Any: the fields' own types."""
    asked = {"query_text": "where are the red apples", **(query or {})}
    return Interaction(
        query=VoiceQuery(id="q", store_id="s", created_at=0, received_at=0, **asked),
        outcome=None if outcome is None else VoiceOutcome(query_id="q", occurred_at=0, received_at=0, **outcome),
    )


def test_the_rules_are_the_contracts_in_its_order() -> None:
    assert tuple(Judgement(rule.label, rule.reason, rule.confidence) for rule in default_rules()) == TABLE


@pytest.mark.parametrize(
    ("query", "outcome", "judgement"),
    [
        # transcription confidence < 0.5
        ({"transcription_conf": 0.0}, NO_OUTCOME, VERY_LOW),
        ({"transcription_conf": JUST_BELOW_HALF}, NO_OUTCOME, VERY_LOW),
        ({"transcription_conf": 0.5}, NO_OUTCOME, LOW),
        # query text shorter than 3 characters
        ({"query_text": ""}, NO_OUTCOME, SHORT),
        ({"query_text": "ab"}, NO_OUTCOME, SHORT),
        ({"query_text": "苹果"}, NO_OUTCOME, SHORT),
        ({"query_text": "🍎🍏"}, NO_OUTCOME, SHORT),
        ({"query_text": "abc"}, NO_OUTCOME, None),
        ({"query_text": "红苹果"}, NO_OUTCOME, None),
        # transcription confidence < 0.8
        ({"transcription_conf": math.nextafter(0.8, 0)}, NO_OUTCOME, LOW),
        ({"transcription_conf": 0.8}, NO_OUTCOME, None),
        # fast path and transcription confidence > 0.95
        ({"fast_path": True, "transcription_conf": math.nextafter(0.95, 1)}, NO_OUTCOME, FAST_PATH),
        ({"fast_path": True, "transcription_conf": 1.0}, NO_OUTCOME, FAST_PATH),
        ({"fast_path": True, "transcription_conf": 0.95}, NO_OUTCOME, None),
        ({"fast_path": False, "transcription_conf": 1.0}, NO_OUTCOME, None),
        ({"fast_path": True}, NO_OUTCOME, None),
        # error flag
        ({}, {"error_flag": True}, ERROR),
        ({}, {"error_flag": False}, None),
        ({}, {"error_message": "it broke"}, None),
        # latency > 10,000 ms
        ({}, {"latency_ms": math.nextafter(10_000, math.inf)}, EXTREME),
        ({}, {"latency_ms": 1e300}, EXTREME),
        ({}, {"latency_ms": 10_000}, SLOW),
        # latency > 8,000 ms
        ({}, {"latency_ms": math.nextafter(8_000, math.inf)}, SLOW),
        ({}, {"latency_ms": 8_000}, None),
        # an action was taken and failed
        ({}, {"action_taken": "CART_ADD", "action_success": False}, FAILED),
        ({}, {"action_taken": "true", "action_success": False}, FAILED),
        ({}, {"action_taken": "false", "action_success": False}, None),
        ({}, {"action_taken": "", "action_success": False}, None),
        ({}, {"action_success": False}, None),
        ({}, {"action_taken": "CART_ADD"}, None),
        # action succeeded and latency < 5,000 ms
        ({}, {"action_success": True, "latency_ms": 0}, FAST_ACTION),
        ({}, {"action_success": True, "latency_ms": math.nextafter(5_000, 0)}, FAST_ACTION),
        ({}, {"action_success": True, "latency_ms": 5_000}, None),
        ({}, {"action_success": True}, None),
        ({}, {"action_success": False, "latency_ms": 0}, None),
        ({}, {"latency_ms": 0}, None),
        # what isn't known is on neither side of a bound
        ({}, NO_OUTCOME, None),
        ({}, {}, None),
    ],
)
def test_a_rule_fits_up_to_its_bound(
    query: dict[str, Any], outcome: dict[str, Any] | None, judgement: Judgement | None
) -> None:
    assert judge_by_rules(interaction(query, outcome)) == judgement


# For each rule an interaction that fits it, and as many of those below it as can fit together with it.
LADDER: tuple[tuple[Judgement, dict[str, Any], dict[str, Any]], ...] = (
    (VERY_LOW, {"transcription_conf": 0.4, "query_text": "a", "fast_path": True}, {"error_flag": True}),
    (SHORT, {"transcription_conf": 0.7, "query_text": "a", "fast_path": True}, {"error_flag": True}),
    (SHORT, {"transcription_conf": 1.0, "query_text": "a", "fast_path": True}, {"latency_ms": 20_000}),
    (LOW, {"transcription_conf": 0.7, "fast_path": True}, {"error_flag": True, "latency_ms": 20_000}),
    (FAST_PATH, {"transcription_conf": 1.0, "fast_path": True}, {"error_flag": True, "latency_ms": 20_000}),
    (ERROR, {"transcription_conf": 1.0}, {"error_flag": True, "latency_ms": 20_000, "action_success": True}),
    (ERROR, {}, {"error_flag": True, "latency_ms": 1, "action_success": True}),
    (EXTREME, {}, {"latency_ms": 20_000, "action_taken": "FAQ", "action_success": False}),
    (SLOW, {}, {"latency_ms": 9_000, "action_taken": "FAQ", "action_success": False}),
    (FAILED, {}, {"latency_ms": 1, "action_taken": "FAQ", "action_success": False}),
    (FAST_ACTION, {}, {"latency_ms": 1, "action_taken": "FAQ", "action_success": True}),
)


@pytest.mark.parametrize(("judgement", "query", "outcome"), LADDER)
def test_the_first_that_fits_decides(judgement: Judgement, query: dict[str, Any], outcome: dict[str, Any]) -> None:
    assert judge_by_rules(interaction(query, outcome)) == judgement


def test_a_rule_set_of_ones_own_takes_the_place_of_the_table() -> None:
    mine = (
        Rule("never", "GOOD", 1.0, lambda _: False),
        Rule("about_apples", "REVIEW", 0.4, lambda asked: "apples" in asked.query.query_text),
        Rule("always", "BAD", 0.1, lambda _: True),
    )

    assert judge_by_rules(interaction(), mine) == Judgement("REVIEW", "about_apples", 0.4)
    assert judge_by_rules(interaction({"query_text": ""}), mine) == Judgement("BAD", "always", 0.1)
    assert judge_by_rules(interaction({"query_text": ""}), ()) is None


texts = st.text(max_size=5)
interactions = st.builds(
    Interaction,
    query=st.builds(
        VoiceQuery,
        id=texts,
        store_id=texts,
        created_at=st.integers(0, 2**62),
        received_at=st.integers(0, 2**62),
        query_text=texts,
        transcription_conf=st.none() | st.floats(0, 1) | st.sampled_from([0.5, 0.8, 0.95]),
        fast_path=st.booleans(),
    ),
    outcome=st.none()
    | st.builds(
        VoiceOutcome,
        query_id=texts,
        occurred_at=st.integers(0, 2**62),
        received_at=st.integers(0, 2**62),
        latency_ms=st.none() | st.floats(0, 1e300) | st.sampled_from([5_000.0, 8_000.0, 10_000.0]),
        action_taken=st.none() | texts | st.sampled_from(["true", "false"]),
        action_success=st.none() | st.booleans(),
        error_flag=st.none() | st.booleans(),
    ),
)


@settings(max_examples=300, deadline=None)
@given(interactions)
def test_the_rules_never_raise_and_say_nothing_that_is_not_in_the_table(asked: Interaction) -> None:
    judgement = judge_by_rules(asked)

    assert judgement is None or judgement in TABLE
    assert all(isinstance(rule.fits(asked), bool) for rule in default_rules())


@settings(max_examples=2_000, deadline=None)
@given(interactions)
def test_the_file_says_what_the_code_said(asked: Interaction) -> None:
    assert judge_by_rules(asked) == twin.judge_by_rules(asked)
    said = [bool(rule.fits(asked)) for rule in twin.DEFAULT_RULES]
    assert [rule.fits(asked) for rule in default_rules()] == said


@settings(max_examples=200, deadline=None)
@given(interactions)
def test_without_an_outcome_only_the_query_is_judged(asked: Interaction) -> None:
    judgement = judge_by_rules(Interaction(query=asked.query))

    assert judgement in (None, *TABLE[:4])
    if judgement is not None:
        assert judge_by_rules(asked) == judgement


def test_every_label_is_one_that_the_database_knows() -> None:
    assert {rule.label for rule in default_rules()} <= set(LABELS)
    assert all(0 <= rule.confidence <= 1 for rule in default_rules())


class TestFiles:
    def test_a_file_gives_its_rules_in_their_order(self, tmp_path: Path) -> None:
        path = tmp_path / "mine.toml"
        path.write_text(RULE + RULE.replace("slow", "very_slow"), "utf-8")

        first, second = read_rules(path)

        assert (first.reason, first.label, first.confidence, second.reason) == ("slow", "REVIEW", 0.5, "very_slow")
        assert first.fits(interaction({}, {"latency_ms": 101}))

    def test_one_with_a_byte_order_mark_and_other_ends_of_lines_is_read(self, tmp_path: Path) -> None:
        path = tmp_path / "mine.toml"
        path.write_bytes(b"\xef\xbb\xbf" + RULE.replace("\n", "\r\n").encode())
        assert [rule.reason for rule in read_rules(path)] == ["slow"]

    def test_a_list_of_no_rules_leaves_all_to_the_judge(self) -> None:
        assert parse_rules("rule = []", "mine.toml") == ()

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("[[rule]\n", "mine.toml is no TOML: "),
            (RULE + "label = 'GOOD'\n", "(at line 7, column "),
            ("a = " + "[" * 5_000, "mine.toml is no TOML: "),
            (f"rule = {'9' * 5_000}", "mine.toml is no TOML: "),
            ("", "mine.toml holds no rules; each begins with [[rule]]"),
            ("[rule]\n", "mine.toml holds no rules; each begins with [[rule]]"),
            ("[[rules]]\n", "mine.toml: there is no key “rules”; did you mean rule?"),
            ("rule = [1]", "mine.toml: rule 1 is no table; each rule begins with [[rule]]"),
            (RULE + RULE, "mine.toml: rule 2, reason: slow is rule 1's already"),
        ],
    )
    def test_a_wrong_one_is_told_in_one_line(self, text: str, message: str) -> None:
        with pytest.raises(SettingsError) as error:
            parse_rules(text, "mine.toml")
        assert message in str(error.value)
        assert "\n" not in str(error.value)

    def test_one_that_can_not_be_read_is_told(self, tmp_path: Path) -> None:
        with pytest.raises(SettingsError, match=r"nowhere.toml can't be read: No such file"):
            read_rules(tmp_path / "nowhere.toml")
        with pytest.raises(SettingsError, match=r"can't be read: Is a directory"):
            read_rules(tmp_path)
        with pytest.raises(SettingsError, match=r"can't be read: this is no path"):
            read_rules(Path("a\0b"))
        (tmp_path / "latin.toml").write_bytes("# für".encode("latin-1"))
        with pytest.raises(SettingsError, match=r"latin.toml can't be read: it is no UTF-8"):
            read_rules(tmp_path / "latin.toml")
