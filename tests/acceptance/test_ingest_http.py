"""What section 2 of the contract promises to a sender, held over the wire."""

import gzip
import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from acceptance.conftest import MakeDatabase, StartService
from acceptance.database import BACKENDS
from acceptance.service import Event, Service, ndjson, outcome, query, until

# What is only read and refused is the same whatever the rows lie in.
pytestmark = pytest.mark.backends("sqlite")
over_both = pytest.mark.backends(*BACKENDS)

JSON = "application/json"
LINES = "application/x-ndjson"
PROBLEM = "application/problem+json"

LIMITS = {
    "INGEST_MAX_EVENT_BYTES": "1024",
    "INGEST_MAX_BATCH_BYTES": "4096",
    "INGEST_MAX_EVENTS": "5",
    "INGEST_MAX_EXTRA_BYTES": "100",
}


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory, make_database: MakeDatabase) -> Iterator[Service]:
    """A service that takes little: 1 KiB an event, 4 KiB a body, 5 events, 100 bytes of the caller's own."""
    folder = tmp_path_factory.mktemp("strict")
    with Service(folder, make_database(folder), **LIMITS) as service:
        yield service


def post(service: Service, body: bytes, content_type: str | None = JSON, **headers: str) -> httpx.Response:
    """Send a body; underscores in header names are hyphens. `content_type` None sends none."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    if content_type is not None:
        named["content-type"] = content_type
    return service.http.post("/ingest", content=body, headers=named)


def problem(answer: httpx.Response, status: int) -> dict[str, Any]:
    """The members of a problem document, which every error is."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == PROBLEM
    found: dict[str, Any] = answer.json()
    assert found["status"] == status
    assert found["title"]
    assert found["type"]
    return found


def total(service: Service, store: str) -> int:
    """How many queries the statistics know of a store."""
    count: int = service.get("/stats/summary", store=store, period="all")["totalQueries"]
    return count


# What is taken


def test_one_event_is_answered_with_what_the_contract_names(shared: Service, name: str) -> None:
    answer = post(shared, json.dumps(query(name)).encode())
    assert answer.status_code == 200
    assert answer.headers["content-type"] == JSON
    receipt = answer.json()
    named = {key: receipt[key] for key in ("status", "accepted", "duplicates", "rejected", "query_ids")}
    assert named == {"status": "ok", "accepted": 1, "duplicates": 0, "rejected": [], "query_ids": [name]}


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
@pytest.mark.parametrize(
    "content_type",
    [JSON, "application/json; charset=utf-8", "Application/JSON", LINES, "application/x-ndjson;charset=UTF-8"],
)
def test_each_form_of_a_body_is_taken(shared: Service, name: str, content_type: str, packed: bool) -> None:
    events = [query(f"{name}-1", store_id=name), query(f"{name}-2", store_id=name), outcome(f"{name}-1")]
    body = ndjson(events) if "ndjson" in content_type else json.dumps(events).encode()
    headers = {"content_encoding": "gzip"} if packed else {}
    answer = post(shared, gzip.compress(body) if packed else body, content_type, **headers)
    assert answer.status_code == 200, answer.text
    assert (answer.json()["accepted"], answer.json()["duplicates"]) == (3, 0)
    assert answer.json()["query_ids"] == [f"{name}-1", f"{name}-2", f"{name}-1"]
    assert total(shared, name) == 2


def test_a_missing_content_type_is_read_as_json(shared: Service, name: str) -> None:
    assert post(shared, json.dumps([query(name)]).encode(), None).json()["accepted"] == 1


def test_blank_lines_windows_line_ends_and_a_byte_order_mark_are_passed_over(shared: Service, name: str) -> None:
    lines = [json.dumps(query(f"{name}-{n}")).encode() for n in range(2)]
    body = b"\xef\xbb\xbf" + lines[0] + b"\r\n\r\n  \r\n" + lines[1]
    assert post(shared, body, LINES).json()["accepted"] == 2


def test_gzip_of_several_members_is_one_body(shared: Service, name: str) -> None:
    body = b"".join(gzip.compress(ndjson([query(f"{name}-{n}")])) for n in range(3))
    assert post(shared, body, LINES, content_encoding="gzip").json()["accepted"] == 3


def test_a_body_may_come_in_pieces_of_unknown_length(shared: Service, name: str) -> None:
    def pieces() -> Iterator[bytes]:
        for byte in json.dumps(query(name)).encode():
            yield bytes([byte])

    answer = shared.http.post("/ingest", content=pieces(), headers={"content-type": JSON})
    assert answer.json()["accepted"] == 1


@over_both
def test_an_absent_id_is_minted_and_returned(shared: Service, name: str) -> None:
    first, second = shared.ingest(query(store_id=name), query(store_id=name))["query_ids"]
    assert first != second
    assert all(len(id) == 26 and set(id) <= set("0123456789ABCDEFGHJKMNPQRSTVWXYZ") for id in (first, second))
    assert {row[0] for row in shared.rows("SELECT id FROM voice_queries WHERE store_id = ?", name)} == {first, second}


# Two dialects, one record

