"""The page that people look at: built files, sent packed, from memory.

`web/` is its source, and `hatch_build.py` puts what is built of it into `dashboard/` of this package, each file also
packed. What a file in `assets/` holds is part of its name, so that a browser need never ask for it again.
"""

from hashlib import blake2b
from http import HTTPStatus
from importlib.resources import files
from importlib.resources.abc import Traversable

import msgspec
from starlette.types import Receive, Scope, Send

from aura_analytics.api import problems

# The views, each a path of its own; which one is shown, the page finds in its address.
VIEWS = ("/", "/explore", "/browse", "/review", "/pipeline")
INDEX = "index.html"

MEDIA_TYPES = {
    "css": b"text/css; charset=utf-8",
    "html": b"text/html; charset=utf-8",
    "js": b"text/javascript; charset=utf-8",
    "svg": b"image/svg+xml",
}
# By how a packed file's name ends, the smallest first.
ENCODINGS = {"br": ".br", "gzip": ".gz"}

LASTING = b"public, max-age=31536000, immutable"
ASKED_AGAIN = b"no-cache"

# What stands at `/` where the page wasn't built, as in a checkout before `make`.
NOT_BUILT = b"""\
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark">
<title>Aura Analytics</title>
<h1>Aura Analytics is running</h1>
<p>Its page isn't built in this checkout. Run <code>make page</code>, start the server again, and look here again.</p>
<p>All numbers are there meanwhile: <a href="docs">the endpoints</a>, for example
<a href="stats/summary?period=7d">the summary of the last seven days</a>.</p>
</html>
"""


class File(msgspec.Struct, frozen=True):
    """A file in the forms that there are of it, by their `Content-Encoding`; `identity` is the file as it is."""

    media_type: bytes
    lasting: bool
    forms: dict[str, bytes]
    tags: dict[str, bytes]


class Page:
    """Plain ASGI over some files, by the paths that they are at."""

    def __init__(self, found: dict[str, File]) -> None:
        self._files = found

    @property
    def paths(self) -> tuple[str, ...]:
        """Every path that there is something at."""
        return tuple(self._files)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["method"] not in ("GET", "HEAD"):
            allowed = {"allow": "GET, HEAD"}
            answer = problems.problem(
                HTTPStatus.METHOD_NOT_ALLOWED,
                code="method_not_allowed",
                title=HTTPStatus.METHOD_NOT_ALLOWED.phrase,
                detail=None,
                headers=allowed,
            )
            await answer(scope, receive, send)
            return
        asked = dict(scope["headers"])
        file = self._files[scope["path"]]
        form = _form(file, asked.get(b"accept-encoding", b""))
        is_known = file.tags[form] in asked.get(b"if-none-match", b"")
        body = b"" if is_known else file.forms[form]
        await send(
            {
                "type": "http.response.start",
                "status": HTTPStatus.NOT_MODIFIED if is_known else HTTPStatus.OK,
                "headers": _headers(file, form, len(body), is_known=is_known),
            }
        )
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})


def built_page() -> Page:
    """Read the page of this package; where it wasn't built, one that says so."""
    folder = files("aura_analytics") / "dashboard"
    return Page(_read(folder) if (folder / INDEX).is_file() else _everywhere(_file(INDEX, {"identity": NOT_BUILT})))


def _read(folder: Traversable) -> dict[str, File]:
    found = _everywhere(_packed(folder, INDEX))
    for one in (folder / "assets").iterdir():
        if one.name.rpartition(".")[2] in MEDIA_TYPES:
            found[f"/assets/{one.name}"] = _packed(folder / "assets", one.name)
    return found


def _everywhere(index: File) -> dict[str, File]:
    return dict.fromkeys(VIEWS, index)


def _packed(folder: Traversable, name: str) -> File:
    forms = {"identity": (folder / name).read_bytes()}
    for encoding, ending in ENCODINGS.items():
        packed = folder / f"{name}{ending}"
        if packed.is_file():
            forms[encoding] = packed.read_bytes()
    return _file(name, forms)


def _file(name: str, forms: dict[str, bytes]) -> File:
    return File(
        media_type=MEDIA_TYPES[name.rpartition(".")[2]],
        lasting=name != INDEX,
        forms=forms,
        tags={form: b'"%s"' % blake2b(body, digest_size=16).hexdigest().encode() for form, body in forms.items()},
    )


def _form(file: File, accepted: bytes) -> str:
    """Choose the smallest form that a client takes; one that it names with a weight of nothing it doesn't take."""
    names: set[str] = set()
    for part in accepted.decode("latin-1").lower().split(","):
        name, _, weight = part.partition(";")
        if weight.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000"):
            names.add(name.strip())
    return next((encoding for encoding in ENCODINGS if encoding in names and encoding in file.forms), "identity")


def _headers(file: File, form: str, length: int, *, is_known: bool) -> list[tuple[bytes, bytes]]:
    headers = [
        (b"cache-control", LASTING if file.lasting else ASKED_AGAIN),
        (b"etag", file.tags[form]),
        (b"vary", b"Accept-Encoding"),
        # With a 304 too: what a page may load goes by it, and a browser takes that over.
        (b"content-type", file.media_type),
    ]
    if is_known:
        return headers
    if form != "identity":
        headers.append((b"content-encoding", form.encode()))
    return [*headers, (b"content-length", str(length).encode())]
