"""What counts as an answer of a model, and what doesn't."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aura_analytics.evaluation.judgement import Judgement
from aura_analytics.evaluation.reply import Reply, read_reply
from canned_models import VERDICT


def test_a_reply_becomes_a_judgement() -> None:
    """With who gave it, and by which rubric."""
    reply = read_reply(json.dumps(VERDICT))
    assert isinstance(reply, Reply)
    assert reply.judgement("a:b", "r@1") == Judgement(
        "BAD", "wrong_answer", 0.9, "It answered with shoes.", "a:b", "r@1"
    )


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("", "the answer: Invalid JSON"),
        ("It was rather good.", "the answer: Invalid JSON"),
        (json.dumps(VERDICT)[:-5], "the answer: Invalid JSON"),
        (json.dumps([VERDICT]), "the answer: Input should be an object"),
        (json.dumps(VERDICT | {"label": "FINE"}), "label: Input should be 'GOOD', 'REVIEW' or 'BAD'"),
        (json.dumps(VERDICT | {"label": "good"}), "label: "),
        (json.dumps(VERDICT | {"reason": "mood"}), "reason: "),
        (json.dumps(VERDICT | {"confidence": 1.5}), "confidence: "),
        (json.dumps(VERDICT | {"confidence": -0.1}), "confidence: "),
        (json.dumps(VERDICT | {"confidence": None}), "confidence: "),
        (json.dumps(VERDICT).replace("0.9", "NaN"), "confidence: "),
        ("{}", "label: Field required; reason: Field required; confidence: Field required"),
    ],
)
def test_what_is_wrong_is_said(text: str, wrong: str) -> None:
    """So that a model can mend it."""
    found = read_reply(text)
    assert isinstance(found, str)
    assert found.startswith(wrong)


@given(text=st.text(), label=st.text())
def test_no_text_is_taken_for_a_label_that_isn_t_one(text: str, label: str) -> None:
    """Whatever a model says, a reply has a label of three; and what is wrong quotes none of it."""
    for said in (text, json.dumps(VERDICT | {"label": label + "?", "reason": "shopper-42"})):
        found = read_reply(said)
        assert isinstance(found, str)
        assert "shopper-42" not in found


@pytest.mark.parametrize("fence", ["```json\n{}\n```", "```\n{}```", " {} \n"])
def test_what_stands_around_the_json_doesn_t_matter(fence: str) -> None:
    """A block of Markdown, blanks."""
    assert isinstance(read_reply(fence.replace("{}", json.dumps(VERDICT))), Reply)
