"""One rule of a file: what it has to say, how its conditions go together, and what a wrong one is told."""

import tomllib
from typing import Any

import pytest

from aura_analytics.errors import SettingsError
from aura_analytics.evaluation.rule import Rule, rule
from aura_analytics.events.records import Interaction, VoiceOutcome, VoiceQuery

# Any, throughout: the fields' own types, and what TOML can hold.
WHOLE = {"reason": "slow", "label": "REVIEW", "confidence": 0.5, "when": {"latency_ms": {"above": 100}}}


def interaction(outcome: dict[str, Any] | None = None, **query: Any) -> Interaction:
    asked = {"query_text": "red apples", **query}
    return Interaction(
        query=VoiceQuery(id="q", store_id="s", created_at=0, received_at=0, **asked),
        outcome=None if outcome is None else VoiceOutcome(query_id="q", occurred_at=0, received_at=0, **outcome),
    )


def of(conditions: str) -> Rule:
    """A rule of these conditions."""
    said = {name: value for name, value in WHOLE.items() if name != "when"}
    return rule("mine.toml: rule 1", said | tomllib.loads(conditions))


def message_of(table: Any) -> str:
    with pytest.raises(SettingsError) as error:
        rule("mine.toml: rule 3", table)
    return str(error.value)


class TestConditions:
    def test_all_of_when_have_to_hold(self) -> None:
        fits = of(
            """
            when.latency_ms.at_least = 100
            when.latency_ms.below = 200
            when.intent.is = "find"
            """
        ).fits
        assert fits(interaction({"latency_ms": 100}, intent="find"))
        assert not fits(interaction({"latency_ms": 99}, intent="find"))
        assert not fits(interaction({"latency_ms": 200}, intent="find"))
        assert not fits(interaction({"latency_ms": 100}, intent="buy"))

    def test_one_group_of_any_has_to_hold_and_of_it_all(self) -> None:
        fits = of('any = [{ error_flag.is = true }, { latency_ms.above = 100, intent.is = "find" }]').fits
        assert fits(interaction({"error_flag": True}))
        assert fits(interaction({"latency_ms": 101}, intent="find"))
        assert not fits(interaction({"latency_ms": 101}))
        assert not fits(interaction({}, intent="find"))

    def test_when_and_any_have_to_hold_together(self) -> None:
        fits = of(
            """
            when.has_outcome.is = true
            [[any]]
            latency_ms.above = 100
            [[any]]
            error_flag.is = true
            """
        ).fits
        assert fits(interaction({"latency_ms": 101}))
        assert fits(interaction({"error_flag": True}))
        assert not fits(interaction({}))
        assert not fits(interaction())


@pytest.mark.parametrize("missing", ["reason", "label", "confidence", "when"])
def test_a_rule_says_all(missing: str) -> None:
    said = {name: value for name, value in WHOLE.items() if name != missing}
    assert f"has no {missing}" in message_of(said)


@pytest.mark.parametrize("confidence", [0, 1, 0.0, 1.0, 0.85])
def test_a_confidence_is_a_number_from_0_to_1(confidence: float) -> None:
    made = rule("mine.toml: rule 1", WHOLE | {"confidence": confidence})
    assert (made.confidence, type(made.confidence)) == (confidence, float)


SLOW = "mine.toml: rule 3 (slow)"


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"reason": "Not Snake"}, "mine.toml: rule 3, reason: “Not Snake” is not what it takes: a name in snake_case"),
        ({"reason": ""}, "mine.toml: rule 3, reason: “” is not what it takes: a name in snake_case"),
        ({"reason": "slow\n"}, "a name in snake_case"),
        ({"reason": "a" * 65}, "a name in snake_case of at most 64 characters"),
        ({"reason": 7}, "a name in snake_case"),
        ({"reason": "no_judge_configured"}, "where no rule fits and there is no judge"),
        ({"label": "good"}, f"{SLOW}, label: “good” is not what it takes: one of GOOD, REVIEW, BAD"),
        ({"label": ["GOOD"]}, "one of GOOD, REVIEW, BAD"),
        ({"confidence": 1.01}, f"{SLOW}, confidence: “1.01” is not what it takes: a number from 0 to 1"),
        ({"confidence": -0.1}, "a number from 0 to 1"),
        ({"confidence": float("nan")}, "a number from 0 to 1"),
        pytest.param({"confidence": 16**5_000}, "a number from 0 to 1", id="huge"),
        ({"confidence": True}, "“true” is not what it takes: a number from 0 to 1"),
        ({"confidence": "0.5"}, "a number from 0 to 1"),
        ({"lable": "GOOD"}, f"{SLOW}: there is no key “lable”; did you mean label?"),
        ({"when": {}}, f"{SLOW}, when holds no condition"),
        ({"when": 1}, f"{SLOW}, when holds no condition"),
        ({"when": {"fast_path": True}}, f"{SLOW}, when.fast_path holds no comparison, such as fast_path.is = true"),
        ({"when": {"intent": "find"}}, 'such as intent.is = "find"'),
        ({"when": {"intent": {}}}, f"{SLOW}, when.intent holds no comparison"),
        ({"when": {"latency": {"above": 1}}}, f"{SLOW}, when: there is no field “latency”; did you mean latency_ms?"),
        ({"any": []}, f"{SLOW}, any is no list of groups"),
        ({"any": {"latency_ms": {"above": 1}}}, f"{SLOW}, any is no list of groups"),
        ({"any": [{"latency_ms": {"above": 1}}, {}]}, f"{SLOW}, any[2] holds no condition"),
        ({"any": [{"latency_ms": {"abov": 1}}]}, f"{SLOW}, any[1].latency_ms: a number has no “abov”; did you mean above?"),
    ],
)  # fmt: skip
def test_a_wrong_one_is_told_where_and_why(wrong: dict[str, Any], message: str) -> None:
    assert message in message_of(WHOLE | wrong)
