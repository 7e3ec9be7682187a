"""The endpoints about interactions that the judge gave up on: which, why, and another try."""

from typing import Annotated

import msgspec
from fastapi import APIRouter, Depends, Query, Request, Response

from aura_analytics.api.asking import FILTERS, Text, rows, scope_dependency
from aura_analytics.api.described import described, taken, without
from aura_analytics.api.parameters import ANY_TEXT, matching, whole
from aura_analytics.clock import Clock, now
from aura_analytics.errors import BodyTooLarge, MalformedBody, ParameterError
from aura_analytics.stats.reader import Reader
from aura_analytics.stats.scope import Scope
from aura_analytics.store.failures import FailureChoice, Failures

MOST_ROWS, DEFAULT_ROWS = 500, 50
MOST_BYTES = 256 << 10
MOST_IDS = 1_000
MOST_DIGITS = 16
HEADERS = {"cache-control": "no-store"}

_LIST = """\
The latest first, whenever they failed: of a window nothing is chosen. `causes` counts them all by what went wrong last.
`cursor` is the `nextCursor` of the page before.
"""
_RETRY = """\
Makes them due again, as new. `queryIds` names them, `cause` chooses all that failed for it, `{"all": true}` takes every
one; of some stores where `store` names them.
"""
# Exactly one of three says which.
_ONE = {
    "oneOf": [
        {"required": ["queryIds"], "properties": {"queryIds": {"type": "array"}}},
        {"required": ["cause"], "properties": {"cause": {"type": "string"}}},
        {"required": ["all"], "properties": {"all": {"const": True}}},
    ]
}


class Failed(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One that failed. What was asked is null where the query is gone."""

    query_id: str
    cause: str
    attempts: int
    failed_at: int
    store_id: str | None
    created_at: int | None
    query_text: str | None


class Cause(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """How many failed for a cause, and when the last one did."""

    cause: str
    count: int
    last_at: int


class FailedList(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What failed; `total` and `causes` are of all that are chosen by store, whatever the cause."""

    total: int
    causes: list[Cause]
    items: list[Failed]
    next_cursor: str | None


class Retry(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """Which failed ones are to be tried again."""

    query_ids: Annotated[tuple[str, ...], msgspec.Meta(max_length=MOST_IDS)] | None = None
    cause: str | None = None
    all: bool = False


class Retried(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """How many are due again."""

    retried: int


def router(reader: Reader, store: Failures, *, clock: Clock = now) -> APIRouter:
    """Make the endpoints over the row database; the reader only reads which stores are meant."""
    routes = APIRouter()
    asked = Annotated[Scope, Depends(scope_dependency(reader))]

    @routes.get(
        "/evaluations/failed",
        **described(FailedList, forms=False),
        summary="What the judge gave up on, and why",
        description=_LIST,
        openapi_extra=without(*FILTERS - {"store"}),
    )
    async def get_failed(
        scope: asked,
        *,
        cause: Annotated[str | None, Query(description="Only those that failed for this."), ANY_TEXT] = None,
        limit: Annotated[
            str | None, Query(description=f"1 to {MOST_ROWS}; default {DEFAULT_ROWS}."), whole(1, MOST_ROWS)
        ] = None,
        cursor: Annotated[
            str | None,
            Query(description="Where the page before ended."),
            matching(rf"^[0-9]{{1,{MOST_DIGITS}}}\."),
        ] = None,
    ) -> Response:
        most = rows(limit, DEFAULT_ROWS)
        if most > MOST_ROWS:
            raise ParameterError(f"limit is a whole number from 1 to {MOST_ROWS}")
        chosen = FailureChoice(cause=cause, stores=_stores(scope))
        return _json(await _listed(store, chosen, most, after=_after(cursor)))

    @routes.post(
        "/evaluations/retry",
        **described(Retried, forms=False),
        openapi_extra=taken(Retry, {"cause": "the model's answer was cut off"}, more=_ONE)
        | without(*FILTERS - {"store"}),
        summary="Have the judge try again",
        description=_RETRY,
    )
    async def post_retry(request: Request, scope: asked) -> Response:
        said = await _retry(request)
        chosen = FailureChoice(cause=said.cause, stores=_stores(scope), query_ids=said.query_ids)
        return _json(Retried(retried=await store.retry_failures(chosen, now=clock())))

    return routes


async def _listed(store: Failures, chosen: FailureChoice, most: int, *, after: tuple[int, str] | None) -> FailedList:
    found = await store.failures(chosen, most + 1, after=after)
    causes = await store.failure_causes(FailureChoice(stores=chosen.stores))
    last = found[most - 1] if len(found) > most else None
    return FailedList(
        total=sum(one.count for one in causes),
        causes=[Cause(**msgspec.structs.asdict(one)) for one in causes],
        items=[Failed(**msgspec.structs.asdict(one)) for one in found[:most]],
        next_cursor=f"{last.failed_at}.{last.query_id}" if last else None,
    )


def _stores(scope: Scope) -> frozenset[str] | None:
    if others := scope.filters - {"stores"}:
        names = ", ".join(sorted(name.removesuffix("s") for name in others))
        raise ParameterError(f"what failed is chosen by its store and its cause only; leave out {names}")
    return frozenset(scope.stores) or None


def _after(cursor: Text) -> tuple[int, str] | None:
    if cursor is None:
        return None
    moment, dot, query_id = cursor.partition(".")
    if not (dot and moment.isascii() and moment.isdecimal() and len(moment) <= MOST_DIGITS):
        raise ParameterError("cursor is the nextCursor of the page before")
    return int(moment), query_id


async def _retry(request: Request) -> Retry:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MOST_BYTES:
            raise BodyTooLarge(f"what is to be tried again takes at most {MOST_BYTES} bytes")
    try:
        said = msgspec.json.decode(body, type=Retry)
    except (ValueError, RecursionError) as error:
        cause = f": {error}" if isinstance(error, msgspec.ValidationError) else ""
        raise MalformedBody(f'what is to be tried again is a JSON object, such as {{"all": true}}{cause}') from error
    if [said.query_ids is not None, said.cause is not None, said.all].count(True) != 1:
        raise MalformedBody("one of queryIds, cause and all says which are to be tried again")
    return said


def _json(content: msgspec.Struct) -> Response:
    return Response(msgspec.json.encode(content), media_type="application/json", headers=HEADERS)
