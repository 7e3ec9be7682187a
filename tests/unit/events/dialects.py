"""The three tables of events as the contract draws them, a row a field, and events written in either dialect."""

import json
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

from aura_analytics.errors import Rejection
from aura_analytics.events.decode import Limits, decode_events, split_json
from aura_analytics.events.records import Event

Dialect = Literal["documented", "older"]
Kind = Literal["query", "outcome", "conversion"]

NOW = 1_760_000_000_000
NOON = 1_704_110_400_000
NOON_ISO = "2024-01-01T12:00:00.000Z"
LIMITS = Limits()
DIALECTS: tuple[Dialect, ...] = ("documented", "older")
KINDS: tuple[Kind, ...] = ("query", "outcome", "conversion")


class Row(NamedTuple):
    """One field: its names, a value on the wire, and what the record keeps of it. Any: what JSON can hold."""

    field: str
    documented: str
    older: str
    value: Any
    kept: Any


QUERY_ROWS = (
    Row("id", "query_id", "id", "q-1", "q-1"),
    Row("store_id", "store_id", "storeId", "shop", "shop"),
    Row("session_id", "session_id", "sessionId", "session", "session"),
    Row("user_id", "user_id", "userId", "shopper", "shopper"),
    Row("created_at", "timestamp", "createdAt", NOON_ISO, NOON),
    Row("query_text", "query_text", "queryText", "red apples", "red apples"),
    Row("query_source", "query_source", "querySource", "text", "text"),
    Row("transcription_conf", "transcription_confidence", "transcriptionConf", 0.75, 0.75),
    Row("audio_duration_ms", "audio_duration_ms", "audioDurationMs", 1500, 1500),
    Row("intent", "intent", "intent", "find_product", "find_product"),
    Row("fast_path", "fast_path", "fastPath", True, True),
    Row("correlation_id", "correlation_id", "correlationId", "c-1", "c-1"),
)
OUTCOME_ROWS = (
    Row("query_id", "query_id", "queryId", "q-1", "q-1"),
    Row("occurred_at", "timestamp", "createdAt", NOON, NOON),
    Row("answer_text", "answer_text", "answerText", "In aisle 3.", "In aisle 3."),
    Row("model_name", "model_name", "modelName", "gemini", "gemini"),
    Row("latency_ms", "latency_ms", "latencyMs", 812.5, 812.5),
    Row("tokens_prompt", "tokens_prompt", "tokensPrompt", 120, 120),
    Row("tokens_completion", "tokens_completion", "tokensCompletion", 30, 30),
    Row("tokens_total", "tokens_used", "tokensUsed", 150, 150),
    Row("cost_usd", "cost_usd", "costUsd", 0.0003, 0.0003),
    Row("action_taken", "action_taken", "actionTaken", "PRODUCT_LOOKUP", "PRODUCT_LOOKUP"),
    Row("action_success", "action_success", "actionSuccess", 1, True),
    Row("error_flag", "error_flag", "errorFlag", 0, False),
    Row("error_message", "error_message", "errorMessage", "none", "none"),
    Row("tool_calls", "tool_calls", "toolCalls", [{"name": "find"}], [{"name": "find"}]),
    Row("correlation_id", "correlation_id", "correlationId", "c-1", "c-1"),
)
CONVERSION_ROWS = (
    Row("id", "conversion_id", "id", "cv-1", "cv-1"),
    Row("query_id", "query_id", "queryId", "q-1", "q-1"),
    Row("session_id", "session_id", "sessionId", "session", "session"),
    Row("store_id", "store_id", "storeId", "shop", "shop"),
    Row("occurred_at", "timestamp", "createdAt", NOON_ISO, NOON),
    Row("value", "value", "value", 49.9, 49.9),
    Row("currency", "currency", "currency", "eur", "EUR"),
    Row("order_id", "order_id", "orderId", "o-1", "o-1"),
    Row("correlation_id", "correlation_id", "correlationId", "c-1", "c-1"),
)
ROWS: dict[Kind, tuple[Row, ...]] = {"query": QUERY_ROWS, "outcome": OUTCOME_ROWS, "conversion": CONVERSION_ROWS}
REQUIRED: dict[Kind, dict[str, Any]] = {
    "query": {"store_id": "shop", "query_text": "red apples"},
    "outcome": {"query_id": "q-1"},
    "conversion": {"query_id": "q-1"},  # or a session_id, which a type can't say
}
TAGS: dict[Dialect, tuple[str, dict[Kind, str]]] = {
    "documented": (
        "event_type",
        {"query": "voice_query", "outcome": "voice_outcome", "conversion": "voice_conversion"},
    ),
    "older": ("type", {"query": "query", "outcome": "outcome", "conversion": "conversion"}),
}


def wire_name(kind: Kind, dialect: Dialect, field: str) -> str:
    """The name of a record's field in a dialect."""
    row = next(row for row in ROWS[kind] if row.field == field)
    return row.documented if dialect == "documented" else row.older


def spelled(kind: Kind, dialect: Dialect, fields: Mapping[str, Any]) -> dict[str, Any]:
    """An event in a dialect, of values by the names of the record's fields; nothing is added but its type."""
    tag, values = TAGS[dialect]
    return {tag: values[kind], **{wire_name(kind, dialect, field): value for field, value in fields.items()}}


def event(kind: Kind, dialect: Dialect = "documented", /, **fields: Any) -> dict[str, Any]:
    """An event that holds what is required, and `fields`."""
    return spelled(kind, dialect, {**REQUIRED[kind], **fields})


def text_of(event: object) -> bytes:
    """An event as the body of a request; bytes are a body already."""
    return event if isinstance(event, bytes) else json.dumps(event).encode()


def outcome_of(event: object, *, limits: Limits = LIMITS, correlation_id: str | None = None) -> Event | Rejection:
    """What becomes of one event: a record, or why it is none."""
    raws = split_json(text_of(event))
    decoded = decode_events(raws, limits=limits, clock=lambda: NOW, correlation_id=correlation_id)
    assert len(decoded.events) + len(decoded.rejected) == 1
    return decoded.events[0] if decoded.events else decoded.rejected[0]


def record_of(event: object, *, limits: Limits = LIMITS, correlation_id: str | None = None) -> Any:
    """The record of an event that is right. Any: a test asks for the fields of its kind."""
    found = outcome_of(event, limits=limits, correlation_id=correlation_id)
    assert not isinstance(found, Rejection), found
    return found


def rejection_of(event: object, *, limits: Limits = LIMITS) -> Rejection:
    """Why an event that is wrong isn't taken."""
    found = outcome_of(event, limits=limits)
    assert isinstance(found, Rejection), found
    return found