QUERY_RECORD = {
    "store_id": "shop-1",
    "session_id": "session-1",
    "user_id": "user-1",
    "created_at": 1_760_000_000_123,
    "query_text": "wo ist das Müsli? 🥣",
    "query_source": "text",
    "transcription_conf": 0.875,
    "audio_duration_ms": 1_234,
    "intent": "find_product",
    "fast_path": 1,
}
DOCUMENTED_QUERY: Event = {
    "event_type": "voice_query",
    "store_id": "shop-1",
    "session_id": "session-1",
    "user_id": "user-1",
    "timestamp": "2025-10-09T10:53:20.123+02:00",
    "query_text": "wo ist das Müsli? 🥣",
    "query_source": "text",
    "transcription_confidence": 0.875,
    "audio_duration_ms": 1_234,
    "intent": "find_product",
    "fast_path": True,
}
OLDER_QUERY: Event = {
    "type": "query",
    "storeId": "shop-1",
    "sessionId": "session-1",
    "userId": "user-1",
    "createdAt": 1_760_000_000_123,
    "queryText": "wo ist das Müsli? 🥣",
    "querySource": "text",
    "transcriptionConf": 0.875,
    "audioDurationMs": 1_234,
    "intent": "find_product",
    "fastPath": True,
}

OUTCOME_RECORD = {
    "answer_text": "In Gang 3.",
    "model_name": "some-model",
    "latency_ms": 812.5,
    "tokens_prompt": 100,
    "tokens_completion": 20,
    "cost_usd": 0.00123,
    "action_taken": "PRODUCT_LOOKUP",
    "action_success": 0,
    "error_flag": 1,
    "error_message": "shelf not found",
}
DOCUMENTED_OUTCOME: Event = {
    "event_type": "voice_outcome",
    **OUTCOME_RECORD,
    "action_success": False,
    "error_flag": True,
    "tools_used": ["search", "map"],
}
OLDER_OUTCOME: Event = {
    "type": "outcome",
    "answerText": "In Gang 3.",
    "modelName": "some-model",
    "latencyMs": 812.5,
    "tokensPrompt": 100,
    "tokensCompletion": 20,
    "costUsd": 0.00123,
    "actionTaken": "PRODUCT_LOOKUP",
    "actionSuccess": 0,
    "errorFlag": 1,
    "errorMessage": "shelf not found",
    "toolCalls": '["search", "map"]',
}


@over_both
def test_both_dialects_of_a_batch_become_the_same_record(shared: Service, name: str) -> None:
    shared.ingest(
        DOCUMENTED_QUERY | {"query_id": f"{name}-documented"},
        OLDER_OUTCOME | {"queryId": f"{name}-older"},
        OLDER_QUERY | {"id": f"{name}-older"},
        DOCUMENTED_OUTCOME | {"query_id": f"{name}-documented"},
    )
    for dialect in ("documented", "older"):
        query_row = shared.row("voice_queries", f"{name}-{dialect}")
        assert {key: query_row[key] for key in QUERY_RECORD} == QUERY_RECORD
        outcome_row = shared.row("voice_outcomes", f"{name}-{dialect}")
        assert {key: outcome_row[key] for key in OUTCOME_RECORD} == OUTCOME_RECORD
        assert json.loads(outcome_row["tool_calls"]) == ["search", "map"]


CONVERSION_RECORD = {
    "session_id": "session-1",
    "store_id": "shop-1",
    "occurred_at": 1_760_000_000_123,
    "value": 49.9,
    "currency": "EUR",
    "order_id": "order-1",
}
DOCUMENTED_CONVERSION: Event = {
    "event_type": "voice_conversion",
    "session_id": "session-1",
    "store_id": "shop-1",
    "timestamp": "2025-10-09T10:53:20.123+02:00",
    "value": 49.9,
    "currency": "eur",
    "order_id": "order-1",
}
OLDER_CONVERSION: Event = {
    "type": "conversion",
    "sessionId": "session-1",
    "storeId": "shop-1",
    "createdAt": 1_760_000_000_123,
    "value": 49.9,
    "currency": "EUR",
    "orderId": "order-1",
}


@over_both
@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
def test_a_conversion_in_either_dialect_is_one_record_and_counts_once(
    start_service: StartService, name: str, packed: bool
) -> None:
    service = start_service()
    own = {"channel": "kiosk"}
    events = [
        query(name),
        DOCUMENTED_CONVERSION | {"query_id": name} | own,
        OLDER_CONVERSION | {"queryId": name, "value": 1},  # the same order
        OLDER_CONVERSION | {"id": f"{name}-own"},
    ]
    body = ndjson(events)
    headers = {"content_encoding": "gzip"} if packed else {}
    receipt = post(service, gzip.compress(body) if packed else body, LINES, **headers).json()
    assert (receipt["accepted"], receipt["duplicates"], receipt["rejected"]) == (3, 1, [])
    assert receipt["query_ids"] == [name, name, name, None]

    service.kill()
    service.start()
    assert service.ingest(*events)["duplicates"] == 4
    columns = ", ".join(CONVERSION_RECORD)
    rows = service.rows(f"SELECT id, query_id, extra, {columns} FROM voice_conversions ORDER BY query_id IS NULL")
    assert [row[3:] for row in rows] == [tuple(CONVERSION_RECORD.values())] * 2
    assert [row[1] for row in rows] == [name, None]
    assert (json.loads(rows[0][2]), rows[1][2]) == (own, None)
    assert rows[0][0].startswith("cv-")
    assert rows[1][0] == f"{name}-own"
    assert service.get("/stats/summary", period="all")["totalQueries"] == 1
    assert service.complaints() == []


