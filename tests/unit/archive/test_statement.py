"""What may be asked of the archive: one SELECT that reads `interactions`, and nothing that only looks like it."""

from collections.abc import Iterator

import duckdb
import pytest

from aura_analytics.archive.statement import LONGEST, check
from aura_analytics.errors import ParameterError


@pytest.fixture(scope="module")
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(":memory:") as opened:
        yield opened


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM interactions",
        "from Interactions select id; -- a comment ;",
        "TABLE interactions",
        "VALUES (1), (2)",
        "DESCRIBE interactions",
        "SUMMARIZE interactions",
        """SELECT DISTINCT ON (store_id) *, count(*) FILTER (a > 1) OVER (PARTITION BY intent ORDER BY created_at DESC)
        FROM interactions AS i JOIN (SELECT 1 AS one) ON true LEFT JOIN LATERAL (SELECT i.id) ON true
        WHERE EXISTS (FROM interactions) GROUP BY GROUPING SETS ((a), (b)) HAVING true ORDER BY ALL LIMIT 5 OFFSET 2""",
        "SELECT id FROM interactions LIMIT 10%",
        "SELECT id FROM interactions USING SAMPLE 5 ROWS",
        "SELECT 1 UNION ALL SELECT 2 EXCEPT SELECT 3",
        "WITH days AS MATERIALIZED (SELECT date FROM interactions) SELECT count(*) FROM Days",
        "WITH RECURSIVE t(n) AS (SELECT 1 UNION SELECT n + 1 FROM t WHERE n < 9) SELECT * FROM t",
        "SELECT * FROM interactions ASOF JOIN interactions AS b ON interactions.created_at >= b.created_at",
        "SELECT * FROM interactions PIVOT (count(*) FOR label IN ('GOOD', 'BAD'))",
        "SELECT * FROM interactions UNPIVOT (n FOR what IN (tokens_prompt, tokens_completion))",
        "SELECT unnest([1, 2]), list_transform([1], lambda x: x + 1), CASE WHEN true THEN 1 END, 1::DECIMAL(5, 2)",
        "SELECT * FROM range(3), json_each('[1]'), unnest([1]), (VALUES (1)) AS v(x)",
        "SELECT quantile_cont(latency_ms, 0.95) FROM interactions WHERE id IN (SELECT id FROM interactions)",
    ],
)
def test_what_reads_the_table_gets_through(connection: duckdb.DuckDBPyConnection, sql: str) -> None:
    check(connection, sql)


@pytest.mark.parametrize(
    "sql",
    [
        "INSERT INTO interactions VALUES (1)",
        "COPY interactions TO 'out.csv'",
        "ATTACH 'other.db'",
        "INSTALL httpfs",
        "LOAD httpfs",
        "SET threads = 99",
        "PRAGMA version",
        "CALL range(1)",
        "EXPLAIN ANALYZE SELECT 1",
        "CREATE TABLE t AS SELECT 1",
        "DROP VIEW interactions",
        "EXPORT DATABASE 'folder'",
        "PREPARE x AS SELECT 1",
        "CREATE SECRET (TYPE s3)",
        "BEGIN",
        "SELECT 1; DROP VIEW interactions",
        # What DuckDB calls a SELECT, and writes.
        "WITH t AS (COPY (SELECT 1) TO 'out.csv') SELECT 1",
        "WITH t AS (INSERT INTO interactions VALUES (1)) SELECT 1",
        "WITH t AS (DELETE FROM interactions RETURNING *) SELECT * FROM t",
        "WITH t AS (UPDATE interactions SET id = 1 RETURNING *) SELECT * FROM t",
    ],
)
def test_what_does_something_else_is_refused(connection: duckdb.DuckDBPyConnection, sql: str) -> None:
    with pytest.raises(ParameterError, match="only SELECT statements"):
        check(connection, sql)


@pytest.mark.parametrize(
    "source",
    [
        "'x.parquet'",
        "'/etc/passwd'",
        "read_csv('x')",
        "read_text('/etc/passwd')",
        "read_blob('x')",
        "read_parquet('**/*.parquet')",
        "parquet_metadata('x')",
        "sniff_csv('x')",
        "glob('*')",
        "duckdb_settings()",
        "duckdb_secrets()",
        "query('SELECT 1')",
        "query_table('interactions')",
        "json_execute_serialized_sql('{}')",
        "system.main.range(1)",
        "information_schema.tables",
        "sqlite_master",
        "main.interactions",
        "memory.main.interactions",
        "own.withheld",
        "(DESCRIBE other)",
    ],
)
@pytest.mark.parametrize(
    "place",
    [
        "SELECT * FROM {}",
        "SELECT (SELECT 1 FROM {})",
        "SELECT 1 WHERE EXISTS (FROM {})",
        "WITH t AS (SELECT * FROM {}) SELECT 1",
        "WITH RECURSIVE t AS (SELECT 1 UNION ALL SELECT * FROM {}) SELECT 1",
        "SELECT * FROM interactions ORDER BY (SELECT 1 FROM {})",
        "SELECT 1 LIMIT (SELECT 1 FROM {})",
        "SELECT * FROM range((SELECT 1 FROM {}))",
        "VALUES ((SELECT 1 FROM {}))",
        "SELECT list_transform([1], lambda x: (SELECT 1 FROM {}))",
        "SELECT 1 UNION ALL SELECT * FROM interactions JOIN {} ON true",
        "DESCRIBE SELECT * FROM {}",
    ],
)
def test_what_reads_something_else_is_refused_wherever_it_stands(
    connection: duckdb.DuckDBPyConnection, source: str, place: str
) -> None:
    with pytest.raises(ParameterError, match=r"one table here|isn't for asking"):
        check(connection, place.format(source))


@pytest.mark.parametrize(
    "sql", ["", "  ", ";", "-- nothing", "SELECT 1; SELECT 2", "SHOW TABLES", "selec 1", "SELECT ("]
)
def test_what_is_not_one_statement_is_refused(connection: duckdb.DuckDBPyConnection, sql: str) -> None:
    with pytest.raises(ParameterError) as raised:
        check(connection, sql)
    assert "\n" not in str(raised.value)


def test_a_name_that_is_given_in_the_statement_can_be_no_file_s(connection: duckdb.DuckDBPyConnection) -> None:
    with pytest.raises(ParameterError, match="letters, digits and underscores"):
        check(connection, "SELECT (WITH \"a.parquet\" AS (SELECT 1) SELECT 1) FROM 'a.parquet'")


@pytest.mark.parametrize("sql", ["SELECT 1\0", "SELECT 1\0; DROP VIEW interactions", "SELECT '\ud800'"])
def test_what_is_no_character_is_refused(connection: duckdb.DuckDBPyConnection, sql: str) -> None:
    with pytest.raises(ParameterError, match="no character"):
        check(connection, sql)


def test_a_statement_without_end_is_refused(connection: duckdb.DuckDBPyConnection) -> None:
    with pytest.raises(ParameterError, match="longer than"):
        check(connection, f"SELECT '{'x' * LONGEST}'")


def test_one_nested_without_end_is_refused(connection: duckdb.DuckDBPyConnection) -> None:
    with pytest.raises(ParameterError, match="can't be read"):
        check(connection, f"SELECT {'(' * 5_000}1{')' * 5_000}")
