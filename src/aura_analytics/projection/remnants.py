"""What is left in the columns' file of interactions that were erased, until the file is written anew.

DuckDB marks removed rows and leaves their bytes in blocks, also in those it no longer uses. A mark in the file says that
it holds such blocks; it goes with the file, when all that stands is copied into a new one that takes its place.
"""

from collections.abc import Collection, Sequence
from pathlib import Path

import duckdb

from aura_analytics.projection import attribution, cubes, publishing, schema, spelling
from aura_analytics.projection.coverage import HOUR_MS
from aura_analytics.projection.transport import fitting
from aura_analytics.store.port import WideRow

CREATE = "CREATE TABLE remnants (since BIGINT)"
MARK = "INSERT INTO remnants SELECT 0 WHERE NOT EXISTS (SELECT 1 FROM remnants)"
ARE_THERE = "SELECT count(*) FROM remnants"

STORE = schema.position("store_id")
TEXT = schema.position("query_text")


def take_out(cursor: duckdb.DuckDBPyConnection, query_ids: Sequence[str], rows: Sequence[WideRow]) -> list[WideRow]:
    """Take the interactions without a row out of the table; give what they were."""
    there = {row[schema.ID] for row in rows}
    without = [id for id in query_ids if id not in there]
    gone: list[WideRow] = cursor.execute(schema.READ_GONE, [without]).fetchall()
    cursor.execute(schema.DELETE_GONE, [without])
    return gone


def clear(cursor: duckdb.DuckDBPyConnection, gone: Sequence[WideRow]) -> None:
    """Take what was erased out of all that is kept beside the table, once that has followed; note that bytes are left."""
    spelling.forget(cursor, {row[TEXT] for row in gone if isinstance(row[TEXT], str) and not row[TEXT].isascii()})
    cells = [(row[STORE], fitting(row[schema.CREATED_AT], "BIGINT")) for row in gone]
    publishing.empty(cursor, {(store, moment // HOUR_MS) for store, moment in cells if store and moment is not None})
    cursor.execute(MARK)


def clear_conversions(cursor: duckdb.DuckDBPyConnection, gone: Collection[str]) -> None:
    """Take out conversions that were erased, and what they were owed to."""
    attribution.let_go(cursor, gone)
    cursor.execute(MARK)


def drop_stale(cursor: duckdb.DuckDBPyConnection) -> None:
    """Empty the cubes of all that is stale: nothing is answered from there, but they still say what was."""
    for table in cubes.OF_HOURS:
        cursor.execute(f"DELETE FROM {table} WHERE hour IN (SELECT hour FROM stale_hours)")
    for table in cubes.OF_DAYS:
        cursor.execute(f"DELETE FROM {table} WHERE day IN (SELECT day FROM stale_days)")


def copy(cursor: duckdb.DuckDBPyConnection, path: Path) -> None:
    """Copy all that stands into a new file."""
    for file in (path, path.with_name(path.name + ".wal")):
        file.unlink(missing_ok=True)
    target = str(path).replace("'", "''")
    (name,) = cursor.execute("SELECT current_database()").fetchone() or ("",)
    source = name.replace('"', '""')
    cursor.execute(f"ATTACH '{target}' AS renewed")
    try:
        cursor.execute(f'COPY FROM DATABASE "{source}" TO renewed')
        cursor.execute("DELETE FROM renewed.remnants")
    finally:
        cursor.execute("DETACH renewed")
