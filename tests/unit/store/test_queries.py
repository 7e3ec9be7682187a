"""The SQL files: each statement is named, says what it is for, is used, and is what the database understands."""

import re
import sqlite3
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import get_args

import pytest

import aura_analytics
from aura_analytics.store import queries
from aura_analytics.store.copying.statements import NOUNS as NOUNS_OF_TABLES
from aura_analytics.store.privacy import BY_QUERY
from aura_analytics.store.queries import Dialect
from aura_analytics.store.sqlite import migrate

STORE = Path(aura_analytics.__file__).parent / "store"
TOLD = ("copying/along.py", "cloudflare/export.py")
DIALECTS: list[Dialect] = [dialect for dialect in get_args(Dialect) if (STORE / dialect / "__init__.py").is_file()]
# Those that have a fixture `explain_<dialect>` here, which asks the database itself.
EXPLAINED: list[Dialect] = ["sqlite"]
WRITES = re.compile(r"^(INSERT|UPDATE|DELETE)", re.MULTILINE)
# What writes without any value.
VALUELESS = {
    ("archive", "forget_kept_totals"),
    ("feed", "take_room"),
    ("feed", "trim"),
    ("migrations", "begin_feed"),
    ("migrations", "forget_feed"),
    ("migrations", "forget_followers"),
    ("migrations", "rename"),
    ("rates", "forget"),
}
# Read a database of others, from a scratch file, whose tables and columns are named by what was looked up there and is
# held against our own; tests/acceptance/test_cloudflare.py runs them.
FOREIGN = {"backup", "cloudflare"}

Explain = Callable[[str], object]


def nouns_in(*folder: str) -> set[str]:
    """Give the nouns that a folder has a file for."""
    found = files(queries).joinpath(*folder).iterdir()
    return {file.name.removesuffix(".sql") for file in found if file.name.endswith(".sql")}


SHARED = nouns_in()
FILES = ["", *DIALECTS]  # the folders, the shared one first
SOURCES = [(folder, noun) for folder in FILES for noun in sorted(nouns_in(folder))]
STATEMENTS = [
    (dialect, noun, name)
    for dialect in DIALECTS
    for noun in sorted(SHARED | nouns_in(dialect))
    for name in queries.load(noun, dialect)
]

each_file = pytest.mark.parametrize(("folder", "noun"), SOURCES, ids=[f"{f or 'shared'}-{n}" for f, n in SOURCES])
each_statement = pytest.mark.parametrize(
    ("dialect", "noun", "name"), STATEMENTS, ids=["-".join(statement) for statement in STATEMENTS]
)
each_explained = pytest.mark.parametrize(
    ("dialect", "noun", "name"),
    [statement for statement in STATEMENTS if statement[0] in EXPLAINED and statement[1] not in FOREIGN],
    ids=["-".join(statement) for statement in STATEMENTS if statement[0] in EXPLAINED and statement[1] not in FOREIGN],
)


def source_of(folder: str, noun: str) -> str:
    return files(queries).joinpath(folder, f"{noun}.sql").read_text("utf-8")


def python_sources(dialect: Dialect) -> list[str]:
    return [path.read_text("utf-8") for path in sorted((STORE / dialect).rglob("*.py"))]


def users_of(noun: str, dialect: Dialect) -> list[str]:
    sources = [path.read_text("utf-8") for path in sorted(STORE.rglob("*.py"))]
    by_name = TOLD if noun == "copying" else ()  # these are asked of either side by their names
    found = [text for text in sources if f'load("{noun}", "{dialect}")' in text]
    return found + [(STORE / path).read_text("utf-8") for path in by_name]


@pytest.fixture
def explain_sqlite(url: str, raw: Callable[[], sqlite3.Connection]) -> Explain:
    """Asks SQLite how it would run a statement, on a migrated database."""
    migrate(url)

    def explain(sql: str) -> object:
        columns = len(match[1].split(",")) if (match := re.search(r"INSERT INTO \w+ \(([^)]*)\)", sql)) else 0
        sql = queries.expand(sql, columns, 1)
        named = dict.fromkeys(re.findall(r":(\w+)", sql))
        return raw().execute("EXPLAIN " + sql, named or (None,) * sql.count("?")).fetchall()

    return explain


def test_there_are_files_with_statements() -> None:
    nouns = {"conversions", "evaluation", "events", "feed", "hourly", "interaction", "surroundings"}
    assert "sqlite" in DIALECTS
    assert all(nouns <= SHARED | nouns_in(dialect) for dialect in DIALECTS)
    assert len(STATEMENTS) > 20 * len(DIALECTS)


@each_file
def test_nothing_stands_before_the_first_name_and_no_name_comes_twice(folder: str, noun: str) -> None:
    text = source_of(folder, noun)
    assert text.startswith("-- name: ")
    found = re.findall(r"^-- name: (\w+)$", text, re.MULTILINE)
    assert len(set(found)) == len(found)
    assert len(re.findall(r"^-- name", text, re.MULTILINE)) == len(found)
    assert list(queries.statements(text)) == found


@pytest.mark.parametrize("noun", sorted(SHARED))
def test_what_all_databases_understand_binds_its_values_by_name(noun: str) -> None:
    assert not re.search(r"\?|\{(?!in:\w+\}|\})|%|json_|typeof|::", source_of("", noun))


