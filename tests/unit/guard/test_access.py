"""Which route needs what, and that nothing is open by being forgotten."""

from urllib.parse import parse_qs, quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aura_analytics.api.page import VIEWS
from aura_analytics.errors import Forbidden
from aura_analytics.guard.access import DENIED, ROUTES, Need, admit, narrowed, need_of
from aura_analytics.guard.principal import LOCAL, Principal, Scope


def principal(*scopes: Scope, sees: frozenset[str] | None = None) -> Principal:
    return Principal(key_id="k", name="one", scopes=frozenset(scopes), stores=sees)


@pytest.mark.parametrize(
    ("method", "path", "scope"),
    [
        ("GET", "/health", None),
        ("HEAD", "/health", None),
        ("POST", "/ingest", "ingest"),
        ("GET", "/stats/summary", "read"),
        ("HEAD", "/stats/summary", "read"),
        ("POST", "/stats/agreement", "read"),
        ("GET", "/interactions", "read"),
        ("GET", "/interactions/an/id/with/slashes\n", "read"),
        ("POST", "/evaluations/q-1", "review"),
        ("GET", "/evaluations/queue", "review"),
        ("GET", "/verify", "admin"),
    ],
)
def test_a_route_needs_its_scope(method: str, path: str, scope: Scope | None) -> None:
    assert need_of(method, path).scope == scope


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/ingest"),
        ("DELETE", "/stats/summary"),
        ("get", "/health"),
        ("GET", "/health/"),
        ("GET", "//health"),
        ("GET", "/HEALTH"),
        ("GET", "/stats"),
        ("GET", "/interactions/"),
        ("GET", "/new"),
        ("GET", ""),
    ],
)
def test_what_isn_t_in_the_table_is_for_administrators(method: str, path: str) -> None:
    assert need_of(method, path) == DENIED


OPEN = {("GET", path) for path in ("/health", "/assets/{file:path}", *VIEWS)} | {
    (method, "/session") for method in ("POST", "DELETE")
}


@given(
    st.text(),
    st.text().filter(lambda path: path != "/session" and ("GET", path) not in OPEN and not path.startswith("/assets/")),
)
def test_nothing_else_is_open(method: str, path: str) -> None:
    assert need_of(method, path).scope is not None


def test_only_health_the_page_and_the_way_in_and_out_are_open() -> None:
    """The page holds no numbers."""
    assert {route for route, need in ROUTES.items() if need.scope is None} == OPEN


def test_whoever_has_a_key_may_ask_who_they_are() -> None:
    admit(principal("ingest"), need_of("GET", "/session"))


def test_a_missing_scope_is_named() -> None:
    with pytest.raises(Forbidden, match="scope read"):
        admit(principal("ingest"), need_of("GET", "/stats/summary"))
    admit(principal("read"), need_of("GET", "/stats/summary"))
    admit(principal("ingest"), need_of("GET", "/health"))


def test_a_route_about_all_stores_is_closed_to_who_sees_some() -> None:
    some = principal("admin", sees=frozenset({"a"}))
    with pytest.raises(Forbidden, match="all stores"):
        admit(some, need_of("GET", "/verify"))
    with pytest.raises(Forbidden, match="all stores"):
        admit(some, need_of("GET", "/unknown"))
    admit(principal("admin"), need_of("GET", "/verify"))
    admit(some, Need("read", "itself"))


class TestNarrowed:
    SOME = principal("read", sees=frozenset({"a", "ü&b"}))

    def test_who_sees_all_asks_as_they_do(self) -> None:
        assert narrowed(b"store=x&period=1h", LOCAL) == b"store=x&period=1h"

    @pytest.mark.parametrize("query", [b"", b"period=7d"])
    def test_who_names_no_store_gets_their_own(self, query: bytes) -> None:
        asked = parse_qs(narrowed(query, self.SOME).decode())
        assert asked.pop("store") == ["a", "ü&b"]
        assert asked == parse_qs(query.decode())

    @pytest.mark.parametrize("name", ["store", "storeId", "store_id", "%73tore"])
    def test_who_names_their_own_gets_it(self, name: str) -> None:
        assert narrowed(f"{name}=a".encode(), self.SOME) == f"{name}=a".encode()

    @pytest.mark.parametrize(
        "query",
        [b"store=c", b"store=a&store=c", b"storeId=c&store=a", b"store=", b"st%6Fre=c", b"store=a%00", b"store"],
    )
    def test_another_store_is_refused(self, query: bytes) -> None:
        with pytest.raises(Forbidden):
            narrowed(query, self.SOME)

    def test_who_sees_no_store_sees_nothing(self) -> None:
        with pytest.raises(Forbidden):
            narrowed(b"", principal("read", sees=frozenset()))

    @given(st.binary(), st.frozensets(st.text(), min_size=1))
    def test_whatever_is_asked_only_their_own_is_answered(self, query: bytes, own: frozenset[str]) -> None:
        try:
            found = narrowed(query, principal("read", sees=own))
        except Forbidden:
            return
        # What the framework reads is what was narrowed by.
        asked = parse_qs(found.decode("latin-1"), keep_blank_values=True)
        named = [value for name in ("store", "storeId", "store_id") for value in asked.get(name, [])]
        assert named
        assert own.issuperset(named)

    @given(st.lists(st.text(), min_size=1))
    def test_own_stores_are_named_as_the_framework_reads_them(self, own: list[str]) -> None:
        query = "&".join(f"store={quote(store, safe='')}" for store in own).encode()
        assert narrowed(query, principal("read", sees=frozenset(own))) == query
