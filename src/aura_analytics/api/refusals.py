"""What an endpoint may answer instead of an answer, for the OpenAPI document: made of the tree of errors. Any: its objects."""

from collections.abc import Iterable
from typing import Any

from aura_analytics.api.problems import MEDIA_TYPE, Problem
from aura_analytics.api.schemas import Schema, schema_of
from aura_analytics.errors import (
    AlreadyReceived,
    AuraError,
    BodyTooLarge,
    EventsRejected,
    Forbidden,
    HeadersTooLarge,
    MalformedBody,
    MalformedRequest,
    ParameterError,
    ProjectionUnavailable,
    QueueFull,
    Rejection,
    RequestTooSlow,
    StatisticsOff,
    StoreUnavailable,
    TooManyConnections,
    TooManyRequests,
    Unauthorised,
    UrlTooLong,
)

# What FastAPI and OpenAPI have by status: they write it as a number or as a text.
Responses = dict[int | str, dict[str, Any]]

# Said of a connection, before it is known what is asked for.
EVERYWHERE = (MalformedRequest, RequestTooSlow, UrlTooLong, HeadersTooLarge, TooManyConnections)
# Said at the door, where a key is needed.
CLOSED = (Unauthorised, Forbidden, AlreadyReceived, BodyTooLarge, TooManyRequests)
# Said where rows or columns are asked.
DATA = (StoreUnavailable, ProjectionUnavailable, StatisticsOff, QueueFull)
ASKED = (ParameterError,)
SENT = (MalformedBody, BodyTooLarge)

_TEXT = {"schema": {"type": "string"}}
_SECONDS = {"schema": {"type": "integer", "minimum": 0}, "description": "After how many seconds to come back."}
# By status: the headers that an answer has, and whether it always does.
HEADERS: dict[str, Schema] = {
    "401": {"WWW-Authenticate": _TEXT | {"required": True, "description": "How to show who one is."}},
    "429": {"Retry-After": _SECONDS | {"required": True}},
    "503": {"Retry-After": _SECONDS},
}
# By code: what a problem says beside what all say.
MEMBERS: dict[str, Schema] = {
    EventsRejected.code: {
        "properties": {
            "rejected": {"type": "array", "items": schema_of(Rejection)},
            "accepted": {"type": "integer"},
            "duplicates": {"type": "integer"},
            "correlation_id": {"type": ["string", "null"]},
        }
    }
}


def refusals(*errors: type[AuraError], more: Iterable[tuple[int, str, str]] = ()) -> Responses:
    """Describe the answers of some errors, one for each status.

    Args:
        errors: of the tree.
        more: others, each its status, its code, and what it means.
    """
    told: dict[str, dict[str, str]] = {}
    for status, code, title in (*((one.status, one.code, one.title) for one in errors), *more):
        told.setdefault(str(status), {})[code] = title
    return {status: _answer(status, codes) for status, codes in sorted(told.items())}


def joined(*all_of: Responses) -> Responses:
    """Put together what several say of the same endpoint: of a status, all that it may mean."""
    found: Responses = {}
    for responses in all_of:
        for status, response in responses.items():
            before = found.get(str(status))
            found[str(status)] = response if before is None else _both(str(status), before, response)
    return {status: found[status] for status in sorted(found, key=str)}


def _both(status: str, before: Schema, after: Schema) -> Schema:
    """Put two answers of one status together; what isn't a problem goes before in words."""
    if "x-codes" in before and "x-codes" in after:
        return _answer(status, before["x-codes"] | after["x-codes"])
    content = {**before.get("content", {}), **after.get("content", {})}
    return after | before | {"content": content, "headers": {**after.get("headers", {}), **before.get("headers", {})}}


def _answer(status: str, codes: dict[str, str]) -> Schema:
    code = {"code": {"enum": sorted(codes)}, "status": {"const": int(status)}}
    members = [schema for name, schema in MEMBERS.items() if name in codes]
    answer = {
        "description": "; or: ".join(dict.fromkeys(codes.values())) + ".",
        "content": {MEDIA_TYPE: {"schema": {"allOf": [schema_of(Problem), {"properties": code}, *members]}}},
        "x-codes": codes,
    }
    return answer | ({"headers": HEADERS[status]} if status in HEADERS else {})
