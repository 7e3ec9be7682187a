"""Structs as tables: columns by their annotations, and a Parquet file that reads back as what went in."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import duckdb
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aura_analytics.stats import tables
from aura_analytics.stats.hourly import Hour
from aura_analytics.stats.summary import Summary
from aura_analytics.stats.training import LabelledInteraction
from aura_analytics.stats.unanswered import UnansweredQuery


class Inner(msgspec.Struct, frozen=True):
    """Something with parts."""

    a: int


class Row(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One of each."""

    whole_number: int
    a_share: float | None
    a_text: Annotated[str, msgspec.Meta(min_length=0)] | None = None
    a_flag: bool | None = None
    a_label: Literal["GOOD", "BAD"] | None = None
    some_texts: list[str] = []
    more_texts: tuple[str, ...] | None = None
    inner: Inner | None = None
    counts: dict[str, int] = {}
    numbers: list[int] = []
    either: int | str = 0
    own_name: int = msgspec.field(default=0, name="from")


def read(file: bytes, folder: Path) -> tuple[dict[str, str], list[tuple[Any, ...]]]:
    """Read a Parquet file: its columns with their types, and its rows."""
    path = folder / "read.parquet"
    path.write_bytes(file)
    with duckdb.connect(":memory:") as connection:
        described = connection.execute(f"DESCRIBE SELECT * FROM '{path}'").fetchall()
        return {name: kind for name, kind, *_ in described}, connection.execute(f"SELECT * FROM '{path}'").fetchall()


def written(rows: Sequence[msgspec.Struct], kind: type[msgspec.Struct]) -> bytes:
    columns = tables.columns(kind)
    return tables.parquet(columns, tables.cells(columns, rows))


def test_the_columns_are_the_keys_of_json_with_the_types_of_the_annotations() -> None:
    assert {column.name: column.type for column in tables.columns(Row)} == {
        "wholeNumber": "BIGINT",
        "aShare": "DOUBLE",
        "aText": "VARCHAR",
        "aFlag": "BOOLEAN",
        "aLabel": "VARCHAR",
        "someTexts": "VARCHAR[]",
        "moreTexts": "VARCHAR[]",
        "inner": "VARCHAR",
        "counts": "VARCHAR",
        "numbers": "VARCHAR",
        "either": "VARCHAR",
        "from": "BIGINT",
    }


def test_what_has_parts_is_json() -> None:
    row = Row(whole_number=1, a_share=None, inner=Inner(2), counts={"ü": 3}, numbers=[4], either="five")
    [cells] = tables.cells(tables.columns(Row), [row])
    assert cells == (1, None, None, None, None, [], None, '{"a":2}', '{"ü":3}', "[4]", '"five"', 0)


@pytest.mark.parametrize("value", [float("inf"), float("-inf"), float("nan")])
def test_what_json_has_no_word_for_is_absent(value: float) -> None:
    [cells] = tables.cells(tables.columns(Row), [Row(whole_number=1, a_share=value)])
    assert cells[1] is None


@pytest.mark.parametrize("kind", [Row, Summary, Hour, UnansweredQuery, LabelledInteraction])
def test_no_rows_still_have_their_columns(kind: type[msgspec.Struct], tmp_path: Path) -> None:
    columns, rows = read(written([], kind), tmp_path)
    assert columns == {column.name: column.type for column in tables.columns(kind)}
    assert rows == []


def test_a_number_too_large_for_a_column_is_absent(tmp_path: Path) -> None:
    largest = 2**63 - 1
    _, rows = read(written([Row(whole_number=n, a_share=1) for n in (largest, largest + 1, -largest)], Row), tmp_path)
    assert [row[0] for row in rows] == [largest, None, -largest]


def test_many_rows_keep_their_order(tmp_path: Path) -> None:
    _, rows = read(written([Row(whole_number=n, a_share=n / 2) for n in range(5_000)], Row), tmp_path)
    assert [row[:2] for row in rows] == [(n, n / 2) for n in range(5_000)]


def test_it_is_packed(tmp_path: Path) -> None:
    path = tmp_path / "packed.parquet"
    path.write_bytes(written([Row(whole_number=1, a_share=1)], Row))
    with duckdb.connect(":memory:") as connection:
        found = connection.execute(f"SELECT DISTINCT compression FROM parquet_metadata('{path}')").fetchall()
    assert found == [("ZSTD",)]


TEXTS = st.text(st.characters(codec="utf-8"), max_size=20)
ROWS = st.lists(
    st.builds(
        Row,
        whole_number=st.integers(-(2**63) + 1, 2**63 - 1),
        a_share=st.none() | st.floats(allow_nan=False, allow_infinity=False),
        a_text=st.none() | TEXTS,
        a_flag=st.none() | st.booleans(),
        some_texts=st.lists(TEXTS, max_size=3),
        more_texts=st.none() | st.lists(TEXTS, max_size=3).map(tuple),
    ),
    max_size=5,
)


@settings(max_examples=25, deadline=None)
@given(ROWS)
def test_what_is_read_back_is_what_was_written(tmp_path_factory: pytest.TempPathFactory, rows: list[Row]) -> None:
    _, found = read(written(rows, Row), tmp_path_factory.mktemp("parquet"))
    assert found == list(tables.cells(tables.columns(Row), rows))
