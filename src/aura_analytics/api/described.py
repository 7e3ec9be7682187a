"""How a router describes an answer: by the type that is really sent."""

from typing import Any

import msgspec
from fastapi import Response

from aura_analytics.api.formats import contents
from aura_analytics.api.refusals import refusals
from aura_analytics.api.schemas import Schema, schema_of
from aura_analytics.errors import AuraError
from aura_analytics.stats import comparison

LINES = "application/x-ndjson"
# Read from an operation, and left out of the document.
WITHOUT = "x-without"


def described(
    kind: Any, *errors: type[AuraError], forms: bool = True, compared: type[msgspec.Struct] | None = None
) -> dict[str, Any]:
    """Describe an answer in the OpenAPI document. Any: a type, and FastAPI's own keywords.

    Args:
        kind: the type.
        errors: what may come instead, beside what may everywhere.
        forms: whether it also comes as CSV and Parquet.
        compared: the kind of the rows in it that may have those of the window before beside them.
    """
    schema = schema_of(kind)
    if compared is not None:
        beside = _compared(compared)
        schema = schema | {"items": beside} if "items" in schema else beside
    content = contents(schema) if forms else {"application/json": {"schema": schema}}
    return _answered(content, *errors)


def lines(schema: Schema, *errors: type[AuraError]) -> dict[str, Any]:
    """Describe an answer of one value a line; as OpenAPI has it since 3.2, the whole is read as an array."""
    return _answered({LINES: {"schema": {"type": "array", "items": schema}}}, *errors)


def _answered(content: dict[str, Any], *errors: type[AuraError]) -> dict[str, Any]:
    responses = {200: {"description": "What was asked for.", "content": content}} | refusals(*errors)
    return {"response_class": Response, "responses": responses}


def _compared(kind: type[msgspec.Struct]) -> Schema:
    """Describe a row that has the one before beside it where that is asked for."""
    schema = schema_of(comparison.compared_kind(kind))
    schema["required"] = [name for name in schema["required"] if name not in ("previous", "change")]
    return schema


def taken(kind: Any, example: Any, *, more: Schema | None = None) -> dict[str, Any]:
    """Describe a body that is decoded as a type, for a route's `openapi_extra`. Any: a type, and what JSON can hold.

    Args:
        kind: the type.
        example: of a body.
        more: what the type can't say.
    """
    content = {"application/json": {"schema": schema_of(kind) | (more or {}), "example": example}}
    return {"requestBody": {"required": True, "content": content}}


def without(*names: str) -> dict[str, Any]:
    """Say which parameters that a scope is read from aren't taken, for a route's `openapi_extra`; they are refused."""
    return {WITHOUT: sorted(names)}


def instead(name: str, words: str, schema: Schema) -> dict[str, Any]:
    """Say what a parameter takes here that elsewhere takes something else, for a route's `openapi_extra`."""
    return {"parameters": [{"name": name, "in": "query", "required": False, "description": words, "schema": schema}]}
