"""The options that choose interactions, and what is read out of them."""

from typing import Any

import pytest

from aura_analytics.errors import ParameterError
from aura_analytics.store.judging import Choice
from aura_analytics.terminal.choices import CHOICE, chosen
from contract.making import NOW


def test_without_any_it_is_all() -> None:
    assert chosen({}, now=NOW) == Choice()


def test_each_option_chooses() -> None:
    values = {
        "store": "shop",
        "from": str(NOW - 1_000),
        "to": str(NOW),
        "intent": "find",
        "label": "bad",
        "reason": "wrong_answer",
        "method": "google:small",
        "rubric": "voice@1",
        "below": 0.5,
    }
    assert set(values) | {"period"} == {option.name for option in CHOICE}
    assert chosen(values, now=NOW) == Choice(
        store_id="shop",
        since=NOW - 1_000,
        until=NOW,
        intent="find",
        label="BAD",
        reason="wrong_answer",
        method="google:small",
        rubric="voice@1",
        below=0.5,
    )


def test_a_period_reaches_back() -> None:
    assert chosen({"period": "1h"}, now=NOW) == Choice(since=NOW - 3_600_000)


@pytest.mark.parametrize("text", ["none", "None", "NONE"])
def test_none_is_what_has_no_label(text: str) -> None:
    assert chosen({"label": text}, now=NOW).label == "none"


@pytest.mark.parametrize(
    "values",
    [
        {"label": "fine"},
        {"below": 1.5},
        {"below": float("nan")},
        {"period": "soon"},
        {"period": "1h", "from": "0"},
        {"from": "2", "to": "1"},
    ],
)
def test_what_cannot_be_read_is_refused(values: dict[str, Any]) -> None:
    with pytest.raises(ParameterError):
        chosen(values, now=NOW)
