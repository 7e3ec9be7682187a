"""The reading endpoints: parameters in, numbers from `stats` out."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Annotated, Any, Protocol, get_args

import msgspec
from fastapi import APIRouter, Depends, Query, Request, Response
from starlette.responses import StreamingResponse

from aura_analytics.api.asking import Text, one_of, rows, scope_dependency
from aura_analytics.api.cache import LASTING
from aura_analytics.api.described import described, instead, lines
from aura_analytics.api.formats import Form, asked_form, respond
from aura_analytics.api.health import Health
from aura_analytics.api.parameters import (
    LATENCY,
    SHARE,
    Bars,
    Compare,
    Limit,
    Metrics,
    Normalize,
    Split,
    Step,
    Top,
    Zone,
    choice,
)
from aura_analytics.events.records import LABELS, Label
from aura_analytics.guard.door import whose
from aura_analytics.stats import comparison, steps
from aura_analytics.stats import scope as scopes
from aura_analytics.stats.breakdown import (
    IntentFigures,
    ModelFigures,
    Row,
    StoreFigures,
    breakdown,
    compared_breakdown,
)
from aura_analytics.stats.groups import read_split, read_top
from aura_analytics.stats.hourly import Hour, hourly, hourly_in
from aura_analytics.stats.latency import Latency, latency, read_bars
from aura_analytics.stats.metrics import read_metrics
from aura_analytics.stats.quality import Quality, Reason, quality
from aura_analytics.stats.reader import Reader
from aura_analytics.stats.scope import Scope
from aura_analytics.stats.summary import EvaluationQueue, Summary, summary
from aura_analytics.stats.timeseries import Asked, Timeseries, flat, timeseries
from aura_analytics.stats.top_queries import TopQuery, top_queries
from aura_analytics.stats.training import ExampleFilter, Format, LabelledInteraction, dataset, examples
from aura_analytics.stats.unanswered import UnansweredQuery, unanswered
from aura_analytics.stats.visits import Visits, visits

FORMATS: tuple[Format, ...] = get_args(Format)

AskedForm = Annotated[Form, Depends(asked_form)]
# It chooses by the label as the filter of this name does, but is one, and there is a default.
LABEL = instead("label", "`GOOD`, `REVIEW` or `BAD`; default `GOOD`.", {"type": "string", "enum": list(LABELS)})

Confidence = Annotated[str | None, Query(description="The label's, 0 to 1, included; default 0.8."), SHARE]
Latencies = Annotated[str | None, Query(description="Milliseconds, included; default 8,000."), LATENCY]
Provider = Annotated[
    str | None,
    Query(alias="format", description="`openai`, `anthropic` or `gemini`; default `openai`."),
    choice(*FORMATS),
]

# A line of a training file, whoever it is for.
EXAMPLE = {
    "type": "object",
    "oneOf": [{"required": [name], "properties": {name: {"type": "array"}}} for name in ("messages", "contents")],
}

QueueDepth = Callable[[], Awaitable[EvaluationQueue]]


def router(reader: Reader, queue_depth: QueueDepth | None = None) -> APIRouter:
    """Make the endpoints over a reader.

    Args:
        reader: asks.
        queue_depth: counts what waits to be labelled; without it the summary doesn't tell.
    """
    routes = APIRouter()
    _add_summary(routes, reader, queue_depth)
    _add_lists(routes, reader)
    _add_series(routes, reader)
    _add_groups(routes, reader)
    _add_distributions(routes, reader)
    _add_training_data(routes, reader)
    return routes


def _add_summary(routes: APIRouter, reader: Reader, queue_depth: QueueDepth | None) -> None:
    asked = Annotated[Scope, Depends(scope_dependency(reader))]

    @routes.get("/stats/summary", **described(Summary, compared=Summary), summary="How the assistant is doing")
    async def get_summary(request: Request, scope: asked, form: AskedForm, compare: Compare = None) -> Response:
        before = comparison.previous(scope, reader.now) if comparison.read_compare(compare) else None
        # Both at once: neither waits for the other's plan, and the page draws nothing before it has them.
        answer, *earlier = await asyncio.gather(*(summary(reader, one) for one in (scope, before) if one is not None))
        is_all = whose(request.scope).stores is None  # the queue is of all stores
        if queue_depth is not None and is_all and not scope.is_past(reader.answered_until):
            answer = msgspec.structs.replace(answer, evaluation_queue=await queue_depth())
        if not earlier:
            return await respond(form, answer, Summary, "summary")
        return await _compared(form, answer, earlier[0], "summary")


def _add_lists(routes: APIRouter, reader: Reader) -> None:
    asked = Annotated[Scope, Depends(scope_dependency(reader))]

    @routes.get("/stats/top-queries", **described(list[TopQuery]), summary="What shoppers say most")
    async def get_top_queries(
        scope: asked, form: AskedForm, limit: Limit = None, *, normalize: Normalize = False
    ) -> Response:
        found = await top_queries(reader, scope, rows(limit, 20), normalize=normalize)
        return await respond(form, found, TopQuery, "top-queries")

    @routes.get("/stats/unanswered", **described(list[UnansweredQuery]), summary="What they didn't get, and why")
    async def get_unanswered(
        scope: asked, form: AskedForm, limit: Limit = None, *, normalize: Normalize = False
    ) -> Response:
        found = await unanswered(reader, scope, rows(limit, 20), normalize=normalize)
        return await respond(form, found, UnansweredQuery, "unanswered")


def _add_series(routes: APIRouter, reader: Reader) -> None:
    asked = Annotated[Scope, Depends(scope_dependency(reader))]

    @routes.get("/stats/hourly", **described(list[Hour]), summary="Hour by hour")
    async def get_hourly(scope: asked, form: AskedForm, tz: Zone = None, limit: Limit = None) -> Response:
        most = rows(limit, scopes.MOST_ROWS)
        if tz is None:
            return await respond(form, await hourly(reader, scope, most), Hour, "hourly")
        return await respond(form, await hourly_in(reader, scope, steps.read_zone(tz), most), Hour, "hourly")

    @routes.get("/stats/timeseries", **described(Timeseries), summary="Metrics over time, without gaps")
    async def get_timeseries(
        scope: asked,
        form: AskedForm,
        *,
        metric: Metrics = None,
        step: Step = None,
        tz: Zone = None,
        split: Split = None,
        top: Top = None,
        compare: Compare = None,
    ) -> Response:
        wanted = Asked(
            metrics=read_metrics(metric),
            step=steps.read_step(step),
            zone=steps.read_zone(tz),
            split=read_split(split),
            top=read_top(top),
            compare=comparison.read_compare(compare),
        )
        answer = await timeseries(reader, scope, wanted)
        return await _json_or_table(form, answer, *flat(answer, compare=wanted.compare), "timeseries")


def _add_groups(routes: APIRouter, reader: Reader) -> None:
    asked = Annotated[Scope, Depends(scope_dependency(reader))]

    async def listed(
        scope: Scope, form: Form, kind: type[Row], name: str, limit: str | None, compare: str | None
    ) -> Response:
        most = rows(limit, 100)
        if comparison.read_compare(compare):
            beside = comparison.compared_kind(kind)
            return await respond(form, await compared_breakdown(reader, scope, kind, most), beside, name)
        return await respond(form, await breakdown(reader, scope, kind, most), kind, name)

    @routes.get(
        "/stats/intents", **described(list[IntentFigures], compared=IntentFigures), summary="How each intent fares"
    )
    async def get_intents(scope: asked, form: AskedForm, limit: Limit = None, compare: Compare = None) -> Response:
        return await listed(scope, form, IntentFigures, "intents", limit, compare)

    @routes.get("/stats/models", **described(list[ModelFigures], compared=ModelFigures), summary="How each model fares")
    async def get_models(scope: asked, form: AskedForm, limit: Limit = None, compare: Compare = None) -> Response:
        return await listed(scope, form, ModelFigures, "models", limit, compare)

    @routes.get("/stats/stores", **described(list[StoreFigures], compared=StoreFigures), summary="How each store fares")
    async def get_stores(scope: asked, form: AskedForm, limit: Limit = None, compare: Compare = None) -> Response:
        return await listed(scope, form, StoreFigures, "stores", limit, compare)


def _add_distributions(routes: APIRouter, reader: Reader) -> None:
    asked = Annotated[Scope, Depends(scope_dependency(reader))]

    @routes.get("/stats/latency", **described(Latency, compared=Latency), summary="How long answers took")
    async def get_latency(scope: asked, form: AskedForm, buckets: Bars = None, compare: Compare = None) -> Response:
        bars = read_bars(buckets)
        before = comparison.previous(scope, reader.now) if comparison.read_compare(compare) else None
        answer = await latency(reader, scope, bars)
        if before is None:
            return await respond(form, answer, Latency, "latency")
        return await _compared(form, answer, await latency(reader, before, bars), "latency")

    @routes.get("/stats/quality", **described(Quality), summary="How good the answers were, and why")
    async def get_quality(scope: asked, form: AskedForm, step: Step = None, tz: Zone = None) -> Response:
        answer = await quality(reader, scope, steps.read_step(step, "day"), steps.read_zone(tz))
        return await _json_or_table(form, answer, answer.reasons, Reason, "quality")

    @routes.get("/stats/sessions", **described(Visits, compared=Visits), summary="How sessions went")
    async def get_sessions(request: Request, scope: asked, form: AskedForm, compare: Compare = None) -> Response:
        # A session may reach over the end of its window, and what it ends with may still be answered.
        request.scope[LASTING] = False
        before = comparison.previous(scope, reader.now) if comparison.read_compare(compare) else None
        answer = await visits(reader, scope)
        if before is None:
            return await respond(form, answer, Visits, "sessions")
        return await _compared(form, answer, await visits(reader, before), "sessions")


def _add_training_data(routes: APIRouter, reader: Reader) -> None:
    asked = Annotated[Scope, Depends(scope_dependency(reader))]

    @routes.get(
        "/stats/dataset", **described(list[LabelledInteraction]), openapi_extra=LABEL, summary="Labelled interactions"
    )
    async def get_dataset(scope: asked, form: AskedForm, label: Text = None, limit: Limit = None) -> Response:
        found = await dataset(reader, scope, _label(label), rows(limit, 1_000))
        return await respond(form, found, LabelledInteraction, "dataset")

    @routes.get(
        "/export/training-data",
        summary="Chat examples, one a line, streamed",
        **lines(EXAMPLE),
        openapi_extra=LABEL,
    )
    async def get_training_data(
        scope: asked,
        *,
        label: Text = None,
        min_confidence: Confidence = None,
        max_latency: Latencies = None,
        limit: Limit = None,
        form: Provider = None,
    ) -> Response:
        chosen = ExampleFilter(
            label=_label(label),
            min_confidence=scopes.number("min_confidence", min_confidence, 0.8, least=0, most=1),
            max_latency_ms=scopes.number("max_latency", max_latency, 8_000, least=0, most=scopes.LONGEST_LATENCY_MS),
            limit=scopes.limit(limit, None),
        )
        lines = examples(reader, scope, chosen, one_of("format", form, FORMATS))
        return await _download(lines, "training-data.ndjson")


class Verified(Protocol):
    """Columns that can be compared with their rows."""

    async def verify(self, *, rebuild: bool = False) -> object:
        """Compare them, after building the columns anew where asked; give what JSON can hold."""


def state_router(
    check: Callable[[], Awaitable[Health]], columns: Verified, verification: type[msgspec.Struct]
) -> APIRouter:
    """Make the endpoints about the service itself.

    Args:
        check: tells its state.
        columns: can be compared with the rows.
        verification: what such a comparison gives.
    """
    routes = APIRouter()
    unwell = {"503": described(Health, forms=False)["responses"][200] | {"description": "It can't."}}
    state = described(Health, forms=False)

    @routes.head("/health", include_in_schema=False)
    @routes.get(
        "/health", **state | {"responses": state["responses"] | unwell}, summary="Whether the service can do its work"
    )
    async def get_health() -> Response:
        health = await check()
        return _json(health, status=200 if health.status == "healthy" else 503)

    @routes.get(
        "/verify", **described(verification, forms=False), summary="Whether rows and columns agree, cell by cell"
    )
    async def get_verify(
        rebuild: Annotated[bool, Query(description="Build the columns anew first.")] = False,
    ) -> Response:
        return _json(await columns.verify(rebuild=rebuild))

    return routes


def _json(content: object, status: int = 200) -> Response:
    return Response(msgspec.json.encode(content), status_code=status, media_type="application/json")


async def _compared(form: Form, answer: msgspec.Struct, before: msgspec.Struct, name: str) -> Response:
    kind = comparison.compared_kind(type(answer))
    return await respond(form, comparison.compared(answer, before), kind, name)


async def _json_or_table(
    form: Form, answer: msgspec.Struct, table: list[Any], kind: type[msgspec.Struct], name: str
) -> Response:
    """Write an answer as it is, or the rows of it as a table. Any: rows of that kind."""
    return await respond(form, answer if form == "json" else table, kind, name)


def _label(text: str | None) -> Label:
    return one_of("label", text.upper() if text else text, LABELS)


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
