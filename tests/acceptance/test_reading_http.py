"""What section 3 of the contract promises to a reader, held over the wire."""

import json
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from html.parser import HTMLParser
from typing import Any

import pytest

from acceptance.conftest import MakeDatabase
from acceptance.service import Service, outcome, query, until

MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000

SUMMARY_KEYS = {
    "storeId", "period", "totalQueries", "successfulQueries", "failedQueries", "averageLatencyMs", "totalCostUsd",
    "uniqueSessions", "conversionRate", "unansweredRate",
}  # fmt: skip
LIST_KEYS = {
    "/stats/top-queries": {"queryText", "intent", "count", "avgLatencyMs", "successRate"},
    "/stats/unanswered": {"queryText", "intent", "occurrences", "lastSeen", "reasons"},
    "/stats/hourly": {"hour", "queries", "successes", "failures", "avgLatencyMs", "costUsd", "sessions"},
    "/stats/dataset": {
        "prompt", "completion", "store_id", "intent", "model_name", "action_taken", "created_at",
    },
}  # fmt: skip
# What is read comes from the columns, whatever the rows lie in.
pytestmark = pytest.mark.backends("sqlite")

READING = ["/stats/summary", *LIST_KEYS, "/export/training-data"]


class Filled:
    """A service that knows seven interactions of two stores; `at` holds their moments, epoch milliseconds."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.get = service.get
        self.now = round(time.time() * 1000)
        hour = (self.now - 5 * HOUR) // HOUR * HOUR
        self.at = {
            "success": hour,
            "action failed": hour + 1,
            "error": self.now - 4 * HOUR,
            "slow": self.now - 3 * HOUR,
            "no response": self.now - 90 * MINUTE,
            "too early": self.now,
            "long ago": self.now - 40 * DAY,
        }

    def fill(self) -> None:
        """Send the interactions and have them labelled."""
        apples = {"query_text": "red apples", "intent": "find", "store_id": "a", "session_id": "s1"}
        said: dict[str, Any] = {
            "success": apples,
            "action failed": apples,
            "error": {"query_text": "milk", "store_id": "a", "session_id": "s2"},
            "slow": {"query_text": "opening hours", "store_id": "a"},
            "no response": {"query_text": "tea", "intent": "find", "store_id": "b", "session_id": "s3"},
            "too early": {"query_text": "coffee", "store_id": "b"},
            "long ago": {"query_text": "tea", "intent": "find", "store_id": "b"},
        }
        became: dict[str, Any] = {
            "success": {
                "latency_ms": 1_000, "cost_usd": 0.01, "answer_text": "Aisle 3.", "model_name": "m-1", "action_taken": "FIND",
            },
            "action failed": {
                "latency_ms": 3_000, "cost_usd": 0.02, "action_taken": "FIND", "action_success": 0, "answer_text": "Hm.",
            },
            "error": {"action_success": None, "error_flag": 1},
            "slow": {"latency_ms": 9_000, "answer_text": "At nine."},
            "long ago": {"latency_ms": 100, "answer_text": "We have Assam."},
        }  # fmt: skip
        queries = [
            query(name, timestamp=self.at[name], transcription_confidence=0.9, **fields)
            for name, fields in said.items()
        ]
        outcomes = [outcome(name, **fields) for name, fields in became.items()]
        self.service.ingest(*queries, *outcomes)
        ran = self.service.aura("evaluate")
        assert ran.returncode == 0, ran.stderr


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory, make_database: MakeDatabase) -> Iterator[Filled]:
    """The service with its seven interactions; it never labels by itself."""
    folder = tmp_path_factory.mktemp("filled")
    with Service(folder, make_database(folder), EVAL_INTERVAL_SECONDS="86400") as service:
        known = Filled(service)
        known.fill()
        yield known


def iso(epoch_ms: int) -> str:
    return datetime.fromtimestamp(epoch_ms / 1000, UTC).isoformat(timespec="milliseconds")


# Numbers


def test_a_summary_has_its_keys_and_numbers(filled: Filled) -> None:
    summary = filled.get("/stats/summary", store="a")
    assert summary.keys() >= SUMMARY_KEYS
    assert {key: summary[key] for key in SUMMARY_KEYS - {"conversionRate"}} == {
        "storeId": "a",
        "period": "24h",
        "totalQueries": 4,
        "successfulQueries": 2,
        "failedQueries": 2,
        "averageLatencyMs": pytest.approx(13_000 / 3),
        "totalCostUsd": pytest.approx(0.03),
        "uniqueSessions": 2,
        "unansweredRate": 0.75,
    }
    assert 0 <= summary["conversionRate"] <= 1


def test_a_summary_without_a_store_is_of_all(filled: Filled) -> None:
    summary = filled.get("/stats/summary", period="all")
    assert (summary["storeId"], summary["period"], summary["totalQueries"]) == ("all", "all", 7)
    assert filled.get("/stats/summary")["totalQueries"] == 6


def test_a_summary_of_nothing_is_zeros(filled: Filled) -> None:
    summary = filled.get("/stats/summary", store="nobody's")
    assert summary.keys() >= SUMMARY_KEYS
    assert [summary[key] for key in ("totalQueries", "totalCostUsd", "unansweredRate", "conversionRate")] == [0] * 4
    assert summary["averageLatencyMs"] in (None, 0)
    for path in LIST_KEYS:
        assert filled.get(path, store="nobody's") == []


def test_top_queries_come_most_frequent_first(filled: Filled) -> None:
    rows = filled.get("/stats/top-queries")
    assert all(row.keys() >= LIST_KEYS["/stats/top-queries"] for row in rows)
    assert {key: rows[0][key] for key in LIST_KEYS["/stats/top-queries"]} == {
        "queryText": "red apples",
        "intent": "find",
        "count": 2,
        "avgLatencyMs": 2_000,
        "successRate": 50,
    }
    by_text = {row["queryText"]: row for row in rows}
    assert by_text.keys() == {"red apples", "milk", "opening hours", "tea", "coffee"}
    assert (by_text["milk"]["intent"], by_text["milk"]["avgLatencyMs"], by_text["milk"]["successRate"]) == (
        None,
        None,
        0,
    )
    assert by_text["opening hours"]["successRate"] == 100
    assert filled.get("/stats/top-queries", period="all", limit=2)[1]["queryText"] == "tea"


def test_unanswered_queries_say_why(filled: Filled) -> None:
    rows = filled.get("/stats/unanswered")
    assert all(row.keys() >= LIST_KEYS["/stats/unanswered"] for row in rows)
    found = {row["queryText"]: (row["occurrences"], row["lastSeen"], set(row["reasons"])) for row in rows}
    assert found == {
        "red apples": (1, filled.at["action failed"], {"action_failed", "needs_review"}),
        "milk": (1, filled.at["error"], {"error", "bad_quality"}),
        "opening hours": (1, filled.at["slow"], {"needs_review", "slow_response"}),
        "tea": (1, filled.at["no response"], {"no_response", "needs_review"}),
    }


def test_the_rate_of_the_unanswered_leaves_slow_ones_out(shared: Service, name: str) -> None:
    shared.ingest(query(name, store_id=name), outcome(name, latency_ms=8_001))
    assert shared.get("/stats/summary", store=name)["unansweredRate"] == 0
    assert [row["reasons"] for row in shared.get("/stats/unanswered", store=name)] == [["slow_response"]]


def test_a_latency_of_8000_ms_is_not_slow_yet(shared: Service, name: str) -> None:
    shared.ingest(query(name, store_id=name), outcome(name, latency_ms=8_000))
    assert shared.get("/stats/unanswered", store=name) == []


def test_a_query_without_an_outcome_yet_is_neither_successful_nor_failed(shared: Service, name: str) -> None:
    shared.ingest(query(name, store_id=name))
    summary = shared.get("/stats/summary", store=name)
    assert (summary["totalQueries"], summary["successfulQueries"], summary["failedQueries"]) == (1, 0, 0)
    assert summary["unansweredRate"] == 0
    shared.ingest(query(f"{name}-2", store_id=name), outcome(f"{name}-2", action_success=1, error_flag=1))
    summary = shared.get("/stats/summary", store=name)
    assert (summary["successfulQueries"], summary["failedQueries"], summary["unansweredRate"]) == (1, 1, 0.5)


def test_the_hours_come_newest_first(filled: Filled) -> None:
    rows = filled.get("/stats/hourly", store="a")
    assert all(row.keys() >= LIST_KEYS["/stats/hourly"] for row in rows)
    hours = [datetime.fromisoformat(row["hour"]) for row in rows]
    assert hours == sorted(hours, reverse=True)
    assert all(hour.utcoffset() is not None and hour.timestamp() % 3_600 == 0 for hour in hours)
    bucket = {hour.timestamp() * 1000: row for hour, row in zip(hours, rows, strict=True)}
    first = bucket[filled.at["success"] // HOUR * HOUR]
    expected = {"queries": 2, "successes": 1, "failures": 1, "avgLatencyMs": 2_000, "sessions": 1}
    assert {key: first[key] for key in expected} == expected
    assert first["costUsd"] == pytest.approx(0.03)
    assert sum(row["queries"] for row in rows) == 4
    assert filled.get("/stats/hourly", store="a", limit=1) == rows[:1]


def test_the_dataset_holds_one_label(filled: Filled) -> None:
    good = filled.get("/stats/dataset", period="all")
    assert all(row.keys() >= LIST_KEYS["/stats/dataset"] for row in good)
    assert {(row["prompt"], row["created_at"]) for row in good} == {
        ("red apples", filled.at["success"]),
        ("tea", filled.at["long ago"]),
    }
    [apples] = filled.get("/stats/dataset", store="a", label="GOOD")
    assert {key: apples[key] for key in LIST_KEYS["/stats/dataset"]} == {
        "prompt": "red apples",
        "completion": "Aisle 3.",
        "store_id": "a",
        "intent": "find",
        "model_name": "m-1",
        "action_taken": "FIND",
        "created_at": filled.at["success"],
    }
    assert {row["prompt"] for row in filled.get("/stats/dataset", label="REVIEW")} == {
        "red apples",
        "opening hours",
        "tea",
    }
    assert [row["prompt"] for row in filled.get("/stats/dataset", label="BAD")] == ["milk"]


def test_a_number_asked_right_after_the_acknowledgement_includes_the_event(shared: Service, name: str) -> None:
    for count in range(1, 51):
        shared.ingest(query(f"{name}-{count}", store_id=name))
        assert shared.get("/stats/summary", store=name)["totalQueries"] == count


# What it is about


@pytest.mark.parametrize("path", READING)
def test_three_names_of_the_store_mean_the_same(filled: Filled, path: str) -> None:
    answers = [
        filled.service.http.get(path, params={spelling: "b", "from": 0, "to": filled.now})
        for spelling in ("store", "storeId", "store_id")
    ]
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.content for answer in answers}) == 1
    assert answers[0].content != filled.service.http.get(path, params={"from": 0, "to": filled.now}).content


@pytest.mark.parametrize(
    ("period", "count"),
    [("60m", 1), ("1h", 1), ("91m", 2), ("2h", 2), ("24h", 6), ("7d", 6), ("30d", 6), ("41d", 7), ("90d", 7), ("999999999d", 7), ("all", 7)],
)  # fmt: skip
def test_a_period_reaches_back_from_now(filled: Filled, period: str, count: int) -> None:
    summary = filled.get("/stats/summary", period=period)
    assert (summary["period"], summary["totalQueries"]) == (period, count)


@pytest.mark.parametrize(
    "form", [str, iso, lambda epoch_ms: iso(epoch_ms).replace("+00:00", "Z")], ids=["epoch", "iso", "z"]
)
def test_from_and_to_are_both_included_to_the_millisecond(filled: Filled, form: Callable[[int], str]) -> None:
    first, second = filled.at["success"], filled.at["action failed"]
    assert second == first + 1

    def count(since: int, to: int) -> int:
        found: int = filled.get("/stats/summary", store="a", from_=form(since), to=form(to))["totalQueries"]
        return found

    assert count(first, second) == 2
    assert count(first, first) == 1
    assert count(second, second) == 1
    assert count(first - 1_000, first - 1) == 0
    assert count(second + 1, filled.at["error"] - 1) == 0
    assert count(second, filled.at["error"]) == 2


def test_one_end_of_a_window_may_be_open(filled: Filled) -> None:
    assert filled.get("/stats/summary", from_=filled.at["no response"])["totalQueries"] == 2
    assert filled.get("/stats/summary", to=filled.at["success"])["totalQueries"] == 2


def test_other_offsets_name_the_same_moment(filled: Filled) -> None:
    moment = datetime.fromtimestamp(filled.at["error"] / 1000, UTC)
    east = moment.astimezone(datetime.fromisoformat("2025-01-01T00:00:00+05:30").tzinfo).isoformat(
        timespec="milliseconds"
    )
    for text in (east, east.replace("+", " ")):  # a plus sign that wasn't encoded arrives as a space
        assert filled.get("/stats/summary", store="a", from_=text, to=text)["totalQueries"] == 1


@pytest.mark.parametrize("path", [*LIST_KEYS, "/export/training-data"])
def test_a_limit_is_from_1_to_100000(filled: Filled, path: str) -> None:
    def lines(limit: int) -> int:
        answer = filled.service.http.get(path, params={"limit": limit, "period": "all"})
        assert answer.status_code == 200
        return len(answer.json()) if path.startswith("/stats") else answer.text.count("\n")

    assert lines(1) == 1
    assert lines(100_000) > 1


def test_20_rows_come_by_default(shared: Service, name: str) -> None:
    shared.ingest(*(query(f"{name}-{n}", store_id=name, query_text=f"text {n}") for n in range(21)))
    shared.ingest(*(outcome(f"{name}-{n}", action_success=0) for n in range(21)))
    for path in ("/stats/top-queries", "/stats/unanswered"):
        assert len(shared.get(path, store=name)) == 20
        assert len(shared.get(path, store=name, limit=21)) == 21


# What can't be read

WINDOWS: list[tuple[dict[str, str], str]] = [
    ({"period": "24"}, "period"),
    ({"period": "h"}, "period"),
    ({"period": "-1h"}, "period"),
    ({"period": "0h"}, "period"),
    ({"period": "1w"}, "period"),
    ({"period": "1.5h"}, "period"),
    ({"period": "1h2m"}, "period"),
    ({"period": "ALLES"}, "period"),
    ({"period": "99999999999999999999d"}, "period"),
    ({"from": "yesterday"}, "from"),
    ({"from": "2025-01-01T00:00:00"}, "from"),
    ({"from": "2025-13-01T00:00:00Z"}, "from"),
    ({"to": "1e12"}, "to"),
    ({"to": "99999999999999999999"}, "to"),
    ({"to": ""}, "to"),
    ({"from": "2", "to": "1"}, "from"),
    ({"from": "1", "period": "1h"}, "period"),
    ({"store": "x", "storeId": "y"}, "store"),
    ({"store": ""}, "store"),
]
LIMITS: list[tuple[dict[str, str], str]] = [
    ({"limit": value}, "limit") for value in ("0", "-1", "100001", "1.5", "many", "", "1e3", "9" * 30, "0x10", "+5")
]
LABELS: list[tuple[dict[str, str], str]] = [({"label": value}, "label") for value in ("UGLY", "", "GOOD,BAD")]
EXAMPLES: list[tuple[dict[str, str], str]] = [
    *(({"min_confidence": value}, "min_confidence") for value in ("-0.1", "1.01", "nan", "high", "", "inf")),
    *(({"max_latency": value}, "max_latency") for value in ("-1", "nan", "slow", "")),
    *(({"format": value}, "format") for value in ("xml", "", "openai,gemini")),
]
WHAT_WOULD_DO = {
    "period": "24h", "from": "ISO 8601", "to": "ISO 8601", "limit": "100,000", "label": "GOOD, REVIEW, BAD",
    "min_confidence": "from 0 to 1", "max_latency": "from 0", "format": "openai, anthropic, gemini", "store": "store",
}  # fmt: skip


@pytest.mark.parametrize("path", READING)
def test_a_value_that_cannot_be_read_is_a_400_that_says_what_would_do(filled: Filled, path: str) -> None:
    wrong = [*WINDOWS]
    wrong += LIMITS if path != "/stats/summary" else []
    wrong += LABELS if path in ("/stats/dataset", "/export/training-data") else []
    wrong += EXAMPLES if path == "/export/training-data" else []
    for parameters, name in wrong:
        answer = filled.service.http.get(path, params=parameters)
        assert answer.status_code == 400, (parameters, answer.text)
        assert answer.headers["content-type"] == "application/problem+json"
        detail = answer.json()["detail"]
        assert name in detail, (parameters, detail)
        assert len(parameters) > 1 or WHAT_WOULD_DO[name] in detail or "offset" in detail, (parameters, detail)


@pytest.mark.parametrize("path", READING)
@pytest.mark.parametrize(
    "parameter", ["store", "storeId", "period", "from", "to", "limit", "label", "format", "min_confidence"]
)
def test_no_value_gets_a_500(filled: Filled, path: str, parameter: str) -> None:
    before = len(filled.service.complaints())
    values = ["%00", "%ff", "%ed%a0%80", "%F0%9F%A5%A3", "'; DROP TABLE interactions; --", "$1", "{}", "x" * 5_000, "٣"]
    values += ["0001-01-01T00:00:00%2B23:59", "9999-12-31T23:59:59-23:59", "2025-01-01", "2025-W01", "999999999999999"]
    statuses = {value: filled.service.http.get(f"{path}?{parameter}={value}").status_code for value in values}
    assert {value: status for value, status in statuses.items() if status not in (200, 400)} == {}
    assert filled.service.complaints()[before:] == []


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
@pytest.mark.parametrize("path", [*READING, "/health"])
def test_another_method_is_a_405(shared: Service, path: str, method: str) -> None:
    answer = shared.http.request(method, path)
    assert answer.status_code == 405
    assert answer.headers["content-type"] == "application/problem+json"
    assert "GET" in answer.headers["allow"]


# Training data


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        (
            "openai",
            {
                "messages": [
                    {"role": "user", "content": "red apples"},
                    {"role": "assistant", "content": "Aisle 3."},
                ]
            },
        ),
        (
            "anthropic",
            {
                "messages": [
                    {"role": "user", "content": "red apples"},
                    {"role": "assistant", "content": "Aisle 3."},
                ]
            },
        ),
        (
            "gemini",
            {
                "contents": [
                    {"role": "user", "parts": [{"text": "red apples"}]},
                    {"role": "model", "parts": [{"text": "Aisle 3."}]},
                ]
            },
        ),
    ],
)
def test_training_data_is_a_download_of_a_chat_a_line(filled: Filled, form: str, expected: dict[str, Any]) -> None:
    answer = filled.service.http.get("/export/training-data", params={"format": form})
    assert answer.status_code == 200
    assert answer.headers["content-type"].partition(";")[0] == "application/x-ndjson"
    assert answer.headers["content-disposition"].startswith("attachment")
    assert ".ndjson" in answer.headers["content-disposition"]
    assert answer.text.endswith("\n")
    assert [json.loads(line) for line in answer.text.splitlines()] == [expected]


@pytest.mark.parametrize(
    ("parameters", "answers"),
    [
        ({}, ["Aisle 3."]),
        ({"period": "all"}, ["Aisle 3.", "We have Assam."]),
        ({"period": "all", "limit": "1"}, ["Aisle 3."]),
        ({"label": "REVIEW"}, ["Hm."]),
        ({"label": "review", "max_latency": "9000"}, ["At nine.", "Hm."]),
        ({"label": "BAD"}, []),
        ({"min_confidence": "0.86"}, []),
        ({"min_confidence": "0.85"}, ["Aisle 3."]),
        ({"max_latency": "999"}, []),
        ({"max_latency": "1000"}, ["Aisle 3."]),
        ({"store": "b", "period": "all"}, ["We have Assam."]),
    ],
)
def test_training_data_is_what_was_asked_for(filled: Filled, parameters: dict[str, str], answers: list[str]) -> None:
    answer = filled.service.http.get("/export/training-data", params=parameters)
    assert answer.status_code == 200
    assert sorted(json.loads(line)["messages"][1]["content"] for line in answer.text.splitlines()) == sorted(answers)


# The service itself


def test_health_names_the_worker(shared: Service) -> None:
    health = shared.get("/health")
    assert (health["status"], health["worker"]) == ("healthy", "analytics")


def test_a_database_that_cannot_be_used_is_unhealthy(start_service: Callable[..., Service]) -> None:
    service = start_service()
    assert service.http.get("/health").status_code == 200
    with service.opened() as connection:
        connection.execute("ALTER TABLE migration_metadata RENAME TO elsewhere")
    answer = service.http.get("/health")
    assert (answer.status_code, answer.json()["status"], answer.json()["worker"]) == (503, "unhealthy", "analytics")
    with service.opened() as connection:
        connection.execute("ALTER TABLE elsewhere RENAME TO migration_metadata")
    assert until(lambda: service.http.get("/health").status_code == 200)


def test_the_openapi_document_names_the_endpoints(shared: Service) -> None:
    answer = shared.http.get("/openapi.json")
    assert answer.headers["content-type"] == "application/json"
    document = json.loads(answer.content)
    assert document["openapi"].startswith("3.")
    assert document["paths"].keys() >= {*READING, "/health"}
    for path in READING:
        names = {parameter["name"] for parameter in document["paths"][path]["get"]["parameters"]}
        assert names >= {"store", "period", "from", "to"}


class Addresses(HTMLParser):
    """Gathers what a page loads, and its scripts."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.scripts = ""
        self._in_script = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [value for name, value in attrs if name in ("src", "href", "action", "data") and value]
        self._in_script = tag == "script"

    def handle_endtag(self, tag: str) -> None:
        self._in_script = self._in_script and tag != "script"

    def handle_data(self, data: str) -> None:
        self.scripts += data if self._in_script else ""


@pytest.mark.parametrize("path", ["/docs", "/redoc"])
def test_the_documentation_loads_nothing_from_another_host(shared: Service, path: str) -> None:
    page = shared.http.get(path)
    assert page.status_code == 200
    assert page.headers["content-type"].startswith("text/html")
    addresses = Addresses()
    addresses.feed(page.text)
    assert addresses.found
    for address in addresses.found:
        assert address.startswith("/"), address
        assert not address.startswith("//"), address
        assert shared.http.get(address).status_code == 200
    assert "://" not in addresses.scripts