@pytest.mark.parametrize("base", [DOCUMENTED_QUERY, OLDER_QUERY], ids=["documented", "older"])
@pytest.mark.parametrize(
    "moment",
    [
        1_760_000_000_123,
        "2025-10-09T08:53:20.123Z",
        "2025-10-09T10:53:20.123+02:00",
        "2025-10-09T08:53:20.123456+00:00",
    ],
)
def test_a_moment_has_either_form_in_either_dialect(shared: Service, name: str, base: Event, moment: str | int) -> None:
    shared.ingest(base | {"query_id" if "event_type" in base else "id": name, _moment_name(base): moment})
    assert shared.row("voice_queries", name)["created_at"] == 1_760_000_000_123


def _moment_name(event: Event) -> str:
    return "timestamp" if "event_type" in event else "createdAt"


@over_both
def test_the_smallest_query_has_the_defaults(shared: Service, name: str) -> None:
    shared.ingest(query(name))
    row = shared.row("voice_queries", name)
    assert (row["query_source"], row["fast_path"]) == ("voice", 0)
    absent = ("session_id", "user_id", "transcription_conf", "audio_duration_ms", "intent", "extra")
    assert [row[column] for column in absent] == [None] * len(absent)
    assert row["created_at"] > 1_760_000_000_000


@over_both
def test_null_is_absence(shared: Service, name: str) -> None:
    nulls = {key: None for key in DOCUMENTED_QUERY if key not in ("event_type", "store_id", "query_text")}
    nothing = {key: None for key in [*OLDER_OUTCOME, "aFieldOfMyOwn"] if key != "type"}
    [minted, _] = shared.ingest(
        DOCUMENTED_QUERY | nulls | {"query_id": None, "mine": None}, OLDER_OUTCOME | nothing | {"queryId": name}
    )["query_ids"]
    query_row, outcome_row = shared.row("voice_queries", minted), shared.row("voice_outcomes", name)
    assert (query_row["query_source"], query_row["fast_path"], query_row["intent"]) == ("voice", 0, None)
    assert query_row["extra"] is None
    assert [outcome_row[column] for column in OUTCOME_RECORD] == [None] * len(OUTCOME_RECORD)
    assert (outcome_row["tool_calls"], outcome_row["extra"]) == (None, None)


@over_both
@pytest.mark.parametrize(
    ("fields", "column", "cell"),
    [
        ({"tokens_used": 321}, "tokens_total", 321),
        ({"action_taken": True}, "action_taken", "true"),
        ({"action_taken": False}, "action_taken", "false"),
        ({"action_success": True}, "action_success", 1),
        ({"action_success": 0}, "action_success", 0),
        ({"error_flag": 1}, "error_flag", 1),
        ({"latency_ms": 0}, "latency_ms", 0),
        ({"latency_ms": 8_000.25}, "latency_ms", 8_000.25),
        ({"tokens_prompt": 5.0}, "tokens_prompt", 5),
        ({"tool_calls": [{"name": "search", "arguments": {"q": "tea"}}]}, "tool_calls", '[{"name":"search","arguments":{"q":"tea"}}]'),
        ({"tool_calls": '["search"]'}, "tool_calls", '["search"]'),
        ({"tools_used": []}, "tool_calls", "[]"),
    ],
)  # fmt: skip
def test_an_outcome_s_other_spellings(shared: Service, name: str, fields: Event, column: str, cell: object) -> None:
    shared.ingest(outcome(name, **fields))
    assert shared.row("voice_outcomes", name)[column] == cell


@over_both
def test_a_field_that_is_not_in_the_tables_is_kept_as_json(shared: Service, name: str) -> None:
    own = {"locale": "de-CH", "device": {"model": "kiosk", "mics": [1, 2.5, None, True]}, "n": 12_345_678_901_234_567}
    shared.ingest(query(name, **own), outcome(name, **own))
    for table in ("voice_queries", "voice_outcomes"):
        assert json.loads(shared.row(table, name)["extra"]) == own


@over_both
def test_ids_of_1_and_of_128_characters_are_taken(shared: Service, name: str) -> None:
    longest = (name + "🥣" * 128)[:128]
    assert shared.ingest(query(longest))["query_ids"] == [longest]
    assert shared.row("voice_queries", longest)["store_id"] == "shop"
    assert shared.ingest(query("…"))["accepted"] == 1


# What the caller can count on


@over_both
def test_the_first_event_of_an_id_wins(shared: Service, name: str) -> None:
    assert shared.ingest(query(name, query_text="first"), outcome(name, latency_ms=1))["accepted"] == 2
    again = shared.ingest(query(name, query_text="second"), outcome(name, latency_ms=2), query(name))
    assert (again["accepted"], again["duplicates"], again["query_ids"]) == (0, 3, [name] * 3)
    assert shared.row("voice_queries", name)["query_text"] == "first"
    assert shared.row("voice_outcomes", name)["latency_ms"] == 1


@over_both
def test_the_same_event_twice_in_a_batch_counts_once(shared: Service, name: str) -> None:
    receipt = shared.ingest(query(name, query_text="first"), query(name, query_text="second"))
    assert (receipt["accepted"], receipt["duplicates"]) == (1, 1)
    assert shared.row("voice_queries", name)["query_text"] == "first"


@over_both
def test_an_outcome_before_its_query_meets_it(shared: Service, name: str) -> None:
    shared.ingest(outcome(name, latency_ms=250, cost_usd=0.5))
    assert total(shared, name) == 0
    shared.ingest(query(name, store_id=name))
    summary = shared.get("/stats/summary", store=name)
    assert (summary["totalQueries"], summary["successfulQueries"], summary["averageLatencyMs"]) == (1, 1, 250)
    assert summary["totalCostUsd"] == 0.5


