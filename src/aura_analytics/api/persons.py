"""The endpoints about one person, for administrators: all that is kept of them, and erasing it; and who did what."""

from collections.abc import AsyncIterator
from typing import Annotated

import msgspec
from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import WithJsonSchema
from starlette.responses import StreamingResponse
from starlette.types import Scope

from aura_analytics.api.any_text import rest
from aura_analytics.api.asking import rows
from aura_analytics.api.described import described, lines
from aura_analytics.api.parameters import ANY_TEXT, FILLED, Moment, whole
from aura_analytics.errors import ParameterError
from aura_analytics.guard.door import whose
from aura_analytics.privacy.persons import LONGEST_ID, Persons
from aura_analytics.privacy.receipt import Receipt
from aura_analytics.stats import scope as scopes
from aura_analytics.store.keys import AuditEntry, KeyStore

# One thing that is kept; what else is in it is the place's own.
RECORD = {"type": "object", "required": ["kind"], "properties": {"kind": {"type": "string"}}}
UNKEPT = {"cache-control": "no-store"}
DEFAULT_ENTRIES = 100

UserId = Annotated[
    str,
    Path(description="Who; what isn't a letter or a digit in it is percent-encoded."),
    WithJsonSchema(FILLED | {"maxLength": LONGEST_ID}),
]


def router(persons: Persons, keys: KeyStore) -> APIRouter:
    """Make the endpoints."""
    routes = APIRouter()
    _add_users(routes, persons)

    @routes.get("/audit", **described(list[AuditEntry], forms=False), summary="What administrators did")
    async def get_audit(
        *,
        since: Moment = None,
        action: Annotated[str | None, Query(description="Only this, such as `person.forgotten`."), ANY_TEXT] = None,
        limit: Annotated[
            str | None, Query(description="1 to 100,000; default 100."), whole(1, scopes.MOST_ROWS)
        ] = None,
    ) -> Response:
        moment = None if since is None else scopes.moment("since", since)
        found = await keys.audit(rows(limit, DEFAULT_ENTRIES), since=moment, action=action)
        return _json(found)

    return routes


def _add_users(routes: APIRouter, persons: Persons) -> None:
    @routes.get(
        rest("/users/", "user_id"),
        summary="All that is kept of one person, one thing a line, streamed",
        **lines(RECORD, ParameterError),
    )
    async def get_user(request: Request, user_id: UserId) -> Response:
        lines = _lines(persons, user_id, actor_of(request.scope))
        first = await anext(lines, b"")  # so that what can't be done is said before the answer begins
        headers = UNKEPT | {"content-disposition": 'attachment; filename="person.ndjson"'}
        return StreamingResponse(_after(first, lines), media_type="application/x-ndjson", headers=headers)

    @routes.delete(
        rest("/users/", "user_id"),
        summary="Erase all of one person, everywhere",
        **described(Receipt, ParameterError, forms=False),
    )
    async def delete_user(
        request: Request,
        user_id: UserId,
        *,
        block: Annotated[bool, Query(description="Take their events in no more.")] = False,
    ) -> Response:
        return _json(await persons.forget(user_id, actor=actor_of(request.scope), blocks=block))


def actor_of(scope: Scope) -> str:
    """Name who asks, for the record."""
    principal = whose(scope)
    return f"key {principal.key_id} ({principal.name})" if principal.key_id else principal.name


def _json(value: Receipt | list[AuditEntry]) -> Response:
    return Response(msgspec.json.encode(value), media_type="application/json", headers=UNKEPT)


async def _lines(persons: Persons, user_id: UserId, actor: str) -> AsyncIterator[bytes]:
    async for one in persons.known(user_id, actor=actor):
        yield msgspec.json.encode(one) + b"\n"


async def _after(first: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    if first:
        yield first
    async for line in rest:
        yield line
