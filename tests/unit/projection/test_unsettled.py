"""What is due to be settled: the newest first, once it has lain still, and now and then although it doesn't."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aura_analytics.projection.coverage import HOUR_MS, LAST_HOUR
from aura_analytics.projection.unsettled import LONGEST_S, MOST_HOURS, STILL_S, Ready, Unsettled


class Seconds:
    """A clock of seconds that stands until it is turned."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Seconds:
    return Seconds()


@pytest.fixture
def unsettled(clock: Seconds) -> Unsettled:
    return Unsettled(clock)


def all_of(unsettled: Unsettled) -> list[Ready]:
    found = []
    while ready := unsettled.take():
        found.append(ready)
    return found


def test_nothing_is_due_where_nothing_is_stale(unsettled: Unsettled) -> None:
    unsettled.touch([5])
    assert unsettled.take() is None
    unsettled.note([], [])
    assert unsettled.take() is None


def test_what_nobody_has_touched_is_due_at_once_hours_before_days_and_the_newest_first(unsettled: Unsettled) -> None:
    unsettled.note([7, 3, 9], [1, 0])
    assert all_of(unsettled) == [
        Ready(hours=(9, 9)),
        Ready(hours=(7, 7)),
        Ready(hours=(3, 3)),
        Ready(day=1),
        Ready(day=0),
    ]


def test_hours_that_follow_on_each_other_go_together_but_not_too_many(unsettled: Unsettled) -> None:
    unsettled.note([*range(5), *range(10, 10 + MOST_HOURS + 2)], [])
    top = 10 + MOST_HOURS + 1
    assert all_of(unsettled) == [Ready(hours=(12, top)), Ready(hours=(10, 11)), Ready(hours=(0, 4))]


def test_what_was_taken_is_not_given_again_until_it_is_stale_again(unsettled: Unsettled) -> None:
    unsettled.note([1], [0])
    assert len(all_of(unsettled)) == 2
    assert unsettled.take() is None
    unsettled.note([1], [0])
    assert len(all_of(unsettled)) == 2


def test_what_has_just_changed_waits_until_it_has_lain_still(unsettled: Unsettled, clock: Seconds) -> None:
    unsettled.touch([HOUR_MS + 5, 26 * HOUR_MS])
    unsettled.note([1, 26, 3], [0, 1])
    assert all_of(unsettled) == [Ready(hours=(3, 3))]
    clock.now += STILL_S["hour"] - 0.1
    unsettled.note([1, 26], [0, 1])
    assert unsettled.take() is None
    clock.now += 0.1
    assert all_of(unsettled) == [Ready(hours=(26, 26)), Ready(hours=(1, 1))]
    clock.now += STILL_S["day"] - STILL_S["hour"]
    assert all_of(unsettled) == [Ready(day=1), Ready(day=0)]


def test_a_new_change_begins_the_wait_anew(unsettled: Unsettled, clock: Seconds) -> None:
    unsettled.touch([0])
    unsettled.note([0], [])
    clock.now += STILL_S["hour"] - 0.1
    unsettled.touch([5])
    clock.now += STILL_S["hour"] - 0.1
    assert unsettled.take() is None
    clock.now += 0.1
    assert unsettled.take() == Ready(hours=(0, 0))


@pytest.mark.parametrize(("unit", "ready"), [("hour", Ready(hours=(0, 0))), ("day", Ready(day=0))])
def test_what_never_lies_still_is_settled_now_and_then(
    unsettled: Unsettled, clock: Seconds, unit: str, ready: Ready
) -> None:
    hours, days = ([0], []) if unit == "hour" else ([], [0])
    began = clock.now
    taken = []
    while clock.now < began + 2.5 * LONGEST_S[unit]:
        unsettled.touch([0])
        unsettled.note(hours, days)
        if found := unsettled.take():
            assert found == ready
            taken.append(clock.now - began)
        clock.now += 1
    assert taken[0] == LONGEST_S[unit]
    assert len(taken) == 2


def test_a_change_of_an_hour_that_is_not_noted_as_stale_yet_is_remembered(unsettled: Unsettled, clock: Seconds) -> None:
    """A change comes first, and the look at what is stale a moment later."""
    unsettled.touch([0])
    clock.now += 1
    unsettled.note([0], [0])
    assert unsettled.take() is None


def test_moments_that_no_clock_shows_are_never_settled(unsettled: Unsettled) -> None:
    """Before the epoch, and past the end of time: somebody else wrote them, and rows answer for them."""
    unsettled.note([-1, 0, LAST_HOUR, LAST_HOUR + 1], [-1, 0, LAST_HOUR // 24, LAST_HOUR // 24 + 1])
    assert all_of(unsettled) == [
        Ready(hours=(LAST_HOUR, LAST_HOUR)),
        Ready(hours=(0, 0)),
        Ready(day=LAST_HOUR // 24),
        Ready(day=0),
    ]


@given(hours=st.sets(st.integers(0, 60)), days=st.sets(st.integers(0, 5)))
def test_everything_that_is_stale_is_given_once(hours: set[int], days: set[int]) -> None:
    unsettled = Unsettled(Seconds())
    unsettled.note(hours, days)
    found = all_of(unsettled)
    given_hours = [hour for ready in found if ready.hours for hour in range(ready.hours[0], ready.hours[1] + 1)]
    assert sorted(given_hours) == sorted(hours)
    assert sorted(ready.day for ready in found if ready.day is not None) == sorted(days)
