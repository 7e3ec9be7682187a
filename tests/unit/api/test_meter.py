"""Counting requests: each once, by the route that it is of, whatever comes as a path."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from aura_analytics.api.meter import BOUNDS, METHODS, Meter
from aura_analytics.guard.access import ROUTES

KNOWN = {path for _, path in ROUTES} | {"other"}


def scope(method: str, path: str) -> dict[str, Any]:
    return {"type": "http", "method": method, "path": path}


@given(st.lists(st.tuples(st.text(), st.text() | st.sampled_from(sorted(KNOWN)), st.floats(0, 100))))
def test_whatever_is_asked_the_labels_are_few_and_the_sums_are_right(asked: list[tuple[str, str, float]]) -> None:
    meter = Meter()
    for method, path, seconds in asked:
        meter.note(scope(method, path), {"status": 200}, seconds)

    assert meter.requests.total() == len(asked)
    assert {route for _, route, _ in meter.requests} <= KNOWN
    assert {method for method, _, _ in meter.requests} <= METHODS | {"other"}
    assert sum(sum(one.counts) for one in meter.durations.values()) == len(asked)


def test_a_duration_lies_in_the_bucket_whose_bound_it_does_not_exceed() -> None:
    meter = Meter()
    for seconds in (*BOUNDS, BOUNDS[-1] + 1):
        meter.note(scope("POST", "/ingest"), {"status": 200}, seconds)

    assert meter.durations["/ingest"].counts == [1] * (len(BOUNDS) + 1)


def test_streams_are_counted_and_have_no_duration() -> None:
    meter = Meter()
    meter.note(scope("GET", "/stats/live"), {}, 3_600.0)

    assert meter.requests == {("GET", "/stats/live", 0): 1}
    assert meter.durations == {}


def test_events_that_were_not_stored_are_not_counted_as_such() -> None:
    meter = Meter()
    unavailable = {"status": 503, "events": 5, "rejected": 0, "code": "store_unavailable"}
    meter.note(scope("POST", "/ingest"), unavailable, 0.1)

    assert meter.events.total() == 0
    assert meter.refusals == {"store_unavailable": 1}
