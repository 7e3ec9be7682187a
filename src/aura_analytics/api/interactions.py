"""The endpoints about single interactions: pages of them, and one whole."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import WithJsonSchema
from starlette.datastructures import URL

from aura_analytics.api.any_text import rest
from aura_analytics.api.asking import Text, one_of, rows, scope_dependency
from aura_analytics.api.described import described
from aura_analytics.api.formats import Form, asked_form, respond
from aura_analytics.api.parameters import Identifier, choice, whole
from aura_analytics.errors import NotFound, ParameterError
from aura_analytics.guard.door import whose
from aura_analytics.stats import interactions as pages
from aura_analytics.stats.details import Details, Rows, details
from aura_analytics.stats.interactions import Interaction, Page
from aura_analytics.stats.reader import Reader
from aura_analytics.stats.scope import Scope

# Which page it is, in a form that is this service's own.
CURSOR = WithJsonSchema({"type": "string", "format": "interactions-cursor"})

AskedForm = Annotated[Form, Depends(asked_form)]
Sort = Annotated[
    str | None,
    Query(description="`created_at`, `latency`, `cost` or `confidence` (the recogniser's)."),
    choice(*pages.SORTS),
]
Order = Annotated[
    str | None,
    Query(description="`desc` or `asc`; what has no such value comes last either way."),
    choice(*pages.ORDERS),
]
Cursor = Annotated[str | None, Query(description="The last answer's `nextCursor`."), CURSOR]
Limit = Annotated[str | None, Query(description="1 to 1,000; default 50."), whole(1, pages.MOST_ROWS)]


def router(reader: Reader, store: Rows) -> APIRouter:
    """Make the endpoints over a reader and the row database."""
    routes = APIRouter()
    asked = Annotated[Scope, Depends(scope_dependency(reader))]

    @routes.get("/interactions", **described(Page), summary="Single interactions, page by page")
    async def get_interactions(
        request: Request,
        scope: asked,
        form: AskedForm,
        *,
        sort: Sort = None,
        order: Order = None,
        cursor: Cursor = None,
        limit: Limit = None,
    ) -> Response:
        by, way = one_of("sort", sort, pages.SORTS), one_of("order", order, pages.ORDERS)
        after = pages.read_cursor(cursor, sort=by, order=way)
        page = await pages.interactions(reader, scope, sort=by, order=way, limit=_limit(limit), cursor=after)
        found = page if form == "json" else page.interactions
        answer = await respond(form, found, Interaction, "interactions")
        if page.next_cursor is not None:  # a table has no other place for it
            answer.headers["link"] = _next(request.url, page.next_cursor)
        return answer

    @routes.get(
        rest("/interactions/", "query_id"),
        **described(Details, NotFound, forms=False),
        summary="One interaction, whole",
    )
    async def get_interaction(request: Request, query_id: Identifier) -> Response:
        found = await details(store, reader, query_id)
        if found is None or not whose(request.scope).sees(found.query.store_id):  # nor is it told that there is one
            raise NotFound("no interaction has this id")
        return await respond("json", found, Details, "interaction")

    return routes


def _limit(text: Text) -> int:
    found = rows(text, pages.DEFAULT_ROWS)
    if found > pages.MOST_ROWS:
        raise ParameterError(f"limit is a whole number from 1 to {pages.MOST_ROWS:,}")
    return found


def _next(url: URL, cursor: str) -> str:
    """Write where the next page is (RFC 8288), relative to this one: who stands before us may call us otherwise."""
    return f'<?{url.include_query_params(cursor=cursor).query}>; rel="next"'
