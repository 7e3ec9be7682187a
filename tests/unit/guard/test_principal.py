"""What a principal may do and see."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aura_analytics.errors import Forbidden
from aura_analytics.guard.principal import LOCAL, SCOPES, Principal, Scope, effective_stores

stores = st.frozensets(st.sampled_from("abcd"))


def principal(*scopes: Scope, sees: frozenset[str] | None = None, expires_at: int | None = None) -> Principal:
    return Principal(key_id="k", name="one", scopes=frozenset(scopes), stores=sees, expires_at=expires_at)


@pytest.mark.parametrize(
    ("scope", "may"),
    [
        ("ingest", {"ingest"}),
        ("read", {"read", "metrics"}),
        ("review", {"review", "read", "metrics"}),
        ("admin", {"ingest", "read", "review", "metrics", "admin"}),
        ("metrics", {"metrics"}),
    ],
)
def test_a_scope_brings_along_what_its_work_needs(scope: Scope, may: set[Scope]) -> None:
    assert {one for one in SCOPES if principal(scope).may(one)} == may


@given(st.frozensets(st.sampled_from(SCOPES)), st.sampled_from(SCOPES))
def test_several_scopes_are_what_each_of_them_is(scopes: frozenset[Scope], asked: Scope) -> None:
    assert principal(*scopes).may(asked) == any(principal(scope).may(asked) for scope in scopes)


def test_who_is_limited_to_stores_sees_only_them() -> None:
    limited = principal("read", sees=frozenset({"a"}))
    assert limited.sees("a")
    assert not limited.sees("b")
    assert not limited.sees(None)
    assert principal("read").sees(None)
    assert LOCAL.sees("any")


@pytest.mark.parametrize(("expires_at", "expired"), [(None, False), (100, True), (99, True), (101, False)])
def test_a_key_is_over_at_its_moment(expires_at: int | None, expired: bool) -> None:
    assert principal("read", expires_at=expires_at).is_expired(100) == expired


@given(st.none() | stores, st.none() | st.lists(st.sampled_from("abcd")))
def test_nobody_gets_a_store_that_isn_t_theirs_nor_less_than_they_asked_for(
    own: frozenset[str] | None, asked: list[str] | None
) -> None:
    try:
        found = effective_stores(principal("read", sees=own), asked)
    except Forbidden:
        assert own is not None
        assert asked
        assert not own.issuperset(asked)
        return
    assert found == (frozenset(asked) if asked else own)
    assert own is None or (found is not None and found <= own)
