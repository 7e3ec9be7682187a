"""The SQL files: each statement is named, says what it is for, is used, and is what the database understands."""

import re
import sqlite3
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path

import pytest

import aura_analytics
from aura_analytics.store import queries
from aura_analytics.store.sqlite import migrate

NOUNS = sorted(file.name.removesuffix(".sql") for file in files(queries).iterdir() if file.name.endswith(".sql"))
STATEMENTS = [(noun, name) for noun in NOUNS for name in queries.load(noun)]
WRITES = re.compile(r"^(INSERT|UPDATE|DELETE)", re.MULTILINE)

each_statement = pytest.mark.parametrize(
    ("noun", "name"), STATEMENTS, ids=[f"{noun}-{name}" for noun, name in STATEMENTS]
)


def source_of(noun: str) -> str:
    return files(queries).joinpath(f"{noun}.sql").read_text("utf-8")


def python_sources() -> list[str]:
    store = Path(aura_analytics.__file__).parent / "store"
    return [path.read_text("utf-8") for path in sorted(store.rglob("*.py"))]


def test_there_are_files_with_statements() -> None:
    assert NOUNS == ["conversions", "evaluation", "events", "feed", "hourly", "interaction", "surroundings"]
    assert len(STATEMENTS) > 20


@pytest.mark.parametrize("noun", NOUNS)
def test_nothing_stands_before_the_first_name_and_no_name_comes_twice(noun: str) -> None:
    text = source_of(noun)
    assert text.startswith("-- name: ")
    found = re.findall(r"^-- name: (\w+)$", text, re.MULTILINE)
    assert len(set(found)) == len(found)
    assert len(re.findall(r"^-- name", text, re.MULTILINE)) == len(found)
    assert list(queries.load(noun)) == found


@each_statement
def test_a_statement_says_what_it_is_for(noun: str, name: str) -> None:
    purpose, *statement = queries.load(noun)[name].splitlines()
    assert re.match(r"^-- [A-Z].{10,}\.$", purpose)
    assert statement
    assert not statement[0].startswith("--")
    assert statement[-1].endswith(";")


@each_statement
def test_a_statement_is_one_statement_that_the_database_understands(
    noun: str, name: str, url: str, raw: Callable[[], sqlite3.Connection]
) -> None:
    migrate(url)
    sql = queries.load(noun)[name]
    columns = len(match[1].split(",")) if (match := re.search(r"INSERT INTO \w+ \(([^)]*)\)", sql)) else 0
    sql = sql.replace("{rows}", f"({', '.join('?' * columns)})")
    named = set(re.findall(r":(\w+)", sql))
    parameters = dict.fromkeys(named, None) if named else (None,) * sql.count("?")
    raw().execute("EXPLAIN " + sql, parameters)


@each_statement
def test_a_statement_is_used(noun: str, name: str) -> None:
    users = [text for text in python_sources() if f'load("{noun}")' in text]
    assert any(f'"{name}"' in text for text in users)


def test_every_statement_that_is_asked_for_is_there() -> None:
    asked = set(re.findall(r'\b(?:SQL|EVENTS|FEED|EVALUATION|CONVERSIONS)\["(\w+)"\]', "\n".join(python_sources())))
    assert asked
    assert asked <= {name for _, name in STATEMENTS}


@each_statement
def test_values_are_bound_and_never_written_in(noun: str, name: str) -> None:
    sql = queries.load(noun)[name]
    assert not re.search(r"%s|\{(?!rows\})", sql)
    if WRITES.search(sql):
        assert "?" in sql or ":" in sql or "{rows}" in sql or name == "trim"


def test_rows_are_as_many_lists_as_asked_for() -> None:
    assert queries.expand("INSERT INTO t VALUES {rows}", 2, 3) == "INSERT INTO t VALUES (?, ?), (?, ?), (?, ?)"