@over_both
def test_one_bad_event_does_not_harm_the_others(shared: Service, name: str) -> None:
    events: list[object] = [
        query(f"{name}-0"),
        {**query(f"{name}-1"), "transcription_confidence": 1.5},
        7,
        query(f"{name}-3"),
    ]
    answer = post(shared, json.dumps(events).encode())
    assert answer.status_code == 207
    receipt = answer.json()
    assert (receipt["accepted"], receipt["duplicates"]) == (2, 0)
    assert receipt["query_ids"] == [f"{name}-0", f"{name}-3"]
    assert [entry["index"] for entry in receipt["rejected"]] == [1, 2]
    assert all({"index", "code", "field", "message"} <= entry.keys() for entry in receipt["rejected"])
    assert receipt["rejected"][0]["field"] == "transcription_confidence"
    assert all(entry["code"] and entry["message"] for entry in receipt["rejected"])
    assert shared.rows("SELECT count(*) FROM voice_queries WHERE id LIKE ?", f"{name}%") == [(2,)]


def test_a_bad_line_does_not_harm_the_others(shared: Service, name: str) -> None:
    lines = [json.dumps(query(f"{name}-0")), "", '{"event_type": "voice_', json.dumps(query(f"{name}-3"))]
    answer = post(shared, "\n".join(lines).encode(), LINES)
    assert answer.status_code == 207
    assert answer.json()["accepted"] == 2
    assert [entry["index"] for entry in answer.json()["rejected"]] == [1]  # the second event; a blank line is none


def test_a_batch_of_bad_events_is_a_400_that_names_each(shared: Service) -> None:
    found = problem(post(shared, json.dumps([{}, query("x", store_id=7)]).encode()), 400)
    assert [(entry["index"], entry["field"]) for entry in found["rejected"]] == [(0, "event_type"), (1, "store_id")]


DOCUMENTED_Q = {"event_type": "voice_query", "store_id": "s", "query_text": "tea"}
OLDER_Q = {"type": "query", "storeId": "s", "queryText": "tea"}
DOCUMENTED_O = {"event_type": "voice_outcome", "query_id": "q"}
OLDER_O = {"type": "outcome", "queryId": "q"}
DOCUMENTED_C = {"event_type": "voice_conversion", "query_id": "q"}
OLDER_C = {"type": "conversion", "sessionId": "s"}

WRONG: list[tuple[Event, str]] = [
    ({"store_id": "s", "query_text": "tea"}, "event_type"),
    ({"event_type": "voice_thing"}, "event_type"),
    ({"event_type": 5}, "event_type"),
    ({"type": "thing"}, "type"),
    ({"event_type": "voice_query", "query_text": "tea"}, "store_id"),
    ({"type": "query", "queryText": "tea"}, "storeId"),
    ({"event_type": "voice_query", "store_id": "s"}, "query_text"),
    ({"type": "query", "storeId": "s", "queryText": None}, "queryText"),
    ({"event_type": "voice_outcome"}, "query_id"),
    ({"type": "outcome"}, "queryId"),
    (DOCUMENTED_Q | {"query_id": ""}, "query_id"),
    (DOCUMENTED_Q | {"query_id": "x" * 129}, "query_id"),
    (OLDER_Q | {"id": 7}, "id"),
    (OLDER_O | {"queryId": "x" * 129}, "queryId"),
    (DOCUMENTED_Q | {"store_id": ["s"]}, "store_id"),
    (DOCUMENTED_Q | {"session_id": 5}, "session_id"),
    (DOCUMENTED_Q | {"timestamp": "yesterday"}, "timestamp"),
    (DOCUMENTED_Q | {"timestamp": "2025-10-09T10:53:20"}, "timestamp"),
    (DOCUMENTED_Q | {"timestamp": -1}, "timestamp"),
    (OLDER_Q | {"createdAt": 1.5}, "createdAt"),
    (OLDER_Q | {"createdAt": "1969-12-31T23:59:59Z"}, "createdAt"),
    (DOCUMENTED_O | {"timestamp": True}, "timestamp"),
    (DOCUMENTED_Q | {"query_source": "radio"}, "query_source"),
    (DOCUMENTED_Q | {"transcription_confidence": 1.01}, "transcription_confidence"),
    (OLDER_Q | {"transcriptionConf": -0.01}, "transcriptionConf"),
    (DOCUMENTED_Q | {"transcription_confidence": "high"}, "transcription_confidence"),
    (DOCUMENTED_Q | {"audio_duration_ms": -1}, "audio_duration_ms"),
    (OLDER_Q | {"audioDurationMs": 1.5}, "audioDurationMs"),
    (DOCUMENTED_Q | {"fast_path": "yes"}, "fast_path"),
    (DOCUMENTED_Q | {"intent": {"name": "x"}}, "intent"),
    (DOCUMENTED_O | {"latency_ms": -1}, "latency_ms"),
    (OLDER_O | {"latencyMs": "fast"}, "latencyMs"),
    (DOCUMENTED_O | {"tokens_used": -5}, "tokens_used"),
    (OLDER_O | {"tokensPrompt": 2**63}, "tokensPrompt"),
    (DOCUMENTED_O | {"cost_usd": -0.01}, "cost_usd"),
    (DOCUMENTED_O | {"action_taken": 5}, "action_taken"),
    (DOCUMENTED_O | {"action_success": 2}, "action_success"),
    (OLDER_O | {"errorFlag": "no"}, "errorFlag"),
    (DOCUMENTED_O | {"tools_used": "search"}, "tools_used"),
    (DOCUMENTED_O | {"tool_calls": "{broken"}, "tool_calls"),
    (OLDER_O | {"toolCalls": '{"a": 1}'}, "toolCalls"),
    ({"event_type": "voice_conversion"}, "query_id"),
    ({"type": "conversion", "storeId": "s", "queryId": None}, "queryId"),
    (DOCUMENTED_C | {"value": -0.01}, "value"),
    (DOCUMENTED_C | {"currency": "€"}, "currency"),
    (OLDER_C | {"orderId": 1001}, "orderId"),
    (OLDER_C | {"createdAt": "yesterday"}, "createdAt"),
]  # fmt: skip


