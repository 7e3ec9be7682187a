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

    assert sum(sum(served.statuses.values()) for served in meter.served.values()) == len(asked)
    assert sum(sum(served.counts) for served in meter.served.values()) == len(asked)
    assert {route for _, route in meter.served} <= KNOWN
    assert {method for method, _ in meter.served} <= METHODS | {"other"}


def test_a_duration_lies_in_the_bucket_whose_bound_it_does_not_exceed() -> None:
    meter = Meter()
    for seconds in (*BOUNDS, BOUNDS[-1] + 1):
        meter.note(scope("POST", "/ingest"), {"status": 200}, seconds)

    assert meter.served["POST", "/ingest"].counts == [1] * (len(BOUNDS) + 1)


def test_events_that_were_not_stored_are_not_counted_as_such() -> None:
    meter = Meter()
    unavailable = {"status": 503, "events": 5, "rejected": 0, "code": "store_unavailable"}
    meter.note(scope("POST", "/ingest"), unavailable, 0.1)

    assert sum(meter.events.values()) == 0
    assert meter.refusals == {"store_unavailable": 1}
