"""The door: plain ASGI in front of the whole service. Who is it, from where, may they, and how often.

Behind it, a request's scope says whose it is (`PRINCIPAL`), and what else it may cost (`CHARGE`); its query string asks
only for what its key sees. Each answer says to browsers what they may do with it, and to callers what they have left.
"""

import time
from collections.abc import Awaitable, Callable, Sequence
from functools import lru_cache, partial

import msgspec
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from aura_analytics.clock import Clock, now
from aura_analytics.errors import (
    AlreadyReceived,
    AuraError,
    BodyTooLarge,
    Forbidden,
    StoreUnavailable,
    TooManyRequests,
    Unauthorised,
)
from aura_analytics.guard import credential, headers, network, signature
from aura_analytics.guard.access import Need, admit, narrowed, need_of
from aura_analytics.guard.budget import Budget, Portion, Unproven
from aura_analytics.guard.keyring import Keyring, is_public
from aura_analytics.guard.principal import LOCAL, Network, Principal
from aura_analytics.guard.rate import Counts, Decision, Limiter, Quota, caller_at, refuse
from aura_analytics.guard.rate import headers as told
from aura_analytics.guard.session import Sessions
from aura_analytics.guard.standing import STANDS

PRINCIPAL = "aura_principal"
CHARGE = "aura_charge"
# Set where it was a browser's session that said whose a request is.
SIGNED_IN = "aura_signed_in"

NO_KEYS = (
    "this service has no keys yet, so it answers its own machine only: make one with aura-analytics keys create,"
    " or let everybody in with AUTH=off"
)

# Who is refused for these pays by their address: else they could try, and have us work, as often as they like.
PAID_BY_ADDRESS = (Unauthorised, Forbidden, BodyTooLarge, AlreadyReceived)

Answer = Callable[[Scope, Exception], Awaitable[ASGIApp]]
RawHeaders = list[tuple[bytes, bytes]]


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """What the door keeps to. Without a quota there is no limit; `closed` False lets everybody in."""

    closed: bool = True
    trusted: tuple[Network, ...] = ()
    address_header: network.AddressHeader = "x-forwarded-for"
    origins: frozenset[str] = frozenset()
    requests: Quota | None = None
    events: Quota | None = None
    most_body_bytes: int = 16 << 20


class Visit(msgspec.Struct):
    """One request while it is looked at."""

    need: Need
    address: network.Address | None
    principal: Principal | None = None
    decisions: list[Decision] = msgspec.field(default_factory=list)


