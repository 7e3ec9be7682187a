"""Which route needs which scope. What isn't in the table is for administrators alone, so that a new one is never open."""

import re
from collections.abc import Iterable
from typing import Literal
from urllib.parse import parse_qsl, urlencode

import msgspec

from aura_analytics.errors import Forbidden
from aura_analytics.guard.principal import Principal, Scope, effective_stores

# How a route keeps to the stores of a key that sees only some: by the `store` parameter of its query string, by looking
# at the stores of what it takes or gives, or not at all; then such a key isn't let in.
Narrowing = Literal["query", "itself", "none"]

# The names of the `store` parameter.
STORE_NAMES = frozenset({"store", "storeId", "store_id"})


class Need(msgspec.Struct, frozen=True):
    """What a route needs: a scope (None: anybody may come in, `known`: whoever has a key), and how it is narrowed."""

    scope: Scope | Literal["known"] | None
    narrowing: Narrowing = "query"


DENIED = Need("admin", "none")
_READ = Need("read")

# By method and path; `{name}` is one segment, `{name:path}` all that follow. HEAD needs what GET does.
ROUTES: dict[tuple[str, str], Need] = {
    ("GET", "/health"): Need(None),
    # The page holds no numbers: those it asks for with a key.
    ("GET", "/"): Need(None),
    ("GET", "/explore"): Need(None),
    ("GET", "/browse"): Need(None),
    ("GET", "/review"): Need(None),
    ("GET", "/pipeline"): Need(None),
    ("GET", "/assets/{file:path}"): Need(None),
    ("GET", "/stats/live"): Need("read", "itself"),  # that something has changed, and not what
    ("POST", "/ingest"): Need("ingest", "itself"),
    ("GET", "/stats/summary"): _READ,
    ("GET", "/stats/top-queries"): _READ,
    ("GET", "/stats/unanswered"): _READ,
    ("GET", "/stats/hourly"): _READ,
    ("GET", "/stats/timeseries"): _READ,
    ("GET", "/stats/intents"): _READ,
    ("GET", "/stats/models"): _READ,
    ("GET", "/stats/stores"): _READ,
    ("GET", "/stats/latency"): _READ,
    ("GET", "/stats/quality"): _READ,
    ("GET", "/stats/sessions"): _READ,
    ("GET", "/stats/dataset"): _READ,
    ("GET", "/stats/conversions"): _READ,
    ("GET", "/stats/agreement"): _READ,
    ("POST", "/stats/agreement"): _READ,
    ("GET", "/stats/judge"): _READ,  # it takes one store, or none for all; what is of all isn't told of one
    ("GET", "/insights/rephrasings"): _READ,
    ("GET", "/insights/causes"): _READ,
    ("GET", "/insights/demand"): _READ,
    ("GET", "/insights/key-terms"): _READ,
    ("GET", "/insights/synonyms"): _READ,
    ("GET", "/export/training-data"): _READ,
    ("GET", "/interactions"): _READ,
    ("GET", "/interactions/{query_id:path}"): Need("read", "itself"),
    ("GET", "/evaluations/queue"): Need("review"),
    ("POST", "/evaluations/{query_id:path}"): Need("review", "itself"),
    ("GET", "/verify"): Need("admin", "none"),
    ("GET", "/openapi.json"): Need("read", "itself"),  # the description holds nothing of any store
    ("GET", "/docs"): Need("read", "itself"),
    ("GET", "/redoc"): Need("read", "itself"),
    ("GET", "/static-offline-docs/{file:path}"): Need("read", "itself"),
    ("GET", "/evaluations/failed"): Need("review"),
    ("POST", "/evaluations/retry"): Need("review"),  # a judge that is asked again is paid again, within its day's money
    ("DELETE", "/evaluations/{query_id:path}"): Need("review", "itself"),
    # To sign in and out, one needs no more than a key; who has signed in may ask what they may.
    ("POST", "/session"): Need(None),
    ("DELETE", "/session"): Need(None),
    ("GET", "/session"): Need("known", "itself"),
    ("GET", "/users/{user_id:path}"): Need("admin", "none"),  # a person is one in all stores
    ("DELETE", "/users/{user_id:path}"): Need("admin", "none"),
    ("GET", "/audit"): Need("admin", "none"),
    ("GET", "/metrics"): Need("metrics", "none"),  # counts of all stores together
    ("GET", "/alerts"): Need("read", "none"),
    ("POST", "/alerts/test"): Need("admin", "none"),
    ("GET", "/logs/tail"): Need("admin", "none"),  # what is logged is of all stores
}


def _pattern(template: str) -> re.Pattern[str]:
    parts = re.split(r"\{\w+(:path)?\}", template)
    written = re.escape(parts[0])
    for kind, text in zip(parts[1::2], parts[2::2], strict=True):
        written += ("(?s:.+)" if kind else "[^/]+") + re.escape(text)
    return re.compile(written)


_EXACT = {route: need for route, need in ROUTES.items() if "{" not in route[1]}
_PATTERNS = [(method, _pattern(path), need) for (method, path), need in ROUTES.items() if "{" in path]


_TEMPLATES = [(method, _pattern(path), path) for method, path in ROUTES if "{" in path]


def need_of(method: str, path: str) -> Need:
    """Give what a request needs; where no route of the table fits, an administrator."""
    if method == "HEAD":
        method = "GET"
    if (need := _EXACT.get((method, path))) is not None:
        return need
    fitting = (need for verb, pattern, need in _PATTERNS if verb == method and pattern.fullmatch(path))
    return next(fitting, DENIED)


def route_of(method: str, path: str) -> str:
    """Give the route that a request is of, as the table has it; `other` where it has none."""
    if method == "HEAD":
        method = "GET"
    if (method, path) in _EXACT:
        return path
    fitting = (template for verb, pattern, template in _TEMPLATES if verb == method and pattern.fullmatch(path))
    return next(fitting, "other")


def admit(principal: Principal, need: Need) -> None:
    """See that a principal may use a route.

    Raises:
        Forbidden: a scope is missing, or the route can't be kept to the principal's stores.
    """
    if need.scope is not None and need.scope != "known" and not principal.may(need.scope):
        raise Forbidden(f"this needs the scope {need.scope}")
    if need.narrowing == "none" and principal.stores is not None:
        raise Forbidden("this is about all stores, and this key sees only some")


def narrowed(query_string: bytes, principal: Principal) -> bytes:
    """Give the query string that asks only for what a principal sees: it names its stores where it named none.

    So every endpoint that reads its stores there keeps to them without knowing of keys, and kept answers, which are
    told apart by the query string, are never another key's.

    Raises:
        Forbidden: it asks for a store that isn't theirs, or can't be read.
    """
    if principal.stores is None:
        return query_string
    try:
        asked = [value for name, value in _parameters(query_string) if name in STORE_NAMES]
    except ValueError as error:
        raise Forbidden("the query string can't be read") from error
    stores = effective_stores(principal, asked)
    if asked:
        return query_string
    if not stores:
        raise Forbidden("this key sees no store")
    own = urlencode([("store", store_id) for store_id in sorted(stores)]).encode()
    return query_string + b"&" + own if query_string else own


def _parameters(query_string: bytes) -> Iterable[tuple[str, str]]:
    return parse_qsl(query_string.decode("latin-1"), keep_blank_values=True)
