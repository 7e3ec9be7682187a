"""A row of the archive: whatever fits comes back as it was, and what doesn't is told before anything is written."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aura_analytics.archive.parquet import Parquet
from aura_analytics.archive.shape import COLUMNS, content, digest, fits, flattened, unfolded
from aura_analytics.store.copying.tables import EVALUATIONS, HISTORY, OUTCOMES, QUERIES, Column, Table
from aura_analytics.store.port import WIDE_COLUMNS

# Any, throughout: what a cell can be.
Rows = dict[str, list[tuple[Any, ...]]]

PARQUET = Parquet()
TEXT = st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\0"), max_size=8)
CELLS = {
    "text": TEXT,
    "flag": st.sampled_from([0, 1]),
    "real": st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**53), 2**53),
    "whole": st.integers(-(2**63), 2**63 - 1),
    "count": st.integers(0, 2**31 - 1),
}


def row_of(table: Table) -> st.SearchStrategy[tuple[Any, ...]]:
    return st.tuples(st.just("q"), *(st.none() | CELLS[column.kind] for column in table.columns[1:]))


def labelled(row: tuple[Any, ...]) -> tuple[Any, ...]:
    return (row[0], "GOOD", *row[2:])


INTERACTIONS = st.fixed_dictionaries(
    {"voice_queries": row_of(QUERIES).map(lambda row: [(row[0], row[1] or "", *row[2:])])},
    optional={
        "voice_outcomes": row_of(OUTCOMES).map(lambda row: [row]),
        "voice_evaluations": row_of(EVALUATIONS).map(lambda row: [labelled(row)]),
        "voice_evaluation_history": st.lists(row_of(HISTORY), min_size=1, max_size=3),
    },
)


def same(one: Rows, other: Rows) -> bool:
    """Whether both say the same; a number may be whole in one and not in the other."""
    return one == other and all(
        [str(cell) for cell in row if isinstance(cell, str)] == [str(cell) for cell in twin if isinstance(cell, str)]
        for table, rows in one.items()
        for row, twin in zip(rows, other[table], strict=True)
    )


@settings(max_examples=20, deadline=None)
@given(rows=INTERACTIONS)
def test_what_fits_comes_back_as_it_was(rows: Rows, tmp_path_factory: pytest.TempPathFactory) -> None:
    assert fits(rows)
    path = tmp_path_factory.getbasetemp() / "one.parquet"
    flat = flattened(rows)
    PARQUET.write(path, [flat])
    [[again]] = list(PARQUET.read(path))
    assert digest(again) == digest(flat)
    for dialect in ("sqlite", "postgres"):
        assert same(unfolded(again, dialect), rows)


QUERY = ("q", "shop", None, None, 1, "red", None, None, 0, "voice", None, None, None, None)


@pytest.mark.parametrize(
    ("place", "cell"),
    [(5, "a\0b"), (5, b"red"), (4, 1.5), (4, "now"), (4, 2**63), (6, float("inf")), (6, "high"), (8, 2), (6, 2**60)],
)
def test_a_cell_that_is_no_value_of_its_column_is_told(place: int, cell: object) -> None:
    row = (*QUERY[:place], cell, *QUERY[place + 1 :])
    assert fits({"voice_queries": [QUERY]})
    assert not fits({"voice_queries": [row]})


def test_a_path_is_taken_for_itself(tmp_path: Path) -> None:
    for name in ("a [b] c", "100% 'so' *?", "plain"):
        (tmp_path / name).mkdir()
        path = tmp_path / name / "one.parquet"
        PARQUET.write(path, [flattened({"voice_queries": [QUERY]})])
        assert [flat[0] for flats in PARQUET.read(path, ["q"]) for flat in flats] == ["q"]
        assert [(found, id) for found, id, *_ in PARQUET.named([path], "nobody", [])] == []


def test_a_part_that_is_there_twice_or_a_label_that_is_none_does_not_fit() -> None:
    label = ("q", "FINE", *[None] * (len(EVALUATIONS.columns) - 2))
    outcome = ("q", *[None] * (len(OUTCOMES.columns) - 1))
    assert fits({"voice_queries": [QUERY], "voice_outcomes": [outcome]})
    assert not fits({"voice_queries": [QUERY], "voice_outcomes": [outcome, outcome]})
    assert not fits({"voice_queries": [QUERY], "voice_evaluations": [label]})
    assert not fits({"voice_outcomes": [outcome]})


def test_the_first_columns_are_those_of_the_wide_row_and_none_is_missing() -> None:
    assert tuple(COLUMNS)[: len(WIDE_COLUMNS)] == WIDE_COLUMNS
    held: list[Column] = [*QUERIES.columns, *OUTCOMES.columns[1:], *EVALUATIONS.columns[1:]]
    assert len(COLUMNS) == len(held) + 2  # whether there is an outcome, and earlier labels


def test_a_checksum_of_many_does_not_depend_on_their_order() -> None:
    some = [digest(flattened({"voice_queries": [(f"q{n}", *QUERY[1:])]})) for n in range(3)]
    assert content(some) == content(some[::-1]) != content(some[:2])


def test_the_page_of_the_archive_names_every_column() -> None:
    page = (Path(__file__).parents[3] / "docs/archive.md").read_text("utf-8")
    assert [name for name in COLUMNS if f"`{name}`" not in page] == []
