"""The page's files: packed as the client takes them, kept where nothing can change, nothing from elsewhere."""

import gzip
from pathlib import Path

import pytest

from aura_analytics.api import page
from aura_analytics.api.page import Page, built_page
from unit.api.conftest import Reach


@pytest.fixture
def files(tmp_path: Path) -> Page:
    """A page of two files."""
    (tmp_path / "assets").mkdir()
    (tmp_path / "index.html").write_bytes(b"<!doctype html>")
    (tmp_path / "assets" / "main-abc.js").write_bytes(b"go()")
    (tmp_path / "assets" / "main-abc.js.gz").write_bytes(gzip.compress(b"go()"))
    (tmp_path / "assets" / "main-abc.js.br").write_bytes(b"packed with brotli")
    (tmp_path / "assets" / "notes.txt").write_bytes(b"not meant to be served")
    return Page(page._read(tmp_path))


async def test_every_view_is_the_same_document(files: Page, reach: Reach) -> None:
    client = reach(files)
    for path in page.VIEWS:
        answer = await client.get(path)
        assert (answer.status_code, answer.text) == (200, "<!doctype html>")
        assert answer.headers["content-type"] == "text/html; charset=utf-8"
        assert answer.headers["cache-control"] == "no-cache"


def test_only_what_a_page_is_made_of_is_served(files: Page) -> None:
    assert set(files.paths) == {*page.VIEWS, "/assets/main-abc.js"}


@pytest.mark.parametrize(
    ("accepted", "encoding"),
    [
        ("gzip, deflate, br", "br"),
        ("GZIP", "gzip"),
        ("br;q=0, gzip;q=0.5", "gzip"),
        ("identity", None),
        ("", None),
        ("brotli, x-gzip, \xff", None),
    ],
)
async def test_a_file_comes_packed_as_the_client_takes_it(
    files: Page, reach: Reach, accepted: str, encoding: str | None
) -> None:
    async with reach(files).stream(
        "GET", "/assets/main-abc.js", headers={"accept-encoding": accepted.encode("latin-1")}
    ) as answer:
        raw = b"".join([piece async for piece in answer.aiter_raw()])
    assert answer.headers.get("content-encoding") == encoding
    assert answer.headers["vary"] == "Accept-Encoding"
    assert int(answer.headers["content-length"]) == len(raw)
    assert raw == {"br": b"packed with brotli", "gzip": gzip.compress(b"go()"), None: b"go()"}[encoding]


async def test_a_file_named_by_what_it_holds_is_kept_for_ever(files: Page, reach: Reach) -> None:
    answer = await reach(files).get("/assets/main-abc.js", headers={"accept-encoding": "identity"})
    assert "immutable" in answer.headers["cache-control"]
    assert answer.headers["content-type"] == "text/javascript; charset=utf-8"


async def test_what_the_client_has_already_is_not_sent_again(files: Page, reach: Reach) -> None:
    client = reach(files)
    tag = (await client.get("/")).headers["etag"]
    again = await client.get("/", headers={"if-none-match": f"W/{tag}"})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    other = await client.get("/assets/main-abc.js", headers={"if-none-match": tag, "accept-encoding": "gzip"})
    assert other.status_code == 200


async def test_a_head_has_no_body_and_nothing_can_be_sent(files: Page, reach: Reach) -> None:
    client = reach(files)
    head = await client.head("/")
    assert (head.status_code, head.content, head.headers["content-length"]) == (200, b"", "15")
    refused = await client.post("/")
    assert (refused.status_code, refused.headers["allow"]) == (405, "GET, HEAD")


async def test_a_document_says_that_it_is_one_even_where_it_is_known(files: Page, reach: Reach) -> None:
    """What it may load is said by that, and a browser takes over what comes with a 304."""
    first = await reach(files).get("/")
    again = await reach(files).get("/", headers={"if-none-match": first.headers["etag"]})
    assert again.status_code == 304
    assert again.headers["content-type"] == first.headers["content-type"] == "text/html; charset=utf-8"


async def test_where_it_was_not_built_it_says_so(reach: Reach, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(page, "files", lambda _package: tmp_path)
    answer = await reach(built_page()).get("/explore")
    assert answer.status_code == 200
    assert "make page" in answer.text
    assert "<script" not in answer.text


def test_the_built_page_is_small() -> None:
    """What a browser loads for the first view, packed by gzip, takes at most 150 KB."""
    built = built_page()
    assert len(built.paths) > len(page.VIEWS), "the page isn't built: `make page`"
    loaded = [built._files["/"], *(built._files[path] for path in built.paths if path.startswith("/assets/"))]
    assert sum(len(file.forms["gzip"]) for file in loaded) <= 150_000
