"""The OpenAPI document: what the routers say of themselves, completed by what the whole house adds to each route.

The routers describe parameters, bodies and answers by the types that they use. What the door wants of a route is in
the table of `guard/access.py`, what may go wrong is in the tree of errors, and what lies outside of the reading
application is described in `incoming.py` and `outside.py`. Any, throughout: OpenAPI's own objects.
"""

import asyncio
import re
from typing import Any

import msgspec
from fastapi import FastAPI, Response
from starlette.types import Receive, Scope, Send

from aura_analytics.api import incoming, outside, refusals
from aura_analytics.api.asking import spelled_out
from aura_analytics.api.cache import READINGS, UNKEPT
from aura_analytics.api.described import WITHOUT
from aura_analytics.api.refusals import Responses
from aura_analytics.api.schemas import Schema, Shelf
from aura_analytics.guard.access import DENIED, ROUTES, Need
from aura_analytics.guard.session import COOKIE, SECURE_COOKIE

OPENAPI = "/openapi.json"

Operation = dict[str, Any]

SECURITY_SCHEMES = {
    "ApiKey": {
        "type": "apiKey",
        "in": "header",
        "name": "X-API-Key",
        "description": "A key of `aura-analytics keys create`. One that signs wants `webhook-id`, `webhook-timestamp` and"
        " `webhook-signature` too, as Standard Webhooks has them.",
    },
    "Bearer": {"type": "http", "scheme": "bearer", "description": "The same key. Two different ones are refused."},
    "Session": {
        "type": "apiKey",
        "in": "cookie",
        "name": COOKIE,
        "description": f"What `POST /session` gives a browser; by HTTPS it is called `{SECURE_COOKIE}`. What changes"
        " something needs the header `X-Aura-Page` beside it.",
    },
}
INTRODUCTION = """

Until there is a key, a server answers its own machine and asks for none. Parameters that aren't named here are passed
over, but where it says so. A `HEAD` is answered wherever a `GET` is, but for streams. All errors are problem documents
(RFC 9457).
"""
_CORRELATION = (
    "What this request is called, in 1 to 256 visible characters of ASCII; anything else gets a name of ours."
)
CORRELATION_HEADER = {
    "name": "X-Correlation-ID",
    "in": "header",
    "required": False,
    "description": _CORRELATION,
    "schema": {"type": "string"},
}
TAG_HEADER = {
    "name": "If-None-Match",
    "in": "header",
    "required": False,
    "description": "The `ETag` of the answer that the caller has.",
    "schema": {"type": "string"},
}
CORRELATED = {"X-Correlation-ID": {"description": "The request's, or ours.", "schema": {"type": "string"}}}
TAGGED = {"ETag": {"description": "Of answers up to 1 MiB.", "schema": {"type": "string"}}}
LEFT = {
    "RateLimit": {"description": "What the caller has left, where there is a limit.", "schema": {"type": "string"}},
    "RateLimit-Policy": {"description": "The limits.", "schema": {"type": "string"}},
}
UNCHANGED: Responses = {"304": {"description": "The caller has this answer already.", "headers": CORRELATED | TAGGED}}


def _link(operation: str, id: str) -> dict[str, Any]:
    return {"operationId": operation, "parameters": {"query_id": id}}


# Where an answer names an interaction, what may be done with it.
LINKS: dict[tuple[str, str], dict[str, dict[str, Any]]] = {
    ("post", "/ingest"): {"interaction": _link("get_interactions_query_id", "$response.body#/query_ids/0")},
    ("get", "/interactions"): {
        "interaction": _link("get_interactions_query_id", "$response.body#/interactions/0/id"),
        "label": _link("post_evaluations_query_id", "$response.body#/interactions/0/id"),
        "next": {"operationId": "get_interactions", "parameters": {"cursor": "$response.body#/nextCursor"}},
    },
    ("get", "/evaluations/queue"): {
        "label": _link("post_evaluations_query_id", "$response.body#/items/0/interaction/id")
    },
    ("post", "/evaluations/{query_id}"): {
        "undo": _link("delete_evaluations_query_id", "$response.body#/queryId"),
        "interaction": _link("get_interactions_query_id", "$response.body#/queryId"),
    },
}
# What a route needs, by its method and its path as OpenAPI writes them.
NEEDS = {(method.lower(), path.replace(":path}", "}")): need for (method, path), need in ROUTES.items()}


