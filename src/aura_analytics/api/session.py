"""`/session`: a browser signs in with a key, asks who it is, and signs out."""

from typing import Literal

import msgspec
from fastapi import APIRouter, Request, Response

from aura_analytics.api.description import PROBLEM
from aura_analytics.api.endpoints import described
from aura_analytics.errors import BodyTooLarge, MalformedBody
from aura_analytics.guard.door import SIGNED_IN, whose
from aura_analytics.guard.principal import SCOPES, Principal, Scope
from aura_analytics.guard.session import Sessions

MOST_BYTES = 4 << 10
HEADERS = {"cache-control": "no-store"}

_BODY = {
    "required": True,
    "content": {
        "application/json": {
            "schema": {"type": "object", "required": ["key"], "properties": {"key": {"type": "string"}}},
        }
    },
}
_OPEN = """\
For the page of this service: a cookie then stands for the key, which ends with it. Scripts show the key itself. The
request has to bear the header `X-Aura-Page`, as all have to that change something by the cookie.
"""


class Who(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Who asks: `by` what that is known, all that they may do, and which stores they see; None is all of them."""

    by: Literal["session", "key", "nothing"]
    name: str
    key_id: str | None
    scopes: list[Scope]
    stores: list[str] | None
    expires_at: int | None


class SignIn(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is sent to sign in."""

    key: str


def router(sessions: Sessions) -> APIRouter:
    """Make the endpoints over the sessions."""
    routes = APIRouter()
    opened = described(Who, forms=False)
    for status, words in ((401, "This key isn't known."), (429, "It was tried too often from this address.")):
        opened["responses"][status] = PROBLEM | {"description": words}

    @routes.post(
        "/session", **opened, openapi_extra={"requestBody": _BODY}, summary="Sign a browser in", description=_OPEN
    )
    async def post_session(request: Request) -> Response:
        found = await sessions.open(request.scope, await _key(request))
        return _told(_who(found.principal, "session"), found.cookie)

    @routes.get("/session", **described(Who, forms=False), summary="Who asks, and what they may")
    async def get_session(request: Request) -> Response:
        principal = whose(request.scope)
        by: Literal["session", "key", "nothing"] = "key" if principal.key_id else "nothing"
        return _told(_who(principal, "session" if request.scope.get(SIGNED_IN) else by))

    @routes.delete("/session", status_code=204, response_class=Response, summary="Sign a browser out")
    async def delete_session(request: Request) -> Response:
        answer = Response(status_code=204, headers=HEADERS)
        for cookie in await sessions.end(request.scope):
            answer.headers.append("set-cookie", cookie)
        return answer

    return routes


def _who(principal: Principal, by: Literal["session", "key", "nothing"]) -> Who:
    return Who(
        by=by,
        name=principal.name,
        key_id=principal.key_id or None,
        scopes=[scope for scope in SCOPES if principal.may(scope)],
        stores=None if principal.stores is None else sorted(principal.stores),
        expires_at=principal.expires_at,
    )


def _told(who: Who, cookie: str | None = None) -> Response:
    more = {"set-cookie": cookie} if cookie else {}
    return Response(msgspec.json.encode(who), media_type="application/json", headers=HEADERS | more)


async def _key(request: Request) -> str:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MOST_BYTES:
            raise BodyTooLarge(f"a key takes at most {MOST_BYTES} bytes")
    try:
        return msgspec.json.decode(body, type=SignIn).key.strip()
    except (ValueError, RecursionError) as error:
        raise MalformedBody('a key comes as a JSON object: {"key": "aura_sk_…"}') from error