def test_a_wrong_field_is_named_as_the_sender_wrote_it(shared: Service) -> None:
    misnamed = []
    for event, field in WRONG:
        [entry] = problem(post(shared, json.dumps(event).encode()), 400)["rejected"]
        assert entry["index"] == 0
        if entry["field"] != field:
            misnamed.append((event, entry["field"]))
    assert misnamed == []


def test_half_a_character_in_a_text_of_tool_calls_harms_no_batch(shared: Service, name: str) -> None:
    """The older dialect's tool calls are JSON in a string, so what JavaScript cuts can hide a level deeper."""
    cut = {"type": "outcome", "queryId": f"{name}-1", "toolCalls": '["tea \\ud83d"]'}
    receipt = shared.ingest(query(f"{name}-1"), cut, query(f"{name}-2"))
    assert receipt["accepted"] == 3
    assert json.loads(shared.row("voice_outcomes", f"{name}-1")["tool_calls"]) == ["tea \ufffd"]


# What is refused


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH"])
def test_another_method_is_a_405_that_names_post(shared: Service, method: str) -> None:
    answer = shared.http.request(method, "/ingest")
    problem(answer, 405)
    assert "POST" in answer.headers["allow"]


@pytest.mark.parametrize("path", ["/nope", "/ingest/more", "/stats", "/stats/nope", "/%00"])
def test_another_path_is_a_404(shared: Service, path: str) -> None:
    problem(shared.http.get(path), 404)
    problem(shared.http.post(path, json={}), 404)


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "TRACE", "BREW"])
@pytest.mark.parametrize("path", ["/ingest", "/health", "/stats/summary", "/export/training-data", "/docs"])
def test_no_method_gets_a_500(shared: Service, method: str, path: str) -> None:
    assert shared.http.request(method, path).status_code < 500


@pytest.mark.parametrize(
    ("content_type", "headers"),
    [
        ("text/plain", {}),
        ("application/xml", {}),
        ("application/x-www-form-urlencoded", {}),
        ("multipart/form-data; boundary=x", {}),
        ("application/json; charset=latin-1", {}),
        ("nonsense", {}),
        (JSON, {"content_encoding": "br"}),
        (JSON, {"content_encoding": "gzip, gzip"}),
        (LINES, {"content_encoding": "deflate"}),
    ],
)
def test_another_type_or_encoding_is_a_415(
    shared: Service, name: str, content_type: str, headers: dict[str, str]
) -> None:
    problem(post(shared, json.dumps(query(name)).encode(), content_type, **headers), 415)
    assert shared.rows("SELECT * FROM voice_queries WHERE id = ?", name) == []


def test_an_event_over_its_limit_is_a_413(strict: Service, name: str) -> None:
    fits = query(name, query_text="x" * 600)
    assert strict.ingest(fits)["accepted"] == 1
    found = problem(post(strict, json.dumps(query(f"{name}-2", query_text="x" * 1_100)).encode()), 413)
    assert "1024" in found["detail"]


def test_an_event_over_its_limit_does_not_harm_its_batch(strict: Service, name: str) -> None:
    events = [query(f"{name}-1", query_text="x" * 1_100), query(f"{name}-2")]
    answer = post(strict, json.dumps(events).encode())
    assert answer.status_code == 207
    assert (answer.json()["accepted"], [entry["index"] for entry in answer.json()["rejected"]]) == (1, [0])


@pytest.mark.parametrize("content_type", [JSON, LINES])
def test_more_events_than_allowed_are_a_413_and_nothing_is_stored(
    strict: Service, name: str, content_type: str
) -> None:
    events = [query(f"{name}-{n}", query_text="tea") for n in range(6)]
    body = ndjson(events) if content_type == LINES else json.dumps(events).encode()
    problem(post(strict, body, content_type), 413)
    assert strict.rows("SELECT * FROM voice_queries WHERE id LIKE ?", f"{name}%") == []
    assert strict.ingest(*events[:5])["accepted"] == 5


def test_a_body_over_its_limit_is_a_413_however_it_comes(strict: Service, name: str) -> None:
    events = [query(f"{name}-{n}", query_text="x" * 900) for n in range(5)]
    body = json.dumps(events).encode()
    assert len(body) > 4096
    problem(post(strict, body), 413)
    problem(strict.http.post("/ingest", content=iter([body[:2_000], body[2_000:]])), 413)
    problem(post(strict, gzip.compress(body), content_encoding="gzip"), 413)
    assert strict.rows("SELECT * FROM voice_queries WHERE id LIKE ?", f"{name}%") == []


