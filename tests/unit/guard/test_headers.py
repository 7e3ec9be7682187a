"""What browsers are told."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aura_analytics.guard.headers import cors, is_preflight, origins, policy, preflight, secure

SHOP = frozenset({"https://shop.example", "http://localhost:5173"})


@pytest.mark.parametrize("content_type", ["application/json", "application/x-ndjson", "text/csv", "", "image/svg+xml"])
def test_what_is_no_page_may_load_nothing(content_type: str) -> None:
    assert policy("/stats/summary", content_type) == "default-src 'none'; frame-ancestors 'none'"


def test_a_page_loads_only_what_is_ours_and_runs_no_script_of_its_text() -> None:
    said = policy("/", "text/html; charset=utf-8")
    assert "script-src 'self';" in said
    assert "unsafe" not in said
    assert "frame-ancestors 'none'" in said
    assert "http" not in said


def test_only_the_page_of_the_framework_has_scripts_in_itself() -> None:
    assert "'unsafe-inline'" in policy("/docs", "text/html")
    assert "'unsafe-inline'" not in policy("/docs", "application/json")
    assert "'unsafe-inline'" not in policy("/docs/x", "text/html")


def test_an_answer_isn_t_guessed_at_and_says_nothing_to_others() -> None:
    said = secure("/stats/summary", "application/json", https=False)
    assert said["x-content-type-options"] == "nosniff"
    assert said["referrer-policy"] == "no-referrer"
    assert "strict-transport-security" not in said
    assert secure("/", "text/html", https=True)["strict-transport-security"] == "max-age=31536000"


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("", set()),
        ("https://shop.example", {"https://shop.example"}),
        ("https://Shop.Example:443, http://localhost:5173", {"https://shop.example", "http://localhost:5173"}),
        ("http://a.example:80 http://a.example:443", {"http://a.example", "http://a.example:443"}),
        ("http://[::1]:5173", {"http://[::1]:5173"}),
    ],
)
def test_origins_are_read(text: str, read: set[str]) -> None:
    assert origins(text) == read


@pytest.mark.parametrize(
    "text",
    ["*", "null", "shop.example", "https://", "https://*.example", "https://a.example/", "file://a", "https://u@h"],
)
def test_what_is_no_origin_is_named(text: str) -> None:
    with pytest.raises(ValueError, match="is no origin"):
        origins(f"https://ok.example, {text}")


def test_the_page_of_an_origin_that_is_allowed_may_read() -> None:
    said = cors("https://shop.example", SHOP)
    assert said["access-control-allow-origin"] == "https://shop.example"
    assert said["vary"] == "Origin"
    assert "RateLimit" in said["access-control-expose-headers"]
    assert "access-control-allow-credentials" not in said


@pytest.mark.parametrize(
    "origin",
    [
        None,
        "null",
        "http://shop.example",
        "https://shop.example:8443",
        "https://shop.example.evil.example",
        "https://evil.example/https://shop.example",
        "https://shop.example ",
    ],
)
def test_no_other_page_may(origin: str | None) -> None:
    for said in (cors(origin, SHOP), preflight(origin, SHOP)):
        assert said == {"cross-origin-resource-policy": "same-origin", "vary": "Origin"}


@given(st.text())
def test_nobody_may_where_nobody_is_allowed(origin: str) -> None:
    assert cors(origin, ()) == preflight(origin, ()) == {"cross-origin-resource-policy": "same-origin"}


@given(st.text())
def test_only_exact_origins_are_let_in(origin: str) -> None:
    assert ("access-control-allow-origin" in cors(origin, SHOP)) == (origin.lower() in SHOP)


@pytest.mark.parametrize(
    "name",
    [
        "X-API-Key",
        "Authorization",
        "Content-Type",
        "Content-Encoding",
        "X-Correlation-ID",
        "webhook-id",
        "webhook-timestamp",
        "webhook-signature",
        "If-None-Match",
    ],
)
def test_a_browser_may_send_what_we_read(name: str) -> None:
    assert name in preflight("https://shop.example", SHOP)["access-control-allow-headers"].split(", ")


def test_a_preflight_is_told_what_it_depends_on() -> None:
    said = preflight("http://localhost:5173", SHOP)
    assert said["access-control-allow-methods"] == "GET, HEAD, POST, OPTIONS"
    assert said["vary"] == "Origin, Access-Control-Request-Method, Access-Control-Request-Headers"


@pytest.mark.parametrize(
    ("method", "headers", "is_one"),
    [
        ("OPTIONS", {"origin": "x", "access-control-request-method": "POST"}, True),
        ("OPTIONS", {"origin": "x"}, False),
        ("OPTIONS", {"access-control-request-method": "POST"}, False),
        ("POST", {"origin": "x", "access-control-request-method": "POST"}, False),
    ],
)
def test_a_preflight_is_known_by_its_headers(method: str, headers: dict[str, str], is_one: bool) -> None:
    assert is_preflight(method, headers) == is_one
