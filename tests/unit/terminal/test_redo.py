"""Which interactions are labelled anew, as the command line says it."""

from typing import Any

import pytest
import typer

from aura_analytics.clock import now
from aura_analytics.errors import ParameterError
from aura_analytics.store.judging import Choice
from aura_analytics.terminal.redo import OPTIONS, read_choice

DAY_MS = 86_400_000


@pytest.mark.parametrize(
    ("where", "choice"),
    [
        ({"all": "true"}, Choice()),
        ({"store": "a"}, Choice(store_id="a")),
        ({"from": "1970-01-01T00:00:01Z", "to": "2000"}, Choice(since=1_000, until=2_000)),
        ({"intent": "find", "reason": "correct"}, Choice(intent="find", reason="correct")),
        ({"label": "good"}, Choice(label="GOOD")),
        ({"label": "None"}, Choice(label="none")),
        ({"method": "rules", "rubric": "r@1"}, Choice(method="rules", rubric="r@1")),
        ({"below": 0.0}, Choice(below=0.0)),
        ({"store": "a", "period": "all"}, Choice(store_id="a")),
    ],
)
def test_what_is_said_is_the_choice(where: dict[str, Any], choice: Choice) -> None:
    assert read_choice(where) == choice


def test_a_period_reaches_back_from_now() -> None:
    before = now()
    since = read_choice({"period": "1d"}).since
    assert since is not None
    assert before - DAY_MS <= since <= now() - DAY_MS


@pytest.mark.parametrize(
    "where",
    [
        {},
        {"period": "all"},
        {"all": "true", "store": "a"},
    ],
)
def test_what_says_nothing_or_two_things_is_none(where: dict[str, Any]) -> None:
    with pytest.raises(typer.BadParameter):
        read_choice(where)


@pytest.mark.parametrize(
    "where",
    [
        {"label": "FINE"},
        {"below": -0.1},
        {"below": 1.1},
        {"below": float("nan")},
        {"from": "soon"},
        {"period": "1d", "from": "0"},
        {"period": "soon"},
    ],
)
def test_what_can_t_be_read_is_told(where: dict[str, Any]) -> None:
    with pytest.raises(ParameterError, match=next(iter(where))):
        read_choice(where)


def test_each_part_of_a_choice_has_its_option() -> None:
    names = {option.name for option in OPTIONS} - {"period", "all"}
    assert names == set(Choice.__struct_fields__) - {"store_id", "since", "until"} | {"store", "from", "to"}
