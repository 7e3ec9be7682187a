"""The steps of a series, where clocks change and calendars leap."""

from datetime import UTC, datetime
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aura_analytics.errors import ParameterError
from aura_analytics.stats.steps import (
    LAST_MS,
    LONGEST_MS,
    MOST_STEPS,
    STEPS,
    StepName,
    divided,
    label,
    read_step,
    read_zone,
)

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
ZONES = [
    *("UTC", "Europe/Berlin", "Asia/Kolkata", "Asia/Kathmandu", "America/St_Johns", "Australia/Lord_Howe"),
    *("America/Sao_Paulo", "America/Havana", "Pacific/Apia", "Africa/Casablanca", "Africa/Monrovia"),
]


def at(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1000)


def labels(step: StepName, zone: str, low: str, high: str) -> list[str]:
    return divided(step, ZoneInfo(zone), at(low), at(high)).labels


@pytest.mark.parametrize(
    ("step", "zone", "low", "high", "expected"),
    [
        (
            "day",
            "Europe/Berlin",
            "2026-03-28T12:00:00Z",
            "2026-03-30T12:00:00Z",
            ["2026-03-28T00:00:00+01:00", "2026-03-29T00:00:00+01:00", "2026-03-30T00:00:00+02:00"],
        ),
        (
            "hour",
            "Europe/Berlin",
            "2026-10-25T00:10:00Z",
            "2026-10-25T02:00:00Z",
            ["2026-10-25T02:00:00+02:00", "2026-10-25T02:00:00+01:00", "2026-10-25T03:00:00+01:00"],
        ),
        (
            "hour",
            "Europe/Berlin",
            "2026-03-29T00:59:00Z",
            "2026-03-29T01:00:00Z",
            ["2026-03-29T01:00:00+01:00", "2026-03-29T03:00:00+02:00"],
        ),
        # Half an hour back: the hour that is cut short is a step of its own.
        (
            "hour",
            "Australia/Lord_Howe",
            "2026-04-04T14:10:00Z",
            "2026-04-04T16:00:00Z",
            [
                "2026-04-05T01:00:00+11:00",
                "2026-04-05T01:30:00+10:30",
                "2026-04-05T02:00:00+10:30",
            ],
        ),
        ("hour", "Asia/Kolkata", "2026-01-01T00:00:00Z", "2026-01-01T00:10:00Z", ["2026-01-01T05:00:00+05:30"]),
        # Midnight is skipped, comes twice an hour apart, comes twice with the day before in between; a date is skipped.
        (
            "day",
            "America/Sao_Paulo",
            "2018-11-03T12:00:00Z",
            "2018-11-04T12:00:00Z",
            ["2018-11-03T00:00:00-03:00", "2018-11-04T01:00:00-02:00"],
        ),
        (
            "day",
            "America/Havana",
            "2026-11-01T04:30:00Z",
            "2026-11-02T05:00:00Z",
            ["2026-11-01T00:00:00-04:00", "2026-11-02T00:00:00-05:00"],
        ),
        (
            "day",
            "America/St_Johns",
            "2006-10-29T02:30:00Z",
            "2006-10-29T12:00:00Z",
            ["2006-10-28T00:00:00-02:30", "2006-10-29T00:00:00-03:30"],
        ),
        (
            "day",
            "Pacific/Apia",
            "2011-12-29T12:00:00Z",
            "2011-12-30T12:00:00Z",
            ["2011-12-29T00:00:00-10:00", "2011-12-31T00:00:00+14:00"],
        ),
        (
            "week",
            "Asia/Kathmandu",
            "2026-01-31T12:00:00Z",
            "2026-02-02T12:00:00Z",
            ["2026-01-26T00:00:00+05:45", "2026-02-02T00:00:00+05:45"],
        ),
        (
            "month",
            "UTC",
            "2025-12-31T23:59:59Z",
            "2026-02-01T00:00:00Z",
            ["2025-12-01T00:00:00Z", "2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z"],
        ),
        # The end of all calendars.
        ("month", "Asia/Tokyo", "9999-12-30T00:00:00Z", "9999-12-30T23:59:59Z", ["9999-12-01T00:00:00+09:00"]),
        ("week", "UTC", "9999-12-30T00:00:00Z", "9999-12-31T23:59:59Z", ["9999-12-27T00:00:00Z"]),
        ("day", "America/Los_Angeles", "1970-01-01T00:00:00Z", "1970-01-01T01:00:00Z", ["1969-12-31T00:00:00-08:00"]),
    ],
)
def test_steps_begin_when_the_clocks_say(step: StepName, zone: str, low: str, high: str, expected: list[str]) -> None:
    assert labels(step, zone, low, high) == expected