@each_statement
def test_a_statement_says_what_it_is_for(dialect: Dialect, noun: str, name: str) -> None:
    purpose, *statement = queries.load(noun, dialect)[name].splitlines()
    assert re.match(r"^-- [A-Z].{10,}\.$", purpose)
    assert statement
    assert not statement[0].startswith("--")
    assert statement[-1].endswith(";")


@each_explained
def test_a_statement_is_one_statement_that_the_database_understands(
    dialect: Dialect, noun: str, name: str, request: pytest.FixtureRequest
) -> None:
    explain: Explain = request.getfixturevalue(f"explain_{dialect}")
    assert explain(queries.load(noun, dialect)[name])


@each_statement
def test_a_statement_is_used(dialect: Dialect, noun: str, name: str) -> None:
    users = users_of(noun, dialect)
    by_table = noun == "copying" and name.removeprefix("write_").removeprefix("next_") in NOUNS_OF_TABLES.values()
    by_place = noun == "privacy" and name in {statement for statement, _ in BY_QUERY}
    by_table = by_table or by_place
    if noun == "archive":  # asked for by their names, whichever the database
        users.append((STORE / "shelf.py").read_text("utf-8"))
    assert any((f'"{name}"' in text) or (by_table and ("statements_of(SQL)" in text or by_place)) for text in users)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_every_statement_that_is_asked_for_is_there(dialect: Dialect) -> None:
    sources = "\n".join(python_sources(dialect))
    asked = set(re.findall(r'\b(?:SQL|EVENTS|FEED|EVALUATION|CONVERSIONS)\["(\w+)"\]', sources))
    assert asked
    assert asked <= {name for its, _, name in STATEMENTS if its == dialect}


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_database_speaks_its_own_dialect_only(dialect: Dialect) -> None:
    spoken = set(re.findall(r'\bload\("\w+", "(\w+)"\)', "\n".join(python_sources(dialect))))
    assert spoken == {dialect}


@each_statement
def test_values_are_bound_and_never_written_in(dialect: Dialect, noun: str, name: str) -> None:
    sql = queries.load(noun, dialect)[name]
    if noun in FOREIGN:
        return
    assert not re.search(r"%s|\{(?!rows\}|\})", sql)
    if WRITES.search(sql) and (noun, name) not in VALUELESS:
        assert re.search(r"\{rows\}|:\w|%\(\w+\)s", sql)


def test_rows_are_as_many_lists_as_asked_for() -> None:
    assert queries.expand("INSERT INTO t VALUES {rows}", 2, 3) == "INSERT INTO t VALUES (?, ?), (?, ?), (?, ?)"


@pytest.mark.parametrize(
    ("written", "sqlite", "postgres"),
    [
        ("id = :id", "id = :id", "id = %(id)s"),
        ("(:a,:b_2)", "(:a,:b_2)", "(%(a)s,%(b_2)s)"),
        ("id {in:ids}", "id IN (SELECT value FROM json_each(:ids))", "id = ANY(CAST(%(ids)s AS text[]))"),
        ("VALUES {rows}", "VALUES {rows}", "VALUES {rows}"),
        (":a::text || b::int[]", ":a::text || b::int[]", "%(a)s::text || b::int[]"),
        ("a[1:2]", "a[1:2]", "a[1:2]"),
        ("a % 2", "a % 2", "a %% 2"),
        ("':a' || 'it''s :b' || :c", "':a' || 'it''s :b' || :c", "':a' || 'it''s :b' || %(c)s"),
        ("LIKE '%{in:a}' AND :b", "LIKE '%{in:a}' AND :b", "LIKE '%%{in:a}' AND %(b)s"),
        ('":a" = :b', '":a" = :b', '":a" = %(b)s'),
        ("-- a person's :a, 5 %\nid = :a", "-- a person's :a, 5 %\nid = :a", "-- a person's :a, 5 %%\nid = %(a)s"),
        ("a - -1 -- it's\n= :a", "a - -1 -- it's\n= :a", "a - -1 -- it's\n= %(a)s"),
    ],
)
def test_a_statement_is_written_as_the_driver_takes_it(written: str, sqlite: str, postgres: str) -> None:
    assert queries.spoken(written, "sqlite") == sqlite
    assert queries.spoken(written, "postgres") == postgres


def test_a_shared_statement_is_there_in_every_dialect_and_one_of_a_dialect_only_in_its_own() -> None:
    sqlite, postgres = queries.load("events", "sqlite"), queries.load("events", "postgres")
    assert "wide_rows" in sqlite.keys() & postgres.keys()
    assert "known" in sqlite.keys() - postgres.keys()
    assert ":upto" in sqlite["snapshot"]
    assert "%(upto)s" in postgres["snapshot"]


@pytest.mark.parametrize("noun", ["interaction", "backup"])
def test_a_noun_may_be_only_shared_or_only_of_a_dialect(noun: str) -> None:
    assert (noun in SHARED) != (noun in nouns_in("sqlite"))
    assert queries.load(noun, "sqlite")


def test_a_noun_that_has_no_file_at_all_is_an_error() -> None:
    with pytest.raises(ValueError, match="no SQL for “nothing”"):
        queries.load("nothing", "sqlite")


@pytest.mark.parametrize("texts", [("-- name: a\n1;\n-- name: a\n2;\n",), ("-- name: a\n1;\n", "-- name: a\n2;\n")])
def test_a_name_that_comes_twice_is_an_error(texts: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="“a”"):
        queries.statements(*texts)


def test_statements_of_several_files_are_put_together() -> None:
    assert queries.statements("-- name: a\n1;\n", "-- name: b\n2;\n") == {"a": "1;", "b": "2;"}
