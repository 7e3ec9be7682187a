"""The id of a conversion without one: sent again it is the same, and what isn't the same never shares it."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unit.events.dialects import DIALECTS, NOON, NOON_ISO, Dialect, record_of, rejection_of, spelled

# NUL is replaced, so that two texts may become one.
ids = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=4)
# What a conversion without an id may say, by the names of the record. Any: what JSON can hold.
told = st.fixed_dictionaries(
    {"query_id": ids},
    optional={
        "session_id": ids,
        "store_id": ids,
        "occurred_at": st.integers(0, 5),
        "value": st.integers(0, 5),
        "currency": st.sampled_from(["EUR", "USD"]),
    },
)
anything = st.tuples(told, st.none() | ids).map(lambda parts: parts[0] | ({"order_id": parts[1]} if parts[1] else {}))


def id_of(fields: dict[str, Any], dialect: Dialect = "documented", own: dict[str, Any] | None = None) -> str:
    id: str = record_of(spelled("conversion", dialect, fields) | (own or {})).id
    return id


@pytest.mark.parametrize("dialect", DIALECTS)
def test_an_id_of_its_own_is_its_id(dialect: Dialect) -> None:
    assert id_of({"id": "mine", "query_id": "q", "store_id": "s", "order_id": "o"}, dialect) == "mine"


def test_an_id_that_is_made_can_be_told_and_is_short() -> None:
    made = id_of({"query_id": "q"})
    assert made.startswith("cv-")
    assert len(made) == 35


def test_the_ids_stay_the_same_from_version_to_version() -> None:
    """A retry may meet a newer version than the first try did."""
    assert [
        id_of({"query_id": "q", "session_id": "s", "store_id": "shop", "order_id": "o"}),
        id_of({"query_id": "q", "session_id": "s", "order_id": "o"}),
        id_of({"query_id": "q", "session_id": "s", "store_id": "shop", "value": 5, "currency": "eur"}),
    ] == [
        "cv-93098686d17469aeb5910a2ee0173841",
        "cv-25e5ca6649b584a3d04d6cd5a225d15a",
        "cv-67fac59c0679013031bbaccababcae91",
    ]


def test_nobody_chooses_the_id_that_another_shop_s_order_will_get() -> None:
    order = {"query_id": "q", "store_id": "shop", "order_id": "o-1"}
    made = id_of(order)
    assert id_of({**order, "id": made}) == made  # told back as it was given out
    for elsewhere in ({"store_id": "elsewhere"}, {"order_id": "o-2"}):
        refused = rejection_of(spelled("conversion", "documented", {**order, **elsewhere, "id": made}))
        assert (refused.code, refused.field) == ("invalid_value", "conversion_id")
    assert id_of({**order, "id": "cv-1"}) == "cv-1"


def test_an_order_of_a_store_is_one_conversion_whatever_else_is_said() -> None:
    order = {"store_id": "shop", "order_id": "o-1"}
    says: list[dict[str, Any]] = [
        {"query_id": "q-1"},
        {"query_id": "q-2", "value": 3},
        {"session_id": "s", "currency": "EUR", "occurred_at": NOON},
    ]
    assert len({id_of(order | said) for said in says}) == 1
    assert id_of(order | {"query_id": "q-1", "store_id": "elsewhere"}) != id_of(order | {"query_id": "q-1"})


def test_an_order_of_no_store_is_one_conversion_of_its_conversation() -> None:
    first = {"query_id": "q-1", "session_id": "s", "order_id": "o-1"}
    assert id_of(first) == id_of(first | {"value": 3, "currency": "EUR", "occurred_at": NOON})
    others = [{"query_id": "q-2"}, {"session_id": "t"}, {"order_id": "o-2"}, {"store_id": "shop"}]
    assert len({id_of(first | other) for other in [{}, *others]}) == 5


def test_without_an_order_what_says_the_same_is_the_same() -> None:
    first: dict[str, Any] = {
        "query_id": "q",
        "session_id": "s",
        "store_id": "shop",
        "value": 5,
        "currency": "EUR",
        "occurred_at": NOON,
    }
    assert id_of(first) == id_of(first | {"value": 5.0, "currency": "eur", "occurred_at": NOON_ISO})
    others: list[dict[str, Any]] = [
        {"query_id": "r"},
        {"session_id": "t"},
        {"store_id": "x"},
        {"value": 6},
        {"currency": "USD"},
        {"occurred_at": 1},
    ]
    lacking = [
        {name: value for name, value in first.items() if name != lacks} for lacks in first if lacks != "query_id"
    ]
    assert len({id_of(said) for said in [first, *(first | other for other in others), *lacking]}) == 12


@settings(max_examples=200, deadline=None)
@given(anything)
def test_sent_again_it_is_the_same_in_either_dialect_and_whenever_it_comes(fields: dict[str, Any]) -> None:
    assert len({id_of(fields, dialect, own) for dialect in DIALECTS for own in ({}, {"own": 1})}) == 1


@settings(max_examples=200, deadline=None)
@given(told, told)
def test_what_says_something_else_never_shares_an_id(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert (id_of(one) == id_of(other)) == (one == other)


@settings(max_examples=200, deadline=None)
@given(ids, ids, ids, ids)
def test_where_one_name_ends_and_the_next_begins_counts(a: str, b: str, c: str, d: str) -> None:
    one, other = ({"query_id": "q", "store_id": store, "order_id": order} for store, order in ((a, b), (c, d)))
    assert (id_of(one) == id_of(other)) == ((a, b) == (c, d))
