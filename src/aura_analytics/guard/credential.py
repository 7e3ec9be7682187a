"""What a request says about who sends it: a key in `X-API-Key` or as `Authorization: Bearer`."""

from collections.abc import Iterable
from functools import lru_cache
from urllib.parse import unquote

from aura_analytics.errors import Unauthorised
from aura_analytics.guard import key

# As ASGI has them.
Headers = Iterable[tuple[bytes, bytes]]

KEY_HEADER = b"x-api-key"
AUTHORIZATION = b"authorization"
BEARER = b"bearer"
# Longer than any key; what is longer isn't looked at.
LONGEST = 256


def given(headers: Headers) -> str | None:
    """Give the one key that a request shows, or its public part; None where it shows none.

    The same key in both places is one key. The empty header of a script whose variable isn't set is a mistake and no
    absence, so that it isn't served as nobody.

    Raises:
        Unauthorised: there are two different keys, or something that is none. The message repeats nothing of it.
    """
    found: str | None = None
    for name, value in headers:
        if name == KEY_HEADER:
            text = value.strip()
        elif name == AUTHORIZATION:
            text = _bearer(value)
        else:
            continue
        token = _read(text)
        if found is not None and found != token:
            raise Unauthorised("the request shows two different keys")
        found = token
    return found


def _bearer(value: bytes) -> bytes:
    scheme, _, rest = value.strip().partition(b" ")
    if scheme.lower() != BEARER:
        raise Unauthorised("Authorization takes Bearer and a key")
    return rest.strip()


def refuse_in_url(path: str, query_string: bytes) -> None:
    """See that no whole key stands in an address: proxies and browsers note those.

    Raises:
        Unauthorised: one does. The message repeats nothing of it.
    """
    query = query_string.decode("latin-1")
    if key.PREFIX not in path and key.PREFIX not in query and "%" not in query:
        return
    if key.hidden(path) != path or key.hidden(unquote(query)) != unquote(query):
        raise Unauthorised("a key goes into a header: in an address it is noted on its way, so take this one back")


@lru_cache(maxsize=1_024)  # the same keys come again and again
def _read(text: bytes) -> str:
    token = text.decode("latin-1")
    if len(text) > LONGEST or key.id_of(token) is None:
        raise Unauthorised("this is no key: it is mistyped, cut off, or something else")
    return token
