"""How an alert goes on: nothing is raised too soon or by too few, said once, and cleared once."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aura_analytics.alerts.course import begun, went_on
from aura_analytics.alerts.measure import Measured
from aura_analytics.alerts.rule import Rule, default_rules, parse_rules
from aura_analytics.errors import SettingsError

RULE = Rule(name="slow", metric="p95_latency_ms", above=10, clear=5, lasting="1m")
MINUTE_MS = 60_000


def seen(value: float | None) -> Measured:
    return Measured(value=value, held=value)


def test_it_is_raised_once_it_has_lasted_and_calm_once_it_is_well_below() -> None:
    state, told = begun(RULE, now=0), []
    for now, value in enumerate([11, 11, 11, 7, None, 11, 5, 11, 9, 11]):
        state, kind = went_on(RULE, state, seen(value), now=now * MINUTE_MS)
        told.append((state.state, kind))

    assert told == [
        ("pending", None),
        ("raised", "alert.raised"),
        ("raised", None),
        ("raised", None),
        ("raised", None),
        ("raised", None),
        ("calm", "alert.cleared"),
        ("pending", None),
        ("calm", None),
        ("pending", None),
    ]


@given(st.lists(st.floats(0, 20) | st.none()), st.sampled_from(["0s", "1m", "3m"]))
def test_what_is_said_alternates_and_ends_as_it_stands(values: list[float | None], lasting: str) -> None:
    rule = Rule(name="any", metric="p95_latency_ms", above=10, clear=5, lasting=lasting)
    state, told = begun(rule, now=0), []
    for now, value in enumerate(values):
        state, kind = went_on(rule, state, seen(value), now=now * MINUTE_MS)
        told += [kind] if kind else []

    assert told == ["alert.raised", "alert.cleared"] * (len(told) // 2) + ["alert.raised"] * (len(told) % 2)
    assert (len(told) % 2 == 1) == (state.state == "raised")


def test_the_package_s_own_rules_can_be_read() -> None:
    assert {rule.metric for rule in default_rules()} >= {"error_rate", "bad_share", "queue_age_s", "budget_spent"}


@pytest.mark.parametrize(
    "text",
    [
        "nonsense",
        "[[alert]]\nname = 'x'\nmetric = 'mood'\nabove = 1",
        "[[alert]]\nname = 'x'\nmetric = 'error_rate'\nabove = 1.5",
        "[[alert]]\nname = 'x'\nmetric = 'error_rate'\nabove = 0.1\nclear = 0.2",
        "[[alert]]\nname = 'x y'\nmetric = 'error_rate'\nabove = 0.1",
        "[[alert]]\nname = 'x'\nmetric = 'error_rate'\nabove = 0.1\nwindow = 'soon'",
        "[[alert]]\nname = 'x'\nmetric = 'error_rate'\nabove = 0.1\nfor = 'long'",
        "[[alert]]\nname = 'x'\nmetric = 'error_rate'\nabove = nan",
        "[[alert]]\nname = 'x'\nmetric = 'queue_age_s'\nabove = 1\nstore = 'mine'",
        "[[alert]]\nname = 'x'\nmetric = 'error_rate'\nabove = 0.1\ncolour = 'red'",
        "[[alert]]\nname = 'x'\nmetric = 'error_rate'\nabove = 0.1\nminimum = 0",
        "[[alert]]\nname = 'x'\nmetric = 'error_rate'\nabove = 0.1\n" * 2,
    ],
)
def test_what_cannot_be_watched_is_refused(text: str) -> None:
    with pytest.raises(SettingsError, match=r"mine\.toml"):
        parse_rules(text, "mine.toml")
