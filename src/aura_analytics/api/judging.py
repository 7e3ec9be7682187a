"""The endpoints about the judge: what it cost, and how good labels are by people's or by what a reference says."""

from typing import Annotated, Protocol

import msgspec
from fastapi import APIRouter, Depends, Request, Response

from aura_analytics.api.asking import FILTERS, scope_dependency
from aura_analytics.api.described import described, instead, taken, without
from aura_analytics.api.formats import Form, asked_form, respond
from aura_analytics.clock import Clock, now
from aura_analytics.errors import BodyTooLarge, MalformedBody
from aura_analytics.events.records import Label
from aura_analytics.stats import judge_calls, judging
from aura_analytics.stats.judge_calls import JudgeCalls, ModelSpending
from aura_analytics.stats.judging import Agreement, Cell, agreement
from aura_analytics.stats.reader import Reader
from aura_analytics.stats.scope import Scope

# A reference has a hundred bytes or so for each interaction.
MOST_BYTES = 16 << 20

AskedForm = Annotated[Form, Depends(asked_form)]


# It is asked about all stores, or about one.
_ONE_STORE = without(*FILTERS - {"store", "period", "from", "to"}) | instead(
    "store", "Only this store.", {"type": "array", "items": {"type": "string", "minLength": 1}, "maxItems": 1}
)


class Rows(judge_calls.Rows, judging.Rows, Protocol):
    """What is asked of the row database."""


def router(reader: Reader, store: Rows, *, budget_usd: float | None = None, clock: Clock = now) -> APIRouter:
    """Make the endpoints.

    Args:
        reader: what is asked of the columns.
        store: the row database.
        budget_usd: what the judge may cost in a day; None is no limit.
        clock: the present.
    """
    routes = APIRouter()
    _add_agreement(routes, reader, store)
    asked = Annotated[Scope, Depends(scope_dependency(reader))]

    @routes.get(
        "/stats/judge",
        **described(JudgeCalls),
        openapi_extra=_ONE_STORE,
        summary="What the judge cost, and what waits for it",
    )
    async def get_judge(scope: asked, form: AskedForm) -> Response:
        found = await judge_calls.judge_calls(store, scope, budget_usd=budget_usd, now=clock())
        return await respond(form, found if form == "json" else found.by_model, ModelSpending, "judge")

    return routes


def _add_agreement(routes: APIRouter, reader: Reader, store: Rows) -> None:
    asked = Annotated[Scope, Depends(scope_dependency(reader))]

    @routes.get(
        "/stats/agreement",
        **described(Agreement),
        openapi_extra=without("label", "reason"),
        summary="How good the automatic labels are, by people's",
    )
    async def get_agreement(scope: asked, form: AskedForm) -> Response:
        return await _told(form, await agreement(store, reader, scope))

    @routes.post(
        "/stats/agreement",
        **described(Agreement),
        openapi_extra=taken(dict[str, Label], {"q-1": "GOOD", "q-2": "BAD"}) | without("label", "reason"),
        summary="How good the automatic labels are, by a reference",
    )
    async def post_agreement(request: Request, scope: asked, form: AskedForm) -> Response:
        return await _told(form, await agreement(store, reader, scope, await _reference(request)))


async def _told(form: Form, answer: Agreement) -> Response:
    return await respond(form, answer if form == "json" else answer.confusion or [], Cell, "agreement")


async def _reference(request: Request) -> dict[str, Label]:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MOST_BYTES:
            raise BodyTooLarge(f"a reference takes at most {MOST_BYTES} bytes")
    try:
        return msgspec.json.decode(body, type=dict[str, Label])
    except (ValueError, RecursionError) as error:
        raise MalformedBody("a reference is a JSON object: the label GOOD, REVIEW or BAD by query_id") from error
