"""The reading endpoints: parameters in, numbers from `stats` out."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Annotated, Any, Literal, Protocol, TypeVar, get_args

import msgspec
from fastapi import APIRouter, Depends, Query, Response
from starlette.responses import StreamingResponse

from aura_analytics.errors import ParameterError
from aura_analytics.events.records import LABELS, Label
from aura_analytics.stats import scope as scopes
from aura_analytics.stats.hourly import Hour, hourly
from aura_analytics.stats.reader import Reader
from aura_analytics.stats.scope import Scope
from aura_analytics.stats.summary import Summary, summary
from aura_analytics.stats.top_queries import TopQuery, top_queries
from aura_analytics.stats.training import ExampleFilter, Format, LabelledInteraction, dataset, examples
from aura_analytics.stats.unanswered import UnansweredQuery, unanswered

FORMATS: tuple[Format, ...] = get_args(Format)

Choice = TypeVar("Choice", bound=str)
Text = Annotated[str | None, Query()]


def router(reader: Reader) -> APIRouter:
    """Make the endpoints over a reader."""
    routes = APIRouter()

    def asked_scope(
        store: Annotated[str | None, Query(description="Only this store; also `storeId`, `store_id`.")] = None,
        store_id_camel: Annotated[str | None, Query(alias="storeId", include_in_schema=False)] = None,
        store_id: Annotated[str | None, Query(include_in_schema=False)] = None,
        period: Annotated[str | None, Query(description="`<n>m`, `<n>h`, `<n>d` or `all`; default `24h`.")] = None,
        since: Annotated[str | None, Query(alias="from", description="ISO 8601 or epoch ms, included.")] = None,
        until: Annotated[str | None, Query(alias="to", description="ISO 8601 or epoch ms, included.")] = None,
    ) -> Scope:
        given = {name for name in (store, store_id_camel, store_id) if name is not None}
        if len(given) > 1:
            raise ParameterError("store, storeId and store_id name different stores; give one of them")
        values = {"store": next(iter(given), None), "period": period, "from": since, "to": until}
        return scopes.parse(values, now=reader.now)

    asked = Annotated[Scope, Depends(asked_scope)]

    @routes.get("/stats/summary", **_answers(Summary), summary="How the assistant is doing")
    async def get_summary(scope: asked) -> Response:
        return _json(await summary(reader, scope))

    @routes.get("/stats/top-queries", **_answers(list[TopQuery]), summary="What shoppers say most")
    async def get_top_queries(scope: asked, limit: Text = None) -> Response:
        return _json(await top_queries(reader, scope, _rows(limit, 20)))

    @routes.get("/stats/unanswered", **_answers(list[UnansweredQuery]), summary="What they didn't get, and why")
    async def get_unanswered(scope: asked, limit: Text = None) -> Response:
        return _json(await unanswered(reader, scope, _rows(limit, 20)))

    @routes.get("/stats/hourly", **_answers(list[Hour]), summary="Hour by hour")
    async def get_hourly(scope: asked, limit: Text = None) -> Response:
        return _json(await hourly(reader, scope, _rows(limit, scopes.MOST_ROWS)))

    @routes.get("/stats/dataset", **_answers(list[LabelledInteraction]), summary="Labelled interactions")
    async def get_dataset(scope: asked, label: Text = None, limit: Text = None) -> Response:
        return _json(await dataset(reader, scope, _label(label), _rows(limit, 1_000)))

    @routes.get(
        "/export/training-data",
        summary="Chat examples, one a line, streamed",
        response_class=Response,
        responses={200: {"content": {"application/x-ndjson": {}}, "description": "One example a line."}},
    )
    async def get_training_data(
        scope: asked,
        label: Text = None,
        min_confidence: Text = None,
        max_latency: Text = None,
        limit: Text = None,
        form: Annotated[str | None, Query(alias="format", description="openai, anthropic or gemini")] = None,
    ) -> Response:
        chosen = ExampleFilter(
            label=_label(label),
            min_confidence=scopes.number("min_confidence", min_confidence, 0.8, least=0, most=1),
            max_latency_ms=scopes.number("max_latency", max_latency, 8_000, least=0, most=1e12),
            limit=scopes.limit(limit, None),
        )
        return await _download(examples(reader, scope, chosen, _format(form)), "training-data.ndjson")

    return routes


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """The state of the service; `statistics` is the phase of the columns."""

    status: Literal["healthy", "unhealthy"]
    worker: str = "analytics"
    version: str
    statistics: str


class Verified(Protocol):
    """Columns that can be compared with their rows."""

    async def verify(self, *, rebuild: bool = False) -> object:
        """Compare them, after building the columns anew where asked; give what JSON can hold."""


def state_router(check: Callable[[], Awaitable[Health]], columns: Verified) -> APIRouter:
    """Make the endpoints about the service itself.

    Args:
        check: tells its state.
        columns: can be compared with the rows.
    """
    routes = APIRouter()

    @routes.head("/health", include_in_schema=False)
    @routes.get("/health", **_answers(Health), summary="Whether the service can do its work")
    async def get_health() -> Response:
        health = await check()
        return _json(health, status=200 if health.status == "healthy" else 503)

    @routes.get("/verify", summary="Whether rows and columns agree, cell by cell")
    async def get_verify(
        rebuild: Annotated[bool, Query(description="Build the columns anew first.")] = False,
    ) -> Response:
        return _json(await columns.verify(rebuild=rebuild))

    return routes


def _answers(kind: Any) -> dict[str, Any]:  # Any: a type, and FastAPI's own keywords
    """Describe an answer in the OpenAPI document by the type that is really sent."""
    schema = msgspec.json.schema(kind, ref_template="#/components/schemas/{name}")
    schema = _inlined(schema, schema.pop("$defs", {}))
    return {
        "response_class": Response,
        "responses": {200: {"description": "The numbers.", "content": {"application/json": {"schema": schema}}}},
    }


def _inlined(schema: Any, definitions: dict[str, Any]) -> Any:  # Any: a JSON schema
    """Put the definitions of a schema where they are referred to: a router has no place for shared ones."""
    if isinstance(schema, dict):
        if "$ref" in schema:
            return _inlined(definitions[schema["$ref"].rsplit("/", 1)[1]], definitions)
        return {key: _inlined(value, definitions) for key, value in schema.items()}
    return [_inlined(item, definitions) for item in schema] if isinstance(schema, list) else schema


def _json(content: object, status: int = 200) -> Response:
    return Response(msgspec.json.encode(content), status_code=status, media_type="application/json")


def _rows(text: str | None, default: int) -> int:
    return scopes.limit(text, default) or default


def _label(text: str | None) -> Label:
    return _one_of("label", text.upper() if text else text, LABELS)


def _format(text: str | None) -> Format:
    return _one_of("format", text, FORMATS)


def _one_of(name: str, text: str | None, choices: Sequence[Choice]) -> Choice:
    """Read a choice; the first is the default."""
    if text is None:
        return choices[0]
    for choice in choices:
        if text == choice:
            return choice
    raise ParameterError(f"{name} is one of {', '.join(choices)}")


async def _download(lines: AsyncIterator[bytes], name: str) -> Response:
    """Stream lines as a file. The first piece is made before the answer begins, so that an error still has its status."""
    first = await anext(lines, b"")

    async def pieces() -> AsyncIterator[bytes]:
        yield first
        async for piece in lines:
            yield piece

    return StreamingResponse(
        pieces(),
        media_type="application/x-ndjson",
        headers={"content-disposition": f'attachment; filename="{name}"'},
    )