def test_a_gzip_bomb_is_a_413(shared: Service) -> None:
    bomb = gzip.compress(b" " * (200 << 20), 1)
    problem(post(shared, bomb, content_encoding="gzip"), 413)
    doubly = gzip.compress(gzip.compress(b"0" * (64 << 20)))
    problem(post(shared, doubly, content_encoding="gzip"), 400)


def test_fields_of_one_s_own_have_a_limit(strict: Service, name: str) -> None:
    assert strict.ingest(query(name, mine="x" * 80))["accepted"] == 1
    [entry] = problem(post(strict, json.dumps(query(f"{name}-2", mine="x" * 100)).encode()), 400)["rejected"]
    assert entry["field"] == "mine"


@over_both
def test_the_defaults_of_the_limits_are_the_contract_s(shared: Service, name: str) -> None:
    just_fits = query(f"{name}-e", query_text="")
    just_fits["query_text"] = "x" * ((1 << 20) - len(json.dumps(just_fits)))
    assert post(shared, json.dumps(just_fits).encode()).status_code == 200
    just_fits["query_text"] += "x"
    problem(post(shared, json.dumps(just_fits).encode()), 413)
    own = "x" * (8_192 - len('{"mine":""}'))
    assert shared.ingest(query(f"{name}-x", mine=own))["accepted"] == 1
    problem(post(shared, json.dumps(query(f"{name}-y", mine=own + "x")).encode()), 400)
    many = [query(f"{name}-{n}", store_id=name, query_text="x") for n in range(10_001)]
    problem(post(shared, ndjson(many), LINES), 413)
    assert post(shared, ndjson(many[:-1]), LINES).json()["accepted"] == 10_000
    assert total(shared, name) == 10_000
    problem(post(shared, b" " * ((16 << 20) + 1)), 413)


# The correlation id


@over_both
def test_a_correlation_id_of_the_header_is_kept_logged_and_sent_back(shared: Service, name: str) -> None:
    answer = post(shared, json.dumps([query(f"{name}-1"), outcome(f"{name}-1")]).encode(), x_correlation_id=name)
    assert answer.headers["x-correlation-id"] == name
    assert answer.json()["correlation_id"] == name
    assert shared.row("voice_queries", f"{name}-1")["correlation_id"] == name
    assert shared.row("voice_outcomes", f"{name}-1")["correlation_id"] == name
    line = until(lambda: next((line for line in shared.log() if line.get("correlation_id") == name), None))
    assert (line["method"], line["path"], line["status"], line["accepted"]) == ("POST", "/ingest", 200, 2)


@pytest.mark.parametrize("spelling", ["correlation_id", "correlationId"])
@pytest.mark.parametrize("base", [DOCUMENTED_QUERY, OLDER_QUERY], ids=["documented", "older"])
def test_a_correlation_id_of_an_event_is_kept_logged_and_sent_back(
    shared: Service, name: str, base: Event, spelling: str
) -> None:
    event = base | {"query_id" if "event_type" in base else "id": name, spelling: f"{name}-own"}
    answer = post(shared, json.dumps(event).encode(), x_correlation_id=f"{name}-header")
    assert answer.headers["x-correlation-id"] == f"{name}-own"
    row = shared.row("voice_queries", name)
    assert (row["correlation_id"], row["extra"]) == (f"{name}-own", None)
    until(lambda: next((line for line in shared.log() if line.get("correlation_id") == f"{name}-own"), None))


def test_every_answer_has_a_correlation_id(shared: Service, name: str) -> None:
    minted = [shared.http.get(path).headers["x-correlation-id"] for path in ("/health", "/nope", "/stats/summary")]
    assert all(minted)
    assert len(set(minted)) == 3
    refused = post(shared, b"[", x_correlation_id=name)
    assert refused.headers["x-correlation-id"] == name
    bad = post(shared, json.dumps({"correlation_id": name}).encode(), x_correlation_id=name)
    assert problem(bad, 400)["correlation_id"] == name


@over_both
def test_the_log_holds_nothing_that_was_said(shared: Service, name: str) -> None:
    shared.ingest(query(f"{name}-1", query_text=f"said-{name}", user_id=f"user-{name}"))
    post(shared, json.dumps({"event_type": f"said-{name}"}).encode(), x_correlation_id=f"bad-{name}")
    until(lambda: next((line for line in shared.log() if line.get("correlation_id") == f"bad-{name}"), None))
    logged = json.dumps(shared.log())
    assert f"said-{name}" not in logged
    assert f"user-{name}" not in logged


# No input gets a 500

