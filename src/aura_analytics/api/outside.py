"""How the OpenAPI document has what lies outside of the reading application: streams, metrics, the page, itself.

Any, throughout: OpenAPI's own objects.
"""

from typing import Any

from aura_analytics.api.live import LIVE
from aura_analytics.api.metrics import METRICS
from aura_analytics.api.page import VIEWS
from aura_analytics.api.refusals import refusals
from aura_analytics.api.tail import LEVELS, TAIL
from aura_analytics.errors import NotFound, ParameterError

# They have no end, and no HEAD.
STREAMS = frozenset({LIVE, TAIL})

_OF_PAGE = ["page"]
_BUSY = "Too many listen already"
_TEXT = {"type": "string"}


def _answer(kind: str, words: str, schema: Any = None) -> dict[str, Any]:
    return {"200": {"description": words, "content": {kind: {"schema": schema or _TEXT}}}}


def _parameter(name: str, words: str, schema: Any, *, where: str = "query") -> dict[str, Any]:
    return {"name": name, "in": where, "required": where == "path", "description": words, "schema": schema}


_FILE = _parameter("file", "Its name.", {"type": "string", "minLength": 1}, where="path")
_CHANGE = {
    "type": "object",
    "required": ["data", "id"],
    "properties": {
        "event": {"const": "change"},
        "id": {"type": "string", "pattern": "^[0-9]+$"},
        "data": {"type": "string", "description": 'As JSON: `{"position": 17}`.'},
    },
}
_LINE = {
    "type": "object",
    "properties": {
        "event": {"enum": ["line", "lost"]},
        "data": {"type": "string", "description": 'As JSON: a line of the log, or `{"lost": 17}`.'},
    },
}
_LIVE = {
    "summary": "That something has changed, as it happens",
    "description": "Server-sent events: `change` at first and with each change, with the feed's `position`. A stream ends"
    " after 15 minutes; whoever listens comes back.",
    "responses": _answer("text/event-stream", "A stream.", _CHANGE)
    | refusals(more=[(status, "too_many_listeners", _BUSY) for status in (429, 503)]),
}
_TAIL = {
    "summary": "What this server logs, as it happens",
    "description": "Server-sent events: `line`, and `lost` where the listener was too slow. Other parameters than these are"
    " refused.",
    "parameters": [
        _parameter("correlation_id", "Only the lines of this request.", _TEXT),
        _parameter("level", "The least severe that is wanted.", {"type": "string", "enum": list(LEVELS)}),
        _parameter("store", "Only lines about this store.", _TEXT),
        _parameter(
            "since",
            "ISO 8601 or epoch ms: what was logged before it isn't wanted.",
            {
                "anyOf": [
                    {"type": "string", "format": "date-time"},
                    {"type": "integer", "minimum": 0, "maximum": 10**15 - 1},
                    {"const": ""},
                ]
            },
        ),
        _parameter("follow", "`false`: no more than what is there already.", {"type": "boolean"}),
        _parameter("Last-Event-ID", "The line that the listener saw last.", _TEXT, where="header"),
    ],
    "responses": _answer("text/event-stream", "A stream.", _LINE)
    | refusals(ParameterError, more=[(503, "too_many_listeners", _BUSY)]),
}
_METRICS = {
    "summary": "The service in numbers, as Prometheus reads them",
    "responses": {
        "200": {
            "description": "As `Accept` asks for it.",
            "content": {"text/plain": {"schema": _TEXT}, "application/openmetrics-text": {"schema": _TEXT}},
        }
    },
}


def _page(words: str) -> dict[str, Any]:
    return {"tags": _OF_PAGE, "summary": words, "responses": _answer("text/html", "A page.")}


_ASSET = {
    "tags": _OF_PAGE,
    "summary": "A file of the page",
    "parameters": [_FILE],
    "responses": {
        "200": {
            "description": "The file, packed as `Accept-Encoding` has it.",
            "content": {kind: {"schema": _TEXT} for kind in ("text/css", "text/javascript", "image/svg+xml")},
        }
    }
    | refusals(NotFound),
}
_OFFLINE = {
    "tags": _OF_PAGE,
    "summary": "A file of the description's page",
    "parameters": [_FILE],
    "responses": {"200": {"description": "The file.", "content": {"*/*": {}}}} | refusals(NotFound),
}
_DOCUMENT = {
    "summary": "This description",
    "responses": _answer("application/json", "OpenAPI 3.1.", {"type": "object", "required": ["openapi", "paths"]}),
}

OPERATIONS: dict[tuple[str, str], dict[str, Any]] = {
    ("get", LIVE): _LIVE,
    ("get", TAIL): _TAIL,
    ("get", METRICS): _METRICS,
    ("get", "/openapi.json"): _DOCUMENT,
    ("get", "/docs"): _page("This description, to try out"),
    ("get", "/redoc"): _page("This description, to read"),
    ("get", "/static-offline-docs/{file}"): _OFFLINE,
    **{("get", view): _page("The page for people") for view in VIEWS},
    ("get", "/assets/{file}"): _ASSET,
}
