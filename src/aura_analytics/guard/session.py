"""A browser that signed in with a key: a cookie in place of the key, which a page then needn't keep.

What the browser holds is random, and only its hash is kept, so that who reads the database can't sign in by it. What a
session may is asked of its key with each request: it ends with the key, and sees what the key sees now. Any server of the
database takes it; one that was ended elsewhere is taken for up to `FRESH_MS` more.

A browser sends cookies by itself, also where a page of somebody else's makes it ask. So the cookie is `SameSite=Strict`;
what tells of another origin is refused, also of the same site; and whatever changes something must bear the header `PAGE`.
No form can send one, and a script of another origin only after a preflight, which never allows this header, whatever
origins may ask with a key.
"""

import secrets
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from urllib.parse import urlsplit

import msgspec
from starlette.types import Scope

from aura_analytics.clock import Clock, now
from aura_analytics.errors import Forbidden, StoreUnavailable, Unauthorised
from aura_analytics.guard import key, network
from aura_analytics.guard.keyring import Keyring
from aura_analytics.guard.network import AddressHeader
from aura_analytics.guard.principal import Network, Principal
from aura_analytics.guard.rate import Limiter, Quota, caller_at, refuse
from aura_analytics.store.sessions import PageSession, SessionStore

# With the first name, a browser takes a cookie only by HTTPS and of this very host; it is the only one that counts there.
SECURE_COOKIE, COOKIE = "__Host-aura", "aura"
TOKEN_BYTES = 32
LASTING_MS = 7 * 86_400_000
# What a page sends with all that changes something, with whatever value.
PAGE = b"x-aura-page"
READING = frozenset({"GET", "HEAD"})

# A session that was looked up is believed for so long; where the database can't be asked, for longer.
FRESH_MS = 2_000
UNREAD_MS = 60_000
MOST_HELD = 4_096
# How often an address may try to sign in, whatever else is limited.
ATTEMPTS = Quota(name="sign-ins", per_second=0.2, burst=10)

ENDED = "this session has ended: sign in again"
FOREIGN = "a session is for the page of this service; others show a key"

Headers = Iterable[tuple[bytes, bytes]]


class Opened(msgspec.Struct, frozen=True):
    """A session at the only moment at which what the browser is given is known; `cookie` is the header's whole value."""

    principal: Principal
    cookie: str