DEEP = b"[" * 100_000
EVENT = json.dumps(DOCUMENTED_Q).encode()
NASTY: dict[str, bytes] = {
    "nothing": b"",
    "blanks": b" \n\t ",
    "null": b"null",
    "true": b"true",
    "number": b"5",
    "big number": b"9" * 5_000,
    "huge exponent": b"1e99999",
    "text": b'"voice_query"',
    "nan": b"NaN",
    "empty object": b"{}",
    "empty array": b"[]",
    "arrays of nothing": b"[[], [[]], {}]",
    "null in an array": b"[null, 1, true]",
    "open array": b"[",
    "closed array": b"]",
    "open object": b'{"event_type":',
    "two documents": EVENT + EVENT,
    "trailing comma": b"[" + EVENT + b",]",
    "single quotes": EVENT.replace(b'"', b"'"),
    "comment": b"/* x */" + EVENT,
    "nested arrays": DEEP,
    "nested and closed": DEEP + b"]" * 100_000,
    "nested objects": b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    "nested extra": EVENT[:-1] + b', "mine": ' + DEEP[:2_000] + b"]" * 2_000 + b"}",
    "deep extra": EVENT[:-1] + b', "mine": ' + DEEP + b"]" * 100_000 + b"}",
    "deep tools": b'{"event_type":"voice_outcome","query_id":"n","tool_calls":' + DEEP + b"]" * 100_000 + b"}",
    "deep tools in a text": b'{"event_type":"voice_outcome","query_id":"n","tool_calls":"' + DEEP + b'"}',
    "big number in tools": b'{"event_type":"voice_outcome","query_id":"n","tool_calls":"[' + b"9" * 5_000 + b']"}',
    "nan in tools": b'{"event_type":"voice_outcome","query_id":"n2","tool_calls":"[NaN, Infinity, -1e999]"}',
    "half a character in tools": b'{"event_type":"voice_outcome","query_id":"n3","tool_calls":"[\\"\\\\ud83d\\"]"}',
    "half a character key": b'{"event_type":"voice_outcome","query_id":"n4","tool_calls":"[{\\"\\\\udc00\\": 1}]"}',
    "invalid utf-8": EVENT.replace(b"tea", b"\xff\xfe"),
    "overlong utf-8": EVENT.replace(b"tea", b"\xc0\xaf"),
    "surrogates as utf-8": EVENT.replace(b"tea", b"\xed\xa0\x80"),
    "latin-1": EVENT.replace(b"tea", "Tür".encode("latin-1")),
    "utf-16": EVENT.decode().encode("utf-16"),
    "utf-32": EVENT.decode().encode("utf-32"),
    "only a byte order mark": b"\xef\xbb\xbf",
    "half a character": EVENT.replace(b"tea", b"\\ud83d"),
    "other half": EVENT.replace(b"tea", b"\\udc00"),
    "halves in wrong order": EVENT.replace(b"tea", b"\\udc00\\ud83d"),
    "half a character in a name": EVENT[:-1] + b', "\\ud83d": 1}',
    "half a character as id": EVENT[:-1] + b', "query_id": "\\ud83d"}',
    "nul": EVENT.replace(b"tea", b"\\u0000"),
    "nul as id": EVENT[:-1] + b', "query_id": "\\u0000"}',
    "nul as store": EVENT.replace(b'"s"', b'"\\u0000"'),
    "raw nul": EVENT.replace(b"tea", b"\0"),
    "raw newline": EVENT.replace(b"tea", b"\n"),
    "unknown escape": EVENT.replace(b"tea", b"\\x41"),
    "binary": bytes(range(256)) * 10,
    "twice the same key": EVENT[:-1] + b', "store_id": 5, "store_id": "t"}',
    "both discriminators": EVENT[:-1] + b', "type": "outcome", "queryId": "x"}',
    "empty name": EVENT[:-1] + b', "": ""}',
    "type of objects": b'{"event_type": {"$ne": 1}}',
    "type of arrays": b'{"event_type": ["voice_query"]}',
    "negative zero": EVENT[:-1] + b', "timestamp": -0}',
    "moment as float": EVENT[:-1] + b', "timestamp": 1.0}',
    "moment beyond all": EVENT[:-1] + b', "timestamp": 1e300}',
    "moment of 20 digits": EVENT[:-1] + b', "timestamp": 99999999999999999999}',
    "year 0": EVENT[:-1] + b', "timestamp": "0000-01-01T00:00:00Z"}',
    "year 1 east": EVENT[:-1] + b', "timestamp": "0001-01-01T00:00:00+23:59"}',
    "year 9999 west": EVENT[:-1] + b', "timestamp": "9999-12-31T23:59:59.999999-23:59"}',
    "leap second": EVENT[:-1] + b', "timestamp": "2016-12-31T23:59:60Z"}',
    "digits of elsewhere": EVENT[:-1] + ', "timestamp": "٢٠٢٥-01-01T00:00:00Z"}'.encode(),
    "integer beyond sqlite": EVENT[:-1] + b', "audio_duration_ms": 9223372036854775808}',
    "huge integer as float": EVENT[:-1] + b', "audio_duration_ms": 1e18}',
    "infinite latency": b'{"event_type":"voice_outcome","query_id":"n5","latency_ms":1e999}',
    "largest double": b'{"event_type":"voice_outcome","query_id":"n6","latency_ms":1.7976931348623157e308}',
    "integer of 400 digits": b'{"event_type":"voice_outcome","query_id":"n7","latency_ms":1' + b"0" * 400 + b"}",
    "own integer of 5,000 digits": EVENT[:-1] + b', "mine": ' + b"9" * 5_000 + b"}",
    "sql": EVENT.replace(b"tea", b"'; DROP TABLE voice_queries; --"),
    "10,000 nulls": b"[" + b",".join([b"null"] * 10_000) + b"]",
    "html": b"<html><body>hello</body></html>",
    "http": b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    "form": b"event_type=voice_query&store_id=s",
    "gzip without saying so": gzip.compress(EVENT),
}  # fmt: skip

NASTY_GZIP: dict[str, bytes] = {
    "nothing": b"",
    "no gzip": EVENT,
    "only the magic": b"\x1f\x8b",
    "cut off": gzip.compress(EVENT * 100)[:-20],
    "cut off at the checksum": gzip.compress(EVENT)[:-4],
    "wrong checksum": gzip.compress(EVENT)[:-8] + b"\0" * 8,
    "rubbish behind": gzip.compress(EVENT) + b"rubbish",
    "zeros behind": gzip.compress(EVENT) + b"\0" * 100,
    "nothing packed": gzip.compress(b""),
}