class Description:
    """Plain ASGI that tells the document. It is made at the first question, on a thread: that takes a second.

    Args:
        app: the reading application.
        receipt: what is answered for events.
        closed: whether keys are asked for at all.
    """

    def __init__(self, app: FastAPI, receipt: type[msgspec.Struct], *, closed: bool = True) -> None:
        self._app = app
        self._receipt = receipt
        self._closed = closed
        self._made: asyncio.Task[bytes] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if self._made is None:
            self._made = asyncio.create_task(asyncio.to_thread(self._make), name="openapi")
        answer = Response(await asyncio.shield(self._made), media_type="application/json")
        await answer(scope, receive, send)

    def _make(self) -> bytes:
        return msgspec.json.encode(completed(self._app.openapi(), self._receipt, closed=self._closed))


def completed(document: dict[str, Any], receipt: type[msgspec.Struct], *, closed: bool) -> dict[str, Any]:
    """Complete what the framework says of an application."""
    found: dict[str, dict[str, Operation]] = {}
    shelf = Shelf()
    taking = (("post", "/ingest"), incoming.operation(receipt))
    for (method, path), operation in (taking, *_routed(document), *outside.OPERATIONS.items()):
        found.setdefault(path, {})[method] = _completed(method, path, operation, shelf, closed=closed)
    paths, responses = shelf.shelved(found), shelf.shelved(shelf.responses)
    info = document["info"] | {"description": document["info"]["description"] + INTRODUCTION}
    return document | {
        "info": info | {"license": {"name": "MIT", "identifier": "MIT"}},
        "paths": paths,
        "components": {
            "schemas": dict(sorted(shelf.schemas.items())),
            "responses": dict(sorted(responses.items())),
            "securitySchemes": SECURITY_SCHEMES,
        },
    }


def _routed(document: dict[str, Any]) -> list[tuple[tuple[str, str], Operation]]:
    return [
        ((method, path), operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]


def _completed(method: str, path: str, operation: Operation, shelf: Shelf, *, closed: bool) -> Operation:
    """Say of an operation what its router doesn't know."""
    need = NEEDS.get((method, path), DENIED)
    answers = {status: one for status, one in operation["responses"].items() if status != "422"}
    told = refusals.joined(answers, _refusals(operation, need))
    words = operation.get("description", "")
    left_out = operation.get(WITHOUT, ())
    # Of two of a name, what the route says itself comes last.
    named = spelled_out(operation.get("parameters", ()))
    own = {one["name"]: one for one in named if one["name"] not in left_out}
    parameters = [*own.values(), CORRELATION_HEADER]
    if method == "get" and path.startswith(READINGS) and path not in UNKEPT | outside.STREAMS:
        told, parameters = UNCHANGED | told, [*parameters, TAG_HEADER]
        told["200"] = told["200"] | {"headers": TAGGED | told["200"].get("headers", {})}
    if need.scope not in (None, "known"):
        words = f"{words}\n\nNeeds a key with the scope `{need.scope}`.".strip()
    for name, link in LINKS.get((method, path), {}).items():
        told["200"] = told["200"] | {"links": told["200"].get("links", {}) | {name: link}}
    return {key: value for key, value in operation.items() if key != WITHOUT} | {
        "operationId": f"{method}_{re.sub(r'[^a-z]+', '_', path).strip('_') or 'page'}",
        "tags": operation.get("tags") or [path.split("/")[1]],
        "parameters": parameters,
        "responses": {str(status): _answer(str(status), told[status], need, shelf) for status in sorted(told, key=str)},
        "security": [{name: []} for name in SECURITY_SCHEMES] if need.scope is not None and closed else [],
        **({"description": words} if words else {}),
    }


def _refusals(operation: Operation, need: Need) -> Responses:
    errors = [*refusals.EVERYWHERE]
    if need.scope is not None:
        errors += [*refusals.CLOSED, *refusals.DATA]
    if any(one["in"] == "query" for one in operation.get("parameters", ())):
        errors += refusals.ASKED
    if "requestBody" in operation:
        errors += refusals.SENT
    return refusals.refusals(*errors)


def _answer(status: str, response: Schema, need: Need, shelf: Shelf) -> Schema:
    """Name the headers that an answer may have; those that many operations share are put aside."""
    codes: dict[str, str] = response.get("x-codes", {})
    headers = response.get("headers", {}) | CORRELATED
    if need.scope is not None and status.startswith("2"):
        headers |= LEFT
    whole = {key: value for key, value in response.items() if key != "x-codes"} | {"headers": headers}
    is_refusal = codes and len(whole["content"]) == 1
    return shelf.refusal(f"{status}_{'_or_'.join(sorted(codes))}", whole) if is_refusal else whole