@settings(max_examples=200, deadline=None)
@given(
    step=st.sampled_from(STEPS),
    zone=st.sampled_from(ZONES).map(ZoneInfo),
    low=st.integers(0, 2_000_000_000_000),
    length=st.integers(0, 10 * DAY_MS),
)
def test_steps_follow_on_each_other_and_hold_the_window(step: StepName, zone: ZoneInfo, low: int, length: int) -> None:
    found = divided(step, zone, low, low + length)
    assert found.starts[0] <= low
    assert found.starts[-1] <= low + length
    assert all(before < after for before, after in pairwise(found.starts))
    assert len(found.starts) == 1 or found.starts[1] > low
    unit_ms = found.buckets.unit_ms
    assert all(start % unit_ms == 0 for start in found.starts)
    assert [at(text) for text in found.labels] == found.starts
    # Whatever the window, the steps are the same ones.
    wider = divided(step, zone, max(low - DAY_MS, 0), low + length + DAY_MS).starts
    assert found.starts == [start for start in wider if start in set(found.starts)]
    assert [start for start in wider if found.starts[0] <= start <= found.starts[-1]] == found.starts


def test_a_window_without_moments_that_can_be_shown_has_no_steps() -> None:
    assert divided("day", ZoneInfo("UTC"), LAST_MS + 1, LAST_MS + 5).starts == []
    assert divided("day", ZoneInfo("UTC"), -5, -1).starts == []


def test_steps_are_bounded() -> None:
    zone = ZoneInfo("UTC")
    assert len(divided("hour", zone, 0, MOST_STEPS * HOUR_MS - 1).starts) == MOST_STEPS
    with pytest.raises(ParameterError, match="more than 20,000 steps; take a longer step"):
        divided("hour", zone, 0, MOST_STEPS * HOUR_MS)
    with pytest.raises(ParameterError, match="more than 20,000 steps; take a longer step"):
        divided("minute", zone, 0, LAST_MS)


@pytest.mark.parametrize(
    ("zone", "step", "unit_ms"),
    [
        ("UTC", "day", DAY_MS),
        ("UTC", "hour", HOUR_MS),
        ("Europe/Berlin", "day", HOUR_MS),
        ("Asia/Kathmandu", "day", 15 * 60_000),
        ("UTC", "minute", 60_000),
        ("Africa/Monrovia", "day", 1_000),
    ],
)
def test_units_are_as_long_as_the_steps_allow(zone: str, step: StepName, unit_ms: int) -> None:
    low = at("1971-05-05T05:05:05Z")
    assert divided(step, ZoneInfo(zone), low, low + 2 * HOUR_MS).buckets.unit_ms == unit_ms


def test_only_hours_are_hours() -> None:
    low = at("2026-03-29T00:00:00Z")
    for zone, step, are_hours in [
        ("Europe/Berlin", "hour", True),
        ("Asia/Kolkata", "hour", False),
        ("UTC", "day", False),
        ("UTC", "minute", False),
    ]:
        found = divided(step, ZoneInfo(zone), low, low + 3 * HOUR_MS)  # type: ignore[arg-type]
        assert found.are_hours(low + 3 * HOUR_MS) is are_hours
    assert not divided("day", ZoneInfo("UTC"), low, low + 5 * HOUR_MS).are_hours(low + 5 * HOUR_MS)


@pytest.mark.parametrize(
    ("name", "key"), [(None, "UTC"), ("Europe/Berlin", "Europe/Berlin"), ("Etc/GMT 5", "Etc/GMT+5")]
)
def test_a_zone_is_read(name: str | None, key: str) -> None:
    assert read_zone(name).key == key


@pytest.mark.parametrize(
    "name", ["", "Europe", "Mars/Phobos", "../../etc/passwd", "/etc/passwd", "\0", "Europe/Berlin\n", "x" * 5_000]
)
def test_a_zone_that_there_is_not_is_told(name: str) -> None:
    with pytest.raises(ParameterError, match=r"^tz is the name of a time zone, such as Europe/Berlin or UTC$"):
        read_zone(name)


def test_a_step_is_read() -> None:
    assert (read_step(None), read_step(None, "day"), read_step("month")) == ("hour", "day", "month")
    with pytest.raises(ParameterError, match=r"^step is one of minute, hour, day, week, month$"):
        read_step("year")


def test_only_utc_is_written_with_a_z() -> None:
    moment = round(datetime(2026, 1, 1, tzinfo=UTC).timestamp() * 1000)
    assert label(moment, ZoneInfo("UTC")) == "2026-01-01T00:00:00Z"
    assert label(moment, ZoneInfo("Europe/London")) == "2026-01-01T00:00:00+00:00"


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("zone", ["UTC", "Pacific/Apia", "Pacific/Kwajalein", "Australia/Lord_Howe"])
def test_no_step_is_longer_than_the_longest(step: StepName, zone: str) -> None:
    """A window that is too long is refused by its length alone; so none that isn't may be."""
    length = {"minute": 30, "hour": 800}.get(step, 20_000) * DAY_MS
    low = 15_300 * DAY_MS if step in ("minute", "hour") else 0  # the end of 2011, where a day was left out in Apia
    steps = divided(step, ZoneInfo(zone), low, low + length, most=1_000_000)
    assert max(after - before for before, after in pairwise(steps.starts)) <= LONGEST_MS[step]