@over_both
@pytest.mark.parametrize("content_type", [JSON, LINES])
def test_no_body_gets_a_500(shared: Service, content_type: str) -> None:
    before = len(shared.complaints())
    answers = {what: post(shared, body, content_type) for what, body in NASTY.items()}
    answers |= {
        f"gzip: {what}": post(shared, body, content_type, content_encoding="gzip") for what, body in NASTY_GZIP.items()
    }
    statuses = {what: answer.status_code for what, answer in answers.items()}
    assert {what: status for what, status in statuses.items() if status not in (200, 207, 400, 413)} == {}
    for answer in answers.values():
        assert answer.headers["content-type"] == (JSON if answer.status_code < 300 else PROBLEM)
        assert answer.json()
    assert shared.complaints()[before:] == []
    assert shared.http.get("/health").status_code == 200
    assert shared.get("/stats/summary", period="all")["totalQueries"] > 0


@over_both
def test_what_can_be_meant_is_taken_for_it(shared: Service, name: str) -> None:
    """JavaScript cuts strings inside of an emoji; the text is kept, the half of a character shown as browsers do."""
    body = json.dumps([query(f"{name}-1", query_text="TEA"), query(f"{name}-2", query_text="MILK")]).encode()
    assert post(shared, body.replace(b"TEA", b"tea \\ud83d").replace(b"MILK", b"milk\\u0000")).status_code == 200
    assert shared.row("voice_queries", f"{name}-1")["query_text"] == "tea \ufffd"
    assert shared.row("voice_queries", f"{name}-2")["query_text"] == "milk\ufffd"


@pytest.mark.parametrize(
    "headers",
    [
        {"x_correlation_id": "ü" * 10},
        {"x_correlation_id": "x" * 60_000},
        {"x_correlation_id": ""},
        {"x_correlation_id": "a\tb"},
        {"content_type": "x" * 10_000},
        {"content_encoding": "x" * 10_000},
        {"accept": "nothing/*"},
        {"host": "somewhere.else"},
    ],
    ids=lambda headers: next(iter(headers)),
)
def test_no_header_gets_a_500(shared: Service, name: str, headers: dict[str, str]) -> None:
    before = len(shared.complaints())
    named = {b"content-type": JSON.encode()}
    named |= {key.replace("_", "-").encode(): value.encode("latin-1") for key, value in headers.items()}
    answer = shared.http.post("/ingest", json=query(name), headers=named)
    assert answer.status_code in (200, 400, 401, 415, 431)  # 401: a foreign name in Host, and no keys yet
    assert shared.http.get("/health").status_code == 200
    assert shared.complaints()[before:] == []


def test_a_header_without_end_is_refused(shared: Service) -> None:
    with _raw(shared) as raw:
        raw.sendall(b"POST /ingest HTTP/1.1\r\nhost: x\r\nx-long: ")
        answer = b""
        try:
            for _ in range(200):
                raw.sendall(b"x" * 10_000)
            raw.sendall(b"\r\ncontent-length: 0\r\n\r\n")
            answer = raw.recv(100)
        except OSError:
            pass  # the service hung up, which is an answer too
    assert b" 500 " not in answer
    assert shared.http.get("/health").status_code == 200


def _raw(service: Service) -> socket.socket:
    url = httpx.URL(service.url)
    assert url.port is not None
    return socket.create_connection((url.host, url.port), timeout=10)


@over_both
@pytest.mark.parametrize(
    "framing", [b"content-length: 100000\r\n", b"transfer-encoding: chunked\r\n"], ids=["known length", "in pieces"]
)
def test_of_a_sender_that_goes_away_nothing_is_stored(shared: Service, name: str, framing: bytes) -> None:
    """What was there of the body is whole lines, which a careless service would take."""
    before = len(shared.complaints())
    lines = ndjson([query(f"{name}-{n}", store_id=name) for n in range(5)])
    piece = lines if framing.startswith(b"content-length") else b"%x\r\n%s\r\n" % (len(lines), lines)
    head = b"POST /ingest HTTP/1.1\r\nhost: x\r\nx-correlation-id: %s\r\n" % name.encode()
    with _raw(shared) as raw:
        raw.sendall(head + b"content-type: application/x-ndjson\r\n" + framing + b"\r\n" + piece)
    line = until(lambda: next((line for line in shared.log() if line.get("correlation_id") == name), None))
    assert line.get("accepted", 0) == 0
    assert total(shared, name) == 0
    assert shared.rows("SELECT * FROM voice_queries WHERE store_id = ?", name) == []
    assert shared.complaints()[before:] == []
    assert shared.ingest(query(f"{name}-0", store_id=name))["accepted"] == 1


def test_what_a_file_says_of_the_settings_is_heeded(start_service: Any, tmp_path: Path) -> None:
    """A limit in the guide's own file counts as one of the environment does."""
    folder = tmp_path / "own"
    folder.mkdir()
    (folder / ".dev.vars").write_text("INGEST_MAX_EVENTS=1\nINGEST_MAX_EVENT_BYTES=2048\n", "utf-8")
    (folder / ".env").write_text("INGEST_MAX_EVENTS=2\n", "utf-8")
    service = start_service()
    assert service.ingest(query("1"), query("2"))["accepted"] == 2
    problem(post(service, json.dumps([query("1"), query("2"), query("3")]).encode()), 413)
    problem(post(service, json.dumps(query("4", query_text="x" * 2_100)).encode()), 413)
