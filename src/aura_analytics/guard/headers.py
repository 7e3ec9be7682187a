"""What every answer says to browsers: what a page of ours may load, and which other pages may ask."""

from collections.abc import Iterable, Mapping

# A page of ours loads only what comes from here, and stands in nobody's frame. An answer of numbers is no page at all.
PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self';"
    " base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
API_POLICY = "default-src 'none'; frame-ancestors 'none'"
# The page of OpenAPI, as its framework writes it, has its script and its styles in itself.
DOCS_POLICY = (
    "default-src 'none'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; img-src 'self' data:;"
    " font-src 'self'; worker-src blob:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
DOCS = frozenset({"/docs", "/redoc"})

COMMON: Mapping[str, str] = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
}
# Only where a page of another origin isn't meant to read it; CORS says where it is.
OWN_ONLY: Mapping[str, str] = {"cross-origin-resource-policy": "same-origin"}
# What says nothing of being kept isn't, on no way: it may be one key's, and the address doesn't say so.
UNKEPT = (b"cache-control", b"no-store")
HTTPS_S = 31_536_000

METHODS = "GET, HEAD, POST, OPTIONS"
REQUEST_HEADERS = (
    "Authorization, X-API-Key, Content-Type, Content-Encoding, X-Correlation-ID, If-None-Match, webhook-id,"
    " webhook-timestamp, webhook-signature"
)
# Beside those that every page may read.
RESPONSE_HEADERS = (
    "Content-Disposition, ETag, Link, RateLimit, RateLimit-Policy, Retry-After, WWW-Authenticate, X-Correlation-ID"
)
PREFLIGHT_S = 7_200  # the longest that browsers keep it


def secure(path: str, content_type: str, *, https: bool) -> dict[str, str]:
    """Give the headers of an answer.

    Args:
        path: of the request.
        content_type: of the answer.
        https: whether the client is known to speak HTTPS with us; only then may it be told to stay with it.
    """
    told = {**COMMON, "content-security-policy": policy(path, content_type)}
    if https:
        told["strict-transport-security"] = f"max-age={HTTPS_S}"
    return told


def policy(path: str, content_type: str) -> str:
    """Give what an answer may load, should a browser show it as a page."""
    if content_type.partition(";")[0].strip().lower() != "text/html":
        return API_POLICY
    return DOCS_POLICY if path in DOCS else PAGE_POLICY


def origins(text: str) -> frozenset[str]:
    """Read origins, separated by commas or spaces: `https://shop.example`, with a port where it isn't the usual one.

    Raises:
        ValueError: one of them is none; the message names it. `*` and patterns are none: who may ask is said exactly.
    """
    return frozenset(_origin(part) for part in text.replace(",", " ").split())


def _origin(text: str) -> str:
    scheme, separator, host = text.lower().partition("://")
    if scheme not in ("http", "https") or not separator or not host or set(host) & set("/*?#@\\'\""):
        raise ValueError(f"“{text}” is no origin, such as https://shop.example or http://localhost:5173")
    usual = ":443" if scheme == "https" else ":80"
    return f"{scheme}://{host.removesuffix(usual)}"


def cors(origin: str | None, allowed: Iterable[str]) -> dict[str, str]:
    """Give what an answer says about who may read it: the page of that origin, or none but ours.

    `Vary` goes with each answer once there are origins at all: one that is kept on the way is not another page's.
    """
    permitted = frozenset(allowed)
    if not permitted:
        return dict(OWN_ONLY)
    if origin is None or origin.lower() not in permitted:
        return {**OWN_ONLY, "vary": "Origin"}
    return {
        "access-control-allow-origin": origin,
        "access-control-expose-headers": RESPONSE_HEADERS,
        "cross-origin-resource-policy": "cross-origin",
        "vary": "Origin",
    }


def preflight(origin: str | None, allowed: Iterable[str]) -> dict[str, str]:
    """Give the answer to the question of a browser that comes before a request, which carries no key.

    Keys go in headers and never in cookies, so that no credentials are allowed.
    """
    told = cors(origin, allowed)
    if "access-control-allow-origin" not in told:
        return told
    return {
        **told,
        "access-control-allow-methods": METHODS,
        "access-control-allow-headers": REQUEST_HEADERS,
        "access-control-max-age": str(PREFLIGHT_S),
        "vary": "Origin, Access-Control-Request-Method, Access-Control-Request-Headers",
    }


def is_preflight(method: str, headers: Mapping[str, str]) -> bool:
    """Tell a browser's question from an OPTIONS request of somebody else."""
    return method == "OPTIONS" and "origin" in headers and "access-control-request-method" in headers
