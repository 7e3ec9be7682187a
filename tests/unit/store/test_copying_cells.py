"""Cells on their way to another kind of database: what fits stays to the last bit, what doesn't is read and counted."""

import math
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aura_analytics.store.copying.cells import MOST_COUNT, MOST_FLAG, Cells, Mended
from aura_analytics.store.copying.sums import Sum, digest, encoded
from aura_analytics.store.copying.tables import (
    EVALUATIONS,
    HISTORY,
    OUTCOMES,
    QUERIES,
    QUEUE,
    TABLES,
    Column,
    Kind,
    Table,
)

WHOLE = st.integers(-(2**63), 2**63 - 1)
TEXT = st.text(st.characters(exclude_characters="\0", codec="utf-8"))
FITTING: dict[Kind, st.SearchStrategy[Any]] = {  # Any, throughout: what a cell can be
    "text": TEXT,
    "whole": WHOLE,
    "count": st.integers(-MOST_COUNT, MOST_COUNT),
    "flag": st.integers(-MOST_FLAG, MOST_FLAG),
    "real": st.floats(),
}
ANYTHING = st.one_of(st.none(), WHOLE, st.floats(allow_nan=False), st.text(), st.binary(), TEXT.map(Mended))


def cell(column: Column) -> st.SearchStrategy[Any]:
    if column.among:
        return st.sampled_from(column.among)
    return FITTING[column.kind] if column.instead is not None else st.none() | FITTING[column.kind]


def fitting(table: Table) -> st.SearchStrategy[tuple[Any, ...]]:
    return st.tuples(TEXT, *map(cell, table.columns[1:]))


def bits(row: tuple[Any, ...] | None) -> str:
    """All of a row, also the sign of a zero."""
    return repr(row)


def holds(kind: Kind, value: Any) -> bool:
    """Whether PostgreSQL's column of a kind can hold a value."""
    if kind == "text":
        return type(value) is str and "\0" not in value
    if kind == "real":
        return type(value) is float
    bits = {"whole": 63, "count": 31, "flag": 15}[kind]
    return type(value) is int and -(2**bits) <= value < 2**bits


FITTING_ROWS = st.sampled_from(TABLES).flatmap(lambda table: st.tuples(st.just(table), fitting(table)))
ANY_ROWS = st.sampled_from(TABLES).flatmap(
    lambda table: st.tuples(st.just(table), st.tuples(TEXT, *([ANYTHING] * (len(table.columns) - 1))))
)


@given(FITTING_ROWS)
def test_a_row_of_fitting_cells_stays_as_it_is(given: tuple[Table, tuple[Any, ...]]) -> None:
    table, row = given
    cells = Cells("postgres")
    assert bits(cells.converted(table, row)) == bits(row)
    assert not cells.strange


@given(ANY_ROWS)
def test_whatever_a_row_holds_postgres_gets_values_of_its_columns(given: tuple[Table, tuple[Any, ...]]) -> None:
    table, row = given
    cells = Cells("postgres")
    found = cells.converted(table, row)
    if found is None:
        assert table is EVALUATIONS
        return
    for column, value in zip(table.columns, found, strict=True):
        assert column.instead is None if value is None else holds(column.kind, value)
    assert bits(Cells("postgres").converted(table, found)) == bits(found)


@given(ANY_ROWS)
def test_sqlite_takes_nearly_everything(given: tuple[Table, tuple[Any, ...]]) -> None:
    table, row = given
    found = Cells("sqlite").converted(table, row)
    assert found is None or all(
        (before == after and not (isinstance(after, float) and after == 0 and math.copysign(1, after) < 0))
        for column, before, after in zip(table.columns, row, found, strict=True)
        if not column.among
    )


