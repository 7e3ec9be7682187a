"""How the OpenAPI document has `POST /ingest`: the body by the types that decode it. Any, throughout: OpenAPI's objects."""

from typing import Any

import msgspec

from aura_analytics.api.refusals import refusals
from aura_analytics.api.schemas import Schema, schema_of
from aura_analytics.errors import EventsRejected, UnsupportedMedia
from aura_analytics.events.wire import DOCUMENTED, OLDER, ConversionFields, EventShape, OutcomeFields

WORDS = """\
One event, an array of events, or one event a line; each with or without `Content-Encoding: gzip`. Without a Content-Type
it is read as JSON. Fields that aren't named here are kept with the record, up to 8 KiB an event.

A 2xx means that what was accepted survives a power cut. The same event again is a duplicate and changes nothing. One
bad event doesn't harm the others. An event takes at most 1 MiB, a body 16 MiB and 10,000 events, if nothing else is set.
"""
_QUERY = {
    "event_type": "voice_query",
    "query_id": "q-1",
    "store_id": "my-shop",
    "timestamp": "2026-01-02T10:00:00Z",
    "query_text": "do you have red shoes",
    "transcription_confidence": 0.93,
    "intent": "product_search",
}
_OUTCOME = {
    "event_type": "voice_outcome",
    "query_id": "q-1",
    "answer_text": "Yes, in four sizes.",
    "latency_ms": 1240,
    "action_taken": "PRODUCT_LOOKUP",
    "action_success": 1,
}
# What types can't say of a text: a moment lies in the years 1970 to 9999, and the tools may come as JSON in a text.
_MOMENT = {"type": "string", "format": "date-time", "pattern": "^(19[7-9][0-9]|[2-9][0-9]{3})-"}
_TOOLS = {"type": "string", "format": "json-array"}
_WHOLE = {"200": "All are stored, durably, or were there already."}
_PART = {"207": "Some can't be taken; `rejected` says which and why. The others are stored."}


def operation(receipt: Any) -> dict[str, Any]:
    """Describe the endpoint; `receipt` is the type of its answer."""
    event = {"anyOf": [_shape(tag, kind) for tag, kind in (*DOCUMENTED.items(), *OLDER.items())]}
    events = {"type": "array", "items": event}
    answer = {"application/json": {"schema": schema_of(receipt)}}
    return {
        "summary": "Take events; answered once they are durable",
        "description": WORDS,
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {"schema": {"anyOf": [event, events]}, "example": [_QUERY, _OUTCOME]},
                "application/x-ndjson": {"schema": events | {"minItems": 1}, "example": [_QUERY, _OUTCOME]},
            },
        },
        "responses": {status: {"description": words, "content": answer} for status, words in (_WHOLE | _PART).items()}
        | refusals(EventsRejected, UnsupportedMedia),
    }


def _shape(tag: str, kind: EventShape) -> Schema:
    """Describe an event, and what its type can't say of it: what else is taken, and what has to be there."""
    names = {field.name: field.encode_name for field in msgspec.structs.fields(kind)}
    schema = schema_of(kind)
    properties = schema["properties"]
    _say_of_texts(properties[names["created_at"]], _MOMENT)
    # It means the same in either spelling.
    properties |= dict.fromkeys(("correlation_id", "correlationId"), properties[names["correlation_id"]])
    if issubclass(kind, OutcomeFields):
        _say_of_texts(properties[names["tool_calls"]], _TOOLS)
    shape = {key: value for key, value in schema.items() if key != "additionalProperties"} | {"title": tag}
    if issubclass(kind, ConversionFields):
        named = (names["query_id"], names["session_id"])
        shape["anyOf"] = [
            {"required": [name], "properties": {name: {"type": "string", "minLength": 1}}} for name in named
        ]
    return shape


def _say_of_texts(schema: Schema, said: Schema) -> None:
    """Say more of a value where it is a text."""
    schema["anyOf"] = [said if one.get("type") == "string" else one for one in schema["anyOf"]]