class Sessions:
    """The sessions of a row database, for this process.

    Args:
        store: keeps them.
        keyring: knows the keys.
        trusted: the proxies that are believed.
        address_header: in which they say whose request it is.
        clock: the present.
        timer: seconds that only go forward.
    """

    def __init__(
        self,
        store: SessionStore,
        keyring: Keyring,
        *,
        trusted: tuple[Network, ...] = (),
        address_header: AddressHeader = "x-forwarded-for",
        clock: Clock = now,
        timer: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._keyring = keyring
        self._trusted = trusted
        self._address_header = address_header
        self._clock = clock
        self._timer = timer
        self._attempts = Limiter(ATTEMPTS)
        self._held: OrderedDict[str, tuple[PageSession, int]] = OrderedDict()

    async def open(self, scope: Scope, token: str) -> Opened:
        """Sign a browser in.

        Args:
            scope: of the request.
            token: the key.

        Raises:
            TooManyRequests: it was tried too often from there.
            Unauthorised: this is no key, or it isn't known, or opens signed requests only.
            Forbidden: a page of another origin asks, or the key isn't taken from this network.
        """
        refuse_foreign(scope["method"], scope["headers"])
        peer = _peer(scope)
        address = network.client(peer, scope["headers"], trusted=self._trusted, header=self._address_header)
        refuse([self._attempts.take(caller_at(address), now_s=self._timer())])
        principal = await self._holder(token)
        if principal.signed_only:
            raise Unauthorised("this key takes signed requests only")
        if not network.within(address, principal.networks):
            raise Forbidden("this key isn't taken from this network")
        given, moment = secrets.token_urlsafe(TOKEN_BYTES), self._clock()
        ends_at = min(moment + LASTING_MS, principal.expires_at or moment + LASTING_MS)
        made = PageSession(hash=key.digest(given), key_id=principal.key_id, opened_at=moment, ends_at=ends_at)
        await self._store.open(made)
        self._keyring.used(principal)
        return Opened(principal, self._cookie(scope, given, (ends_at - moment) // 1_000))

    async def holder(self, scope: Scope) -> Principal | None:
        """Give who has signed in with the cookie of a request; None where it has none.

        Raises:
            Unauthorised: the session has ended, or its key has.
            Forbidden: a page of another origin asks.
        """
        given = self._given(scope)
        if given is None:
            return None
        refuse_foreign(scope["method"], scope["headers"])
        found = await self._find(key.digest(given))
        if found is None:
            raise Unauthorised(ENDED)
        return self._keyring.holder(found.key_id)

    async def end(self, scope: Scope) -> list[str]:
        """Sign a browser out; give the headers that take its cookies away.

        Raises:
            Forbidden: a page of another origin asks.
        """
        refuse_foreign(scope["method"], scope["headers"])
        given = self._given(scope)
        if given is not None:
            hash = key.digest(given)
            self._held.pop(hash, None)
            await self._store.end(hash)
        return [f"{COOKIE}=; {_ATTRIBUTES}; Max-Age=0", f"{SECURE_COOKIE}=; {_ATTRIBUTES}; Secure; Max-Age=0"]

    async def _holder(self, token: str) -> Principal:
        """Give who holds a key; one that isn't known may have been made a moment ago."""
        if not key.is_whole(token):
            raise Unauthorised("this is no key: it is mistyped, cut off, or something else")
        try:
            return self._keyring.known(token)[0]
        except Unauthorised:
            await self._keyring.reread()
            return self._keyring.known(token)[0]

    async def _find(self, hash: str) -> PageSession | None:
        moment = self._clock()
        held, read_at = self._held.get(hash, (None, 0))
        if held is not None and 0 <= moment - read_at <= FRESH_MS:
            return held if moment < held.ends_at else None
        try:
            found = await self._store.find(hash, now=moment)
        except StoreUnavailable:
            if held is None or not 0 <= moment - read_at <= UNREAD_MS or moment >= held.ends_at:
                raise
            return held
        self._held.pop(hash, None)
        if found is not None:
            self._held[hash] = (found, moment)
            if len(self._held) > MOST_HELD:
                self._held.popitem(last=False)
        return found

    def _given(self, scope: Scope) -> str | None:
        found = cookies(scope["headers"])
        if SECURE_COOKIE in found:
            return found[SECURE_COOKIE]
        # By HTTPS anybody of the same site could have set the other one.
        return None if self._is_https(scope) else found.get(COOKIE)

    def _cookie(self, scope: Scope, given: str, lasting_s: int) -> str:
        # The browser knows by which way its page came, also behind a proxy that isn't named as trusted.
        origin = _first(scope["headers"], b"origin") or b""
        is_secure = self._is_https(scope) or origin.lower().startswith(b"https://")
        name, more = (SECURE_COOKIE, "; Secure") if is_secure else (COOKIE, "")
        return f"{name}={given}; {_ATTRIBUTES}{more}; Max-Age={lasting_s}"

    def _is_https(self, scope: Scope) -> bool:
        return network.is_https(scope.get("scheme"), _peer(scope), scope["headers"], trusted=self._trusted)


_ATTRIBUTES = "Path=/; HttpOnly; SameSite=Strict"


def refuse_foreign(method: str, headers: Sequence[tuple[bytes, bytes]]) -> None:
    """See that a request is a page's of this very origin.

    Raises:
        Forbidden: it isn't, or changes something and doesn't say so.
    """
    site = _first(headers, b"sec-fetch-site")
    if site is not None and site not in (b"same-origin", b"none"):
        raise Forbidden(FOREIGN)
    if method in READING:
        return
    if _first(headers, PAGE) is None:
        raise Forbidden(f"{FOREIGN}; the page says who it is in {PAGE.decode()}")
    # Browsers leave the first header out where a page came by HTTP from another machine.
    origin = _first(headers, b"origin")
    if site is None and origin is not None and not _is_at(origin, _first(headers, b"host")):
        raise Forbidden(FOREIGN)


def cookies(headers: Headers) -> dict[str, str]:
    """Give our cookies; the first of a name, which is the one with the longest path."""
    found: dict[str, str] = {}
    for name, value in headers:
        if name != b"cookie":
            continue
        for pair in value.decode("latin-1").split(";"):
            own, _, given = pair.strip().partition("=")
            if own in (COOKIE, SECURE_COOKIE):
                found.setdefault(own, given)
    return found


def _is_at(origin: bytes, host: bytes | None) -> bool:
    try:
        return host is not None and urlsplit(origin.decode("latin-1")).netloc.lower() == host.decode("latin-1").lower()
    except ValueError:
        return False


def _first(headers: Headers, wanted: bytes) -> bytes | None:
    return next((value for name, value in headers if name == wanted), None)


def _peer(scope: Scope) -> str | None:
    return scope["client"][0] if scope.get("client") else None
