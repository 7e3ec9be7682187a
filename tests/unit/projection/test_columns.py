"""The file of columns: what it says of itself, what becomes of rows, and who may ask when."""

import random
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import msgspec
import pytest

from aura_analytics.errors import ProjectionUnavailable
from aura_analytics.projection import schema
from aura_analytics.projection.columns import ColumnFile, State
from aura_analytics.projection.coverage import DAY_MS
from aura_analytics.projection.transport import SLICE_ROWS, coerced
from aura_analytics.store.port import WIDE_COLUMNS, FeedPoint, WideRow
from contract.making import outcome, query, wide
from unit.projection.running import asking

START = FeedPoint(position=3, moment=33)
NEXT = FeedPoint(position=4, moment=44)
NAMES = ", ".join(WIDE_COLUMNS)
ALL = f"SELECT {NAMES} FROM interactions ORDER BY id"


def row(id: str, **cells: Any) -> WideRow:
    """A wide row with an outcome, as the store gives it, but for what `cells` say."""
    whole = wide(query(id, session_id="session 🍎"), outcome(id, latency_ms=1.5, action_success=True)) | cells
    return tuple(int(cell) if isinstance(cell, bool) else cell for cell in (whole[name] for name in WIDE_COLUMNS))


def opened(path: Path | None) -> ColumnFile:
    return ColumnFile(path, memory_mb=256, threads=1, attribution_ms=DAY_MS)


@pytest.fixture
def table() -> Iterator[ColumnFile]:
    """An empty table in memory."""
    made = opened(None)
    assert made.open() is None
    made.begin("identity", "follower", START)
    yield made
    made.close()


def ask(columns: ColumnFile, sql: str, **parameters: Any) -> list[tuple[Any, ...]]:
    return columns.ask(columns.generation, asking(sql, **parameters))


def test_the_table_has_the_columns_of_the_rows(table: ColumnFile) -> None:
    assert tuple(schema.TYPES) == WIDE_COLUMNS
    described = ask(table, "SELECT column_name, data_type FROM duckdb_columns() WHERE table_name = 'interactions'")
    assert dict(described) == schema.TYPES


def test_a_file_that_is_not_there_has_no_state(columns: Path) -> None:
    made = opened(columns)
    assert made.open() is None
    made.close()


def test_the_folder_of_the_file_is_made(tmp_path: Path) -> None:
    made = opened(tmp_path / "some" / "where" / "columns.duckdb")
    assert made.open() is None
    made.close()


def test_a_state_is_read_back(columns: Path) -> None:
    made = opened(columns)
    made.open()
    made.begin("identity", "follower", START)
    made.fill([row("a")])
    made.close()
    state = State(
        version=schema.VERSION,
        identity="identity",
        follower="follower",
        attribution_ms=DAY_MS,
        point=START,
        complete=False,
    )
    assert made.open() == state
    made.apply((), (), NEXT)
    made.close()
    assert made.open() == msgspec.structs.replace(state, point=NEXT, complete=True)
    assert ask(made, ALL) == [row("a")]
    made.close()


@pytest.mark.parametrize(
    "statements",
    [
        ["UPDATE projection_state SET version = version || '+'"],
        ["UPDATE projection_state SET version = 'another one, DuckDB 1.0.0'"],
        [f"UPDATE projection_state SET attribution_ms = {DAY_MS - 1}"],
        ["ALTER TABLE projection_state DROP COLUMN attribution_ms"],
        ["ALTER TABLE projection_state ALTER COLUMN version TYPE INTEGER USING 1"],
        ["DELETE FROM projection_state"],
        ["DROP TABLE projection_state"],
        ["DROP TABLE interactions"],
        ["DROP TABLE projection_state", "CREATE TABLE projection_state (version INTEGER, other VARCHAR)"],
        ["DROP TABLE interactions", "DROP TABLE projection_state", "CREATE TABLE somebody_elses (x INTEGER)"],
    ],
)
def test_a_file_of_another_shape_has_no_state_that_can_be_trusted(columns: Path, statements: list[str]) -> None:
    made = opened(columns)
    made.open()
    made.begin("identity", "follower", START)
    made.apply((), (), NEXT)
    made.close()
    with duckdb.connect(str(columns)) as connection:
        for statement in statements:
            connection.execute(statement)
    assert made.open() is None
    made.begin("identity", "follower", START)
    assert ask(made, ALL) == []
    made.close()


