"""What is written for wrangler is, read by SQLite, what it was, within D1's limits."""

import io
import math
import sqlite3
from contextlib import closing
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from aura_analytics.store.cloudflare.export import GUIDES
from aura_analytics.store.cloudflare.script import MOST_OF_A_ROW, Script, literal
from aura_analytics.store.copying.tables import OUTCOMES

LIMIT = 100_000
OUTCOME = GUIDES[1]
ANYTHING = st.one_of(
    st.none(), st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False), st.binary(), st.text(st.characters(codec="utf-8"))
)  # fmt: skip


def read(sql: bytes, schema: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.execute(schema)
        for line in sql.decode().removesuffix("\n").split("\n"):
            assert len(line.encode()) < LIMIT
            connection.execute(line)
        return connection.execute("SELECT * FROM voice_outcomes").fetchall()


@given(ANYTHING)
@example(6.485846)
@example(5.8317330410541854e-297)
@example("BEGIN TRANSACTION; ~0~ COMMIT;\n~0~\n")
@example("~0~1~2\0~0\0~")
@example("~1\n~0~\r~~0~1~\n")
def test_a_cell_is_what_it_was(cell: Any) -> None:
    written = literal(cell)
    assert "\n" not in written
    assert "\r" not in written
    assert "\0" not in written
    assert "BEGIN TRANSACTION" not in written
    with closing(sqlite3.connect(":memory:")) as connection:
        [(found,)] = connection.execute(f"SELECT {written}").fetchall()
    assert found == cell
    assert type(found) is type(cell)


def test_a_number_that_is_none_is_nothing() -> None:
    assert literal(math.nan) == "NULL"


@settings(deadline=None, max_examples=15)
@given(
    st.lists(st.text(st.characters(codec="utf-8"), max_size=20), min_size=1, max_size=3),
    st.sampled_from([1, 5_000, 30_000]),
)
def test_rows_of_any_length_keep_to_the_limits_and_come_once(texts: list[str], times: int) -> None:
    rows = [(f"q{number}", text * times, *[None] * 9) for number, text in enumerate(texts)]
    file = io.BytesIO()
    script = Script(file)
    fit = [row for row in rows if len(row[1].encode()) + 99 <= MOST_OF_A_ROW]
    assert script.write(OUTCOMES, OUTCOME.statement, rows) == len(fit)
    assert script.too_long == len(rows) - len(fit)
    columns = ", ".join(column.name for column in OUTCOMES.columns[:11])
    schema = f"CREATE TABLE voice_outcomes ({columns}, UNIQUE (query_id))"
    assert read(file.getvalue() * 2, schema) == fit
