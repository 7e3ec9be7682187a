"""What rules would make of stored interactions, printed: figures where they belong, remarks where they help."""

import pytest

from aura_analytics.evaluation.rehearsal import Rehearsal
from aura_analytics.evaluation.rules import default_rules
from aura_analytics.events.records import Interaction, Verdict, VoiceQuery
from aura_analytics.terminal.rules import Row, rules_table, told
from unit.terminal.answers import HOSTILE, shown

NOTHING = told("rules.toml", Rehearsal(default_rules()))


def rehearsed(reason: str = "gone") -> Row:
    found = Rehearsal(default_rules())
    query = VoiceQuery(id="q", store_id="s", created_at=0, received_at=0, query_text="a", transcription_conf=0.1)
    standing = Verdict(query_id="q", label="GOOD", reason=reason, confidence=1.0, evaluated_at=0)
    found.add(Interaction(query=query), standing)
    found.add(Interaction(query=VoiceQuery(id="r", store_id="s", created_at=0, received_at=0, query_text="abc")), None)
    return told("rules.toml", found)


def line_of(text: str, word: str) -> list[str]:
    return next(line.split() for line in text.splitlines() if word in line)


def test_each_rule_has_a_line_with_its_hits_and_what_is_to_be_said_of_it() -> None:
    text = shown(rules_table(rehearsed()))
    first = "very_low_transcription_confidence"
    assert line_of(text, first) == [first, "BAD", "0.9", "1", "50.0", "%", "1"]
    assert line_of(text, "query_too_short") == [
        "query_too_short",
        "BAD",
        "0.9",
        "0",
        "0.0",
        "%",
        "1",
        "shadowed",
        "by",
        first,
    ]
    assert line_of(text, "extreme_latency")[-2:] == ["never", "fits"]
    assert "1 of 2 interactions are left to the judge (50.0 %)" in text


def test_labels_that_would_be_others_are_listed() -> None:
    text = shown(rules_table(rehearsed()))
    assert line_of(text, "gone") == ["GOOD", "gone", "BAD", "very_low_transcription_confidence", "1"]
    assert line_of(text, "  rules  ") == ["rules", "1", "0", "1", "0"]
    assert rehearsed()["differing"] == 1


def test_of_nothing_nothing_is_said() -> None:
    text = shown(rules_table(NOTHING))
    assert "0 of 0 interactions are left to the judge" in text
    assert "never fits" not in text
    assert "Labels" not in text


@pytest.mark.parametrize("reason", HOSTILE)
def test_a_reason_that_others_stored_does_nothing_to_a_terminal(reason: str) -> None:
    text = shown(rules_table(rehearsed(reason)))
    assert all(character.isprintable() for character in text.replace("\n", ""))
