"""The sample is the same each time, of the share that was asked for, and never leaves a failure out."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aura_analytics.evaluation.sample import is_chosen, share_of
from aura_analytics.events.records import Interaction
from contract.making import outcome, query

rates = st.floats(0, 1)


def went_well(id: str, **fields: Any) -> Interaction:
    return Interaction(query=query(id), outcome=outcome(id, **fields))


def test_an_id_lies_where_its_hash_says() -> None:
    assert share_of("q-1") == pytest.approx(0.5400171714)


@given(st.text())
def test_every_id_lies_somewhere(id: str) -> None:
    assert 0 <= share_of(id) < 1


@given(st.text(), rates, rates)
def test_who_is_chosen_at_a_lower_rate_is_chosen_at_a_higher_one(id: str, one: float, other: float) -> None:
    lower, higher = sorted((one, other))
    assert is_chosen(went_well(id), lower) <= is_chosen(went_well(id), higher)


def test_the_share_is_what_was_asked_for() -> None:
    chosen = sum(is_chosen(went_well(f"id-{n}"), 0.2) for n in range(10_000))
    assert 1_900 < chosen < 2_100


def test_all_and_none() -> None:
    some = [went_well(f"id-{n}") for n in range(1_000)]
    assert all(is_chosen(one, 1) for one in some)
    assert not any(is_chosen(one, 0) for one in some)


@pytest.mark.parametrize(
    "failed",
    [
        Interaction(query=query("a")),
        went_well("a", error_flag=True),
        went_well("a", action_success=False),
        went_well("a", error_flag=True, action_success=True),
    ],
)
def test_a_failure_is_always_chosen(failed: Interaction) -> None:
    assert is_chosen(failed, 0)
    assert not is_chosen(went_well("a", action_success=True), 0)