class Door:
    """Lets requests in.

    Args:
        app: the service behind.
        keyring: knows the keys.
        seen: knows the signed messages that have come.
        policy: what is kept to.
        answer: makes an answer of an error.
        sessions: knows the browsers that have signed in; without it, none has.
        count: makes what counts by a quota.
        budget: bytes of bodies that may be in the process; those that have to be whole before they are believed count.
        clock: the present.
        timer: seconds that only go forward.
    """

    def __init__(
        self,
        app: ASGIApp,
        keyring: Keyring,
        seen: signature.Seen,
        policy: Policy,
        answer: Answer,
        *,
        sessions: Sessions | None = None,
        budget: Budget | None = None,
        count: Callable[[Quota], Counts] = Limiter,
        clock: Clock = now,
        timer: Callable[[], float] = time.monotonic,
    ) -> None:
        self._app = app
        self._keyring = keyring
        self._seen = seen
        self._policy = policy
        self._answer = answer
        self._sessions = sessions
        self._budget = budget or Budget(policy.most_body_bytes)
        self._unproven = Unproven(self._budget)
        self._clock = clock
        self._timer = timer
        self._requests = count(policy.requests) if policy.requests else None
        self._events = count(policy.events) if policy.events else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            if scope["type"] == "websocket":  # there are none here
                await send({"type": "websocket.close", "code": 1008})
            return
        peer = scope["client"][0] if scope.get("client") else None
        client = network.client(
            peer, scope["headers"], trusted=self._policy.trusted, header=self._policy.address_header
        )
        visit = Visit(need_of(scope["method"], scope["path"]), client)
        outward = self._outward(scope, visit, send)
        if scope["method"] == "OPTIONS" and (asked := self._preflight(scope["headers"])) is not None:
            await outward({"type": "http.response.start", "status": 204, "headers": asked})
            await outward({"type": "http.response.body", "body": b""})
            return
        with Portion(self._budget) as portion:
            try:
                inward = await self._let_in(scope, receive, visit, peer, portion)
            except AuraError as error:
                refused = await self._answer(scope, error)
                await refused(scope, receive, outward)
                return
            await self._app(scope, inward, outward)

    async def _let_in(
        self, scope: Scope, receive: Receive, visit: Visit, peer: str | None, portion: Portion
    ) -> Receive:
        """Say in the scope what the service behind may know; give where it has the body from.

        Raises:
            Unauthorised: it isn't known whose it is.
            Forbidden: they may not do this.
            TooManyRequests: not this often.
        """
        if visit.need.scope is None:
            return receive
        try:
            visit.principal, secret = await self._whose(scope, peer)
            principal = visit.principal
            if not network.within(visit.address, principal.networks):
                raise Forbidden("this key isn't taken from this network")
            admit(principal, visit.need)
            inward = await self._proven(scope, receive, visit, secret=secret, portion=portion)
            # Only now: who knows no more than a key's public part could use up what it may send.
            await self._take(self._requests, visit, principal.key_id)
        except PAID_BY_ADDRESS:
            await self._take(self._requests, visit, caller_at(visit.address))
            raise
        scope[PRINCIPAL] = principal
        scope[STANDS] = partial(self._stands, scope, principal)
        if self._events is not None:
            scope[CHARGE] = partial(self._charge, visit, principal)
        if visit.need.narrowing == "query":
            scope["query_string"] = narrowed(scope["query_string"], principal)
        scope.get("aura_facts", {})["key"] = principal.key_id or principal.name
        if principal is not LOCAL:
            self._keyring.used(principal)
        return inward

    async def _whose(self, scope: Scope, peer: str | None) -> tuple[Principal, str | None]:
        shown: RawHeaders = scope["headers"]
        if not self._policy.closed:
            return LOCAL, None
        credential.refuse_in_url(scope["path"], scope["query_string"])
        if not self._keyring.is_fresh():
            await self._keyring.refresh()
        if not self._keyring.has_keys():
            if network.is_local(peer, shown, allowed=self._policy.origins):
                return LOCAL, None
            raise Unauthorised(NO_KEYS, shown=False)
        token = credential.given(shown)
        if token is None:
            if self._sessions is not None and (found := await self._sessions.holder(scope)) is not None:
                scope[SIGNED_IN] = True
                return found, None
            raise Unauthorised("this needs a key, in X-API-Key or as Authorization: Bearer", shown=False)
        principal, secret = self._keyring.known(token)
        if is_public(token) and signature.read(shown) is None:
            raise Unauthorised("the public part of a key names who signs, and there is no signature")
        return principal, secret

    async def _stands(self, scope: Scope, principal: Principal) -> bool:
        """Look at a request that goes on as it was looked at when it came; while nobody can tell, it does."""
        try:
            if not self._keyring.is_fresh():
                await self._keyring.refresh()
            if principal is LOCAL:
                return not self._policy.closed or not self._keyring.has_keys()
            if scope.get(SIGNED_IN) and self._sessions is not None:
                return await self._sessions.holder(scope) is not None
            self._keyring.holder(principal.key_id)
        except StoreUnavailable:
            return True
        except AuraError:
            return False
        return True

    async def _proven(
        self, scope: Scope, receive: Receive, visit: Visit, *, secret: str | None, portion: Portion
    ) -> Receive:
        """Check the signature of a request that has one or has to; give its body again afterwards."""
        principal = visit.principal
        if principal is None or principal is LOCAL:
            return receive
        signed = signature.read(scope["headers"])
        if signed is None:
            if principal.signed_only:
                raise Unauthorised("this key takes signed requests only")
            return receive
        if secret is None:
            raise Unauthorised("this key has no secret to sign with")
        signature.refuse_stale(signed, now=self._clock())
        with self._unproven.portion(caller_at(visit.address)) as take:
            body = await _body(scope["headers"], receive, self._policy.most_body_bytes, (take, portion.take))
        moment = self._clock()
        signature.verify(signed, body, [secret], now=moment)
        await signature.refuse_replay(signed, principal.key_id, self._seen, now=moment)
        return _again(body, receive, portion)

    async def _take(self, limiter: Counts | None, visit: Visit, caller: str, cost: int = 1) -> None:
        """Take a part of what a caller may send.

        Raises:
            TooManyRequests: there isn't enough.
        """
        if limiter is None or not caller:
            return
        visit.decisions = [
            *(one for one in visit.decisions if one.quota is not limiter.quota),
            await limiter.decide(caller, cost, now_s=self._timer()),
        ]
        try:
            refuse(visit.decisions)
        except TooManyRequests:
            visit.decisions = []  # the answer says it already
            raise

    async def _charge(self, visit: Visit, principal: Principal, events: int) -> None:
        """Take events out of what a key may send; the endpoint calls it once it has counted them."""
        await self._take(self._events, visit, principal.key_id, events)

    def _preflight(self, shown: RawHeaders) -> RawHeaders | None:
        named = {name.decode("latin-1"): value.decode("latin-1") for name, value in shown}
        if not headers.is_preflight("OPTIONS", named):
            return None
        allowed = headers.preflight(named["origin"], self._policy.origins)
        # What `_outward` says to every answer isn't said twice.
        usual = headers.cors(named["origin"], self._policy.origins)
        return _encoded({name: value for name, value in allowed.items() if usual.get(name) != value})

    def _outward(self, scope: Scope, visit: Visit, send: Send) -> Send:
        origin = _origin(scope["headers"]) if self._policy.origins else None
        https = scope.get("scheme") == "https"

        async def send_more(message: Message) -> None:
            if message["type"] == "http.response.start":
                more = list(message.get("headers", ()))
                named = dict(more)
                path = scope["path"] if scope["path"] in headers.DOCS else ""
                more += _usual(path, named.get(b"content-type", b""), origin, self._policy.origins, https=https)
                if b"cache-control" not in named:
                    more.append(headers.UNKEPT)
                if visit.decisions:
                    more += _encoded(told(visit.decisions))
                message["headers"] = more
            await send(message)

        return send_more


