"""A dump becomes statements, whatever stands in its texts, and in whichever pieces it is read."""

import io
import sqlite3

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aura_analytics.errors import LoadError
from aura_analytics.store.cloudflare import dump
from aura_analytics.store.cloudflare.dump import Dump

TRIGGER = "CREATE TRIGGER t AFTER INSERT ON a BEGIN SELECT 1; SELECT 'END;'; END;"


def texts(sql: bytes | str) -> list[str]:
    file = io.BytesIO(sql if isinstance(sql, bytes) else sql.encode())
    return [statement.text.decode() for statement in Dump(file).statements()]


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO a VALUES('it''s; -- no end', \"x;\"\"\", [y;], `z;`);",
        "CREATE TABLE a (b TEXT, -- it's a comment; with an apostrophe\n c /* ; ' */ TEXT);",
        "INSERT INTO a VALUES('one\r\ntwo;\n');",
        "SELECT 1 - -1 / 2 * 3;",
        TRIGGER,
    ],
)
def test_a_statement_ends_where_sqlite_says(statement: str) -> None:
    assert texts(f"\ufeff-- begin\r\n{statement}\r\n/* between */ {statement}\r\n-- end") == [statement, statement]
    assert sqlite3.complete_statement(statement)


@given(st.lists(st.text(), min_size=1, max_size=5), st.integers(1, 40))
def test_texts_come_through_in_pieces_of_any_size(said: list[str], size: int) -> None:
    statements = ["INSERT INTO a VALUES('" + text.replace("'", "''") + "');" for text in said]
    sql = "\n".join(statements).encode("utf-8", "surrogatepass")

    class Slow(io.BytesIO):
        def read(self, _: int | None = -1, /) -> bytes:
            return super().read(size)

    found = [statement.text for statement in Dump(Slow(sql)).statements()]
    assert found == [statement.encode("utf-8", "surrogatepass") for statement in statements]


def test_each_statement_knows_its_line() -> None:
    sql = b"-- one\nCREATE TABLE a (\n b);\n\nINSERT INTO a VALUES('\n');\r\nINSERT INTO a VALUES(2);"
    assert [statement.line for statement in Dump(io.BytesIO(sql)).statements()] == [2, 5, 7]


@pytest.mark.parametrize("rest", ["INSERT INTO a VALUES('it", "INSERT INTO a VALUES(1", "/* never", TRIGGER[:-5], '"'])
def test_a_dump_that_ends_amid_a_statement_is_named(rest: str) -> None:
    with pytest.raises(LoadError, match="isn't all there"):
        texts(f"INSERT INTO a VALUES(1);\n{rest}")


def test_what_never_ends_is_no_dump(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dump, "PIECE", 1_000)
    monkeypatch.setattr(dump, "LONGEST", 10_000)
    with pytest.raises(LoadError, match="no dump"):
        texts("'" + "x" * 100_000)


def test_dumps_are_told_apart_by_what_they_hold() -> None:
    names = []
    for sql in (b"SELECT 1;", b"SELECT 2;", b"SELECT 1;"):
        read = Dump(io.BytesIO(sql))
        list(read.statements())
        names.append(read.content)
    assert names[0] == names[2] != names[1]
