"""Single interactions and what they teach, over the wire: from the events that are sent to the answers."""

import csv
import io
import time
from typing import Any

import pytest

from acceptance.service import Event, Service, outcome, query

SECOND = 1_000


@pytest.fixture
def store(shared: Service, name: str) -> str:
    """A store of its own: a shopper who asks for shoes in two ways, then for gift cards, and buys."""
    at = round(time.time() * 1000) - 600 * SECOND
    said: list[tuple[str, str, dict[str, Any]]] = [
        ("shoes", "do you have red shoes", {"action_success": 0}),
        ("sneakers", "show me red sneakers", {"answer_text": "Two pairs.", "latency_ms": 800, "cost_usd": 0.002}),
        ("cards", "Gift cards?", {"error_flag": 1, "error_message": "catalogue is down"}),
        ("cards again", "gift cards", {"action_success": None, "latency_ms": 9_000}),
    ]
    events: list[Event] = []
    for n, (id, text, became) in enumerate(said):
        of_query = {"store_id": name, "session_id": name, "query_text": text, "intent": "find" if n < 2 else None}
        events += [
            query(
                f"{name}/{id}", timestamp=at + n * 5 * SECOND, transcription_confidence=0.9, device="kiosk", **of_query
            ),
            outcome(f"{name}/{id}", **became),
        ]
    bought = {
        "conversion_id": f"{name}/c",
        "session_id": name,
        "value": 40,
        "currency": "eur",
        "timestamp": at + 60_000,
    }
    shared.ingest(*events, {"event_type": "voice_conversion", **bought})
    return name


def ids(page: dict[str, Any], store: str) -> list[str]:
    return [one["id"].removeprefix(f"{store}/") for one in page["interactions"]]


def test_pages_go_on_by_cursor_while_more_comes_in(shared: Service, store: str) -> None:
    first = shared.get("/interactions", store=store, limit=2)
    assert ids(first, store) == ["cards again", "cards"]
    shared.ingest(query(f"{store}/later", store_id=store, query_text="one more"))
    second = shared.get("/interactions", store=store, limit=2, cursor=first["nextCursor"])
    assert ids(second, store) == ["sneakers", "shoes"]
    assert second["nextCursor"] is None
    slowest = shared.get("/interactions", store=store, sort="latency")
    assert ids(slowest, store)[:2] == ["cards again", "sneakers"]


def test_interactions_are_found_by_what_was_said_and_by_how_it_went(shared: Service, store: str) -> None:
    assert ids(shared.get("/interactions", store=store, text="RED"), store) == ["sneakers", "shoes"]
    assert ids(shared.get("/interactions", store=store, latency_min=8_000), store) == ["cards again"]
    assert ids(shared.get("/interactions", session=store, intent="(none)"), store) == ["cards again", "cards"]
    table = shared.http.get("/interactions", params={"store": store, "text": "red", "format": "csv"})
    assert [row["answerText"] for row in csv.DictReader(io.StringIO(table.text))] == ["Two pairs.", ""]


def test_one_interaction_is_told_whole(shared: Service, store: str) -> None:
    found = shared.get(f"/interactions/{store}%2Fshoes")
    assert found["query"]["extra"] == {"device": "kiosk"}
    assert (found["outcome"]["actionSuccess"], found["verdict"]) == (False, None)
    assert (found["rephrased"], found["cause"]) == (True, "did_wrong")
    assert found["saidAgain"]["queryText"] == "show me red sneakers"
    assert [one["queryText"] for one in found["turns"]] == [
        "do you have red shoes",
        "show me red sneakers",
        "Gift cards?",
        "gift cards",
    ]
    missing = shared.http.get(f"/interactions/{store}%2Fnobody")
    assert (missing.status_code, missing.json()["code"]) == (404, "not_found")


def test_a_label_that_comes_later_is_seen_at_once(shared: Service, store: str) -> None:
    assert shared.get("/interactions", store=store, label="BAD")["interactions"] == []
    ran = shared.aura("evaluate")
    assert ran.returncode == 0, ran.stderr
    assert "cards" in ids(shared.get("/interactions", store=store, label="BAD"), store)
    assert shared.get(f"/interactions/{store}%2Fcards")["verdict"]["reason"] == "error_occurred"


def test_what_was_said_again_and_where_it_broke(shared: Service, store: str) -> None:
    again = shared.get("/insights/rephrasings", store=store)
    assert (again["queries"], again["rephrased"], again["repeated"]) == (4, 1, 1)
    assert [one["nextText"] for one in again["examples"]] == ["show me red sneakers"]
    broke = shared.get("/insights/causes", store=store, split="intent", step="hour", tz="Europe/Berlin")
    counts = {one["cause"]: one["count"] for one in broke["causes"]}
    assert (broke["broken"], counts["did_wrong"], counts["too_slow"]) == (3, 2, 1)
    assert [(one["value"], one["broken"]) for one in broke["parts"]] == [(None, 2), ("find", 1)]
    assert sum(one["tooSlow"] for one in broke["steps"]) == 1
    assert {one["cause"] for one in broke["examples"]} == {"did_wrong", "too_slow"}


def test_what_was_asked_for_in_vain_and_what_it_cost(shared: Service, store: str) -> None:
    found = shared.get("/insights/demand", store=store)
    topics = {one["name"].casefold().rstrip("?"): one for one in found["topics"]}
    assert found["unanswered"] == 3
    assert (topics["gift cards"]["volume"], topics["gift cards"]["texts"]) == (2, 1)
    assert topics["gift cards"]["reasons"] == {"error": 1, "slow_response": 1}
    # The only answered query of the intent led to an order of 40 EUR.
    assert topics["do you have red shoes"]["moneyAtStake"] == [{"currency": "EUR", "value": 40.0}]
    assert shared.get("/insights/key-terms", store=store) == []
    assert shared.get("/insights/synonyms", store=store) == []


def test_what_was_bought_is_owed_to_the_last_query_that_helped(shared: Service, store: str) -> None:
    found = shared.get("/stats/conversions", store=store)
    assert (found["conversions"], found["convertedQueries"], found["conversionRate"]) == (1, 1, 0.25)
    assert found["revenue"] == [{"currency": "EUR", "value": 40.0, "conversions": 1}]
    assert [(one["intent"], one["conversions"]) for one in found["byIntent"]] == [("find", 1), (None, 0)]


def test_spellings_are_one_where_that_is_asked(shared: Service, store: str) -> None:
    plain = shared.get("/stats/top-queries", store=store)
    folded = shared.get("/stats/top-queries", store=store, normalize="true")
    assert {one["queryText"] for one in plain} >= {"Gift cards?", "gift cards"}
    assert [(one["queryText"], one["count"]) for one in folded][:1] == [("Gift cards?", 2)]
    missed = shared.get("/stats/unanswered", store=store, normalize="true")
    assert [(one["queryText"], one["occurrences"]) for one in missed][:1] == [("Gift cards?", 2)]