@pytest.mark.parametrize("name", ["columns.duckdb", "block.duckdb"])
def test_a_file_of_rubbish_has_no_state(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(random.Random(1).randbytes(20_000))
    made = opened(path)
    assert made.open() is None
    made.close()


def test_beginning_anew_leaves_nothing_of_before(columns: Path) -> None:
    made = opened(columns)
    made.open()
    made.begin("identity", "follower", START)
    made.fill([row("a")])
    made.begin("identity", "follower", START)
    assert ask(made, ALL) == []
    made.close()


@pytest.mark.parametrize("count", [0, 1, SLICE_ROWS - 1, SLICE_ROWS, SLICE_ROWS + 1, 3 * SLICE_ROWS])
def test_as_many_rows_as_come_are_filled_in(table: ColumnFile, count: int) -> None:
    rows = [row(f"{n:05}", latency_ms=float(n)) for n in range(count)]
    table.fill(rows)
    assert ask(table, ALL) == rows


def test_changed_rows_take_the_place_of_the_old_ones(table: ColumnFile) -> None:
    table.fill([row("a"), row("b", created_at=5), row("c", created_at=10**13)])
    table.apply(["a", "c", "d"], [row("a", label="GOOD"), row("c", created_at=10**13, label="BAD"), row("d")], NEXT)
    assert ask(table, "SELECT id, label FROM interactions ORDER BY id") == [
        ("a", "GOOD"),
        ("b", None),
        ("c", "BAD"),
        ("d", None),
    ]


def test_an_id_without_a_row_is_gone(table: ColumnFile) -> None:
    table.fill([row("a"), row("b"), row("c", created_at=5)])
    table.apply(["a", "c", "never there"], [row("a")], NEXT)
    assert ask(table, "SELECT id FROM interactions ORDER BY id") == [("a",), ("b",)]


def test_a_change_that_fails_changes_nothing(table: ColumnFile) -> None:
    table.fill([row("a")])
    with pytest.raises((duckdb.Error, TypeError, ValueError, IndexError)):
        table.apply(["a"], [row("a", label="GOOD"), ("too", "few")], NEXT)
    assert ask(table, ALL) == [row("a")]
    assert ask(table, "SELECT position, complete FROM projection_state") == [(START.position, False)]


def test_a_row_with_a_cell_of_another_type_is_taken_with_the_others(table: ColumnFile) -> None:
    table.fill([row("a"), row("b", latency_ms="abc"), row("c")])
    assert ask(table, "SELECT id, latency_ms FROM interactions ORDER BY id") == [("a", 1.5), ("b", None), ("c", 1.5)]
    table.apply(["b", "d"], [row("b", latency_ms="def"), row("d")], NEXT)
    assert ask(table, "SELECT id, latency_ms FROM interactions ORDER BY id") == [
        ("a", 1.5),
        ("b", None),
        ("c", 1.5),
        ("d", 1.5),
    ]


def test_a_row_without_a_moment_is_replaced_like_any_other(table: ColumnFile) -> None:
    table.apply(["a", "b"], [row("a", created_at="yesterday"), row("b")], NEXT)
    table.apply(["a", "b"], [row("a", created_at="yesterday", label="GOOD"), row("b", label="GOOD")], NEXT)
    assert ask(table, "SELECT id, created_at, label FROM interactions ORDER BY id") == [
        ("a", None, "GOOD"),
        ("b", row("b")[schema.CREATED_AT], "GOOD"),
    ]


@pytest.mark.parametrize(
    ("column", "cell", "becomes"),
    [
        ("latency_ms", "abc", None),
        ("latency_ms", b"\xff", None),
        ("latency_ms", 5, 5.0),
        ("tokens_prompt", "17", None),
        ("tokens_prompt", 2**53 + 1, 2**53 + 1),
        ("tokens_prompt", 16.7, 17),
        ("tokens_prompt", 1e300, None),
        ("action_success", 2, True),
        ("action_success", "yes", None),
        ("intent", 17, "17"),
        ("intent", None, None),
        ("session_id", "session", "session"),
    ],
)
def test_a_cell_becomes_a_value_of_its_column_or_nothing(column: str, cell: object, becomes: object) -> None:
    [mended] = coerced([row("a", **{column: cell})])
    found = mended[WIDE_COLUMNS.index(column)]
    assert found == becomes
    assert type(found) is type(becomes)
    assert [a for a, b in zip(mended, row("a"), strict=True) if a != b] == (
        [] if becomes == row("a")[WIDE_COLUMNS.index(column)] else [becomes]
    )


def test_a_question_of_an_earlier_file_is_refused(table: ColumnFile) -> None:
    generation = table.generation
    table.begin("identity", "follower", START)
    with pytest.raises(ProjectionUnavailable):
        table.ask(generation, asking(ALL))
    assert ask(table, ALL) == []


def test_a_closed_file_answers_nothing(table: ColumnFile) -> None:
    table.close()
    with pytest.raises(ProjectionUnavailable):
        ask(table, ALL)
    with pytest.raises(ProjectionUnavailable):
        table.fill([row("a")])


def test_many_threads_ask_while_rows_come_and_see_whole_changes(table: ColumnFile) -> None:
    table.apply((), (), NEXT)
    stop = threading.Event()
    seen: list[int] = []
    wrong: list[object] = []

    def read() -> None:
        while not stop.is_set():
            [(count, labels)] = ask(table, "SELECT count(*), count(DISTINCT label) FROM interactions")
            seen.append(count)
            if count not in (0, 300) or labels > 1:
                wrong.append((count, labels))

    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    ids = [f"q{n}" for n in range(300)]
    for change in range(12):
        table.apply(ids, [row(id, label=f"L{change}") for id in ids], NEXT)
    stop.set()
    for reader in readers:
        reader.join()
    assert not wrong
    assert seen


def test_a_close_waits_for_the_question_in_flight(columns: Path) -> None:
    made = opened(columns)
    made.open()
    made.begin("identity", "follower", START)
    made.fill([row(f"q{n}") for n in range(2_000)])
    asked = threading.Event()
    answers: list[list[tuple[Any, ...]]] = []
    cursor = made._cursor

    def noticed() -> duckdb.DuckDBPyConnection:
        asked.set()
        return cursor()

    made._cursor = noticed  # type: ignore[method-assign]
    reader = threading.Thread(
        target=lambda: answers.append(ask(made, "SELECT count(*) FROM interactions a, interactions b"))
    )
    reader.start()
    asked.wait(30)
    made.close()
    reader.join()
    assert answers == [[(4_000_000,)]]