def whose(scope: Scope) -> Principal:
    """Give whose request it is, behind the door; where there is none, who asks has the database in hands."""
    principal: Principal = scope.get(PRINCIPAL, LOCAL)
    return principal


@lru_cache(maxsize=1_024)
def _usual(path: str, kind: bytes, origin: str | None, allowed: frozenset[str], *, https: bool) -> RawHeaders:
    secure = headers.secure(path, kind.decode("latin-1"), https=https)
    return _encoded({**secure, **headers.cors(origin, allowed)})


def _encoded(said: dict[str, str]) -> RawHeaders:
    return [(name.encode(), value.encode("latin-1")) for name, value in said.items()]


def _origin(shown: Sequence[tuple[bytes, bytes]]) -> str | None:
    return next((value.decode("latin-1") for name, value in shown if name == b"origin"), None)


async def _body(shown: RawHeaders, receive: Receive, most: int, takes: Sequence[Callable[[int], None]]) -> bytes:
    """Read a body that has to be whole before it is believed; each of `takes` is told what its pieces take.

    Raises:
        BodyTooLarge: there is more than may be.
        QueueFull: too much is in the process already.
        Unauthorised: the caller went away before its end.
    """
    announced = next((value for name, value in shown if name == b"content-length"), b"")
    if announced.isdigit() and int(announced) > most:
        raise BodyTooLarge(f"a signed body takes at most {most} bytes")
    pieces: list[bytes] = []
    size, more = 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Unauthorised("the body ended before it was whole")
        pieces.append(message.get("body", b""))
        size += len(pieces[-1])
        if size > most:
            raise BodyTooLarge(f"a signed body takes at most {most} bytes")
        for take in takes:
            take(len(pieces[-1]))
        more = message.get("more_body", False)
    return b"".join(pieces)


def _again(body: bytes, receive: Receive, portion: Portion) -> Receive:
    """Give a body that was read as though it came now, and then whatever comes after it; who takes it pays for it."""
    given = False

    async def receive_again() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        portion.give_back()
        return {"type": "http.request", "body": body, "more_body": False}

    return receive_again