@pytest.mark.parametrize(
    ("column", "cell", "read", "counted"),
    [
        ("created_at", 1.5, 2, True),
        ("created_at", "now", 0, True),
        ("created_at", 1e300, 0, True),
        ("audio_duration_ms", "long", None, True),
        ("audio_duration_ms", 3.0, 3, False),
        ("transcription_conf", 1, 1.0, False),
        ("transcription_conf", 2**53 + 1, 2.0**53, True),
        ("query_text", "a\0b", "a\ufffdb", True),
        ("query_text", b"a", "", True),
        ("query_source", b"a", "voice", True),
        ("intent", b"a", None, True),
        ("intent", Mended("a\ufffd"), "a\ufffd", True),
        ("fast_path", 7, 7, False),
        ("fast_path", 1 << 40, 1, True),
        ("fast_path", "yes", 0, True),
    ],
)
def test_what_is_no_value_of_its_column_is_read_and_counted(column: str, cell: Any, read: Any, counted: bool) -> None:
    [place] = QUERIES.places(column)
    row: list[Any] = ["q", "s", None, None, 0, "", None, None, 0, "voice", None, None, None, None]
    row[place] = cell
    cells = Cells("postgres")
    found = cells.converted(QUERIES, tuple(row))
    assert found is not None
    assert (found[place], type(found[place])) == (read, type(read))
    assert cells.strange == ({("voice_queries", column): 1} if counted else {})


@pytest.mark.parametrize("dialect", ["sqlite", "postgres"])
def test_a_label_that_is_none_cannot_be_stored_and_an_unknown_judge_is_automatic(dialect: Any) -> None:
    cells = Cells(dialect)
    assert cells.converted(EVALUATIONS, ("q", "FINE", None, None, 0, "auto", *[None] * 7)) is None
    assert cells.converted(EVALUATIONS, ("q", "BAD", None, None, 0, "me", *[None] * 7)) == (
        "q", "BAD", None, None, 0, "auto", *[None] * 7,
    )  # fmt: skip
    assert cells.converted(EVALUATIONS, ("q", "BAD", None, None, 0, *[None] * 8)) == (
        "q", "BAD", None, None, 0, *[None] * 8,
    )  # fmt: skip
    assert cells.converted(HISTORY, ("q", "FINE", None, None, 0, "me", *[None] * 7)) is not None


def test_sqlite_cannot_keep_what_is_no_number_nor_the_sign_of_nothing() -> None:
    cells = Cells("sqlite")
    row = ("q", *[None] * 2, -0.0, None, None, math.nan, *[None] * 10)
    assert bits(cells.converted(OUTCOMES, row)) == bits(("q", *[None] * 2, 0.0, *[None] * 13))
    assert cells.strange == {("voice_outcomes", "latency_ms"): 1, ("voice_outcomes", "cost_usd"): 1}


def test_every_kind_of_column_is_copied() -> None:
    assert {column.kind for table in TABLES for column in table.columns} == set(get_args(Kind))


@given(st.lists(fitting(OUTCOMES)), st.randoms())
def test_a_sum_is_the_same_in_every_order_and_another_one_for_other_rows(rows: list[Any], random: Any) -> None:
    def summed(rows: list[Any]) -> Sum:
        made = Sum()
        for row in rows:
            made.add(digest(encoded(OUTCOMES, row)))
        return made

    there = list(rows)
    random.shuffle(there)
    assert str(summed(there)) == str(summed(rows))
    assert summed(rows).rows == len(rows)
    if rows:
        assert str(summed(rows[1:])) != str(summed(rows))
        changed = (*rows[0][:1], "another", *rows[0][2:])
        assert rows[0][1] == "another" or str(summed([changed, *rows[1:]])) != str(summed(rows))


def test_a_whole_number_is_the_same_number_where_fractions_may_be_and_a_sign_is_seen() -> None:
    def row(latency: float, tokens: float = 1) -> bytes:
        return encoded(OUTCOMES, ("q", None, None, latency, tokens, *[None] * 12))

    assert row(3) == row(3.0)
    assert row(2**53 + 1) != row(2.0**53)
    assert row(0.0) != row(-0.0)
    assert row(1, 1) != row(1, 1.0)
    assert encoded(QUEUE, ("a", 0, 0, None, None)) != encoded(QUEUE, ("a", 0, 0, "", None))
