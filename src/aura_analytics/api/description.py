"""What the OpenAPI document says beyond what the reading application knows.

`/ingest` lies outside of that application, and errors are problem documents, not the framework's own.
"""

from typing import Any

from fastapi import FastAPI

# Any, throughout: OpenAPI's own objects.
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
_EVENT = {"type": "object", "description": "One event, documented or older; fields of your own are kept."}
_BODY: dict[str, Any] = {
    "required": True,
    "content": {
        "application/json": {
            "schema": {"oneOf": [_EVENT, {"type": "array", "items": _EVENT}]},
            "example": [_QUERY, _OUTCOME],
        },
        "application/x-ndjson": {"schema": {"type": "string", "description": "One event a line."}},
    },
}
_ANSWERS = {
    "200": "All are stored, durably, or were there already.",
    "207": "Some can't be taken; `rejected` says which and why. The others are stored.",
    "400": "None can be taken.",
    "401": "No key or none that is known here, or a signature that doesn't fit.",
    "403": "The key may not send events.",
    "408": "It came too slowly.",
    "409": "A signed request that has come already.",
    "413": "Over a limit.",
    "415": "Not JSON, or packed in another way than gzip.",
    "429": "Too many; come back after `Retry-After`.",
    "503": "Not now; come back after `Retry-After`.",
}
PROBLEM = {"content": {"application/problem+json": {"schema": {"type": "object"}}}}
_RECEIPT = {"content": {"application/json": {"schema": {"type": "object"}}}}


def _answered(status: str, words: str) -> dict[str, Any]:
    return (_RECEIPT if status.startswith("2") else PROBLEM) | {"description": words}


INGEST: dict[str, Any] = {
    "post": {
        "summary": "Take events; answered once they are durable",
        "operationId": "post_ingest",
        "requestBody": _BODY,
        "responses": {status: _answered(status, words) for status, words in _ANSWERS.items()},
    }
}


ERRORS = {
    "400": PROBLEM | {"description": "A parameter can't be read; the problem says what would do."},
    "401": PROBLEM | {"description": "No key, or none that is known here."},
    "403": PROBLEM | {"description": "The key may not do this, or doesn't see this store."},
    "429": PROBLEM | {"description": "Too many; come back after `Retry-After`."},
    "503": PROBLEM | {"description": "Not now; come back after `Retry-After`."},
}


LIVE: dict[str, Any] = {
    "get": {
        "summary": "That something has changed, as it happens",
        "description": "Server-sent events: `change` at first and with each change, with the feed's `position`.",
        "operationId": "get_live",
        "responses": {
            "200": {"description": "A stream.", "content": {"text/event-stream": {"schema": {"type": "string"}}}},
            **{status: words for status, words in ERRORS.items() if status != "400"},
        },
    }
}


def describe(app: FastAPI) -> None:
    """Complete an application's OpenAPI document: `/ingest` first, and the errors that are really sent."""
    described = app.openapi

    def openapi() -> dict[str, Any]:
        document = described()
        paths = {
            path: {method: _with_errors(one) for method, one in methods.items()}
            for path, methods in document["paths"].items()
        }
        return {name: part for name, part in document.items() if name != "components"} | {
            "paths": {"/ingest": INGEST, **paths, "/stats/live": LIVE}
        }

    app.openapi = openapi  # type: ignore[method-assign]  # the way that FastAPI gives for it


def _with_errors(operation: dict[str, Any]) -> dict[str, Any]:
    answers = {status: answer for status, answer in operation["responses"].items() if status != "422"}
    return operation | {"responses": answers | ERRORS}
