"""Writing and reading a file of the archive. Both block; neither belongs on the event loop."""

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import duckdb

from aura_analytics.archive.shape import COLUMNS, Flat
from aura_analytics.errors import ArchiveError

MEMORY_MB = 256
# Rows that are in memory at once where a whole file is read.
BATCH_ROWS = 4_096
# Much smaller than the fastest level, and still faster than the rows are read.
LEVEL = 9

_CREATE = f"CREATE TABLE shelved ({', '.join(f'{name} {kind}' for name, kind in COLUMNS.items())})"
_NAMES = ", ".join(COLUMNS)
_WRITE = """
COPY (SELECT * FROM shelved ORDER BY created_at, id) TO '{path}'
(FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL {level}, PARQUET_VERSION V2)
"""
_READ = f"SELECT {_NAMES} FROM read_parquet($path, hive_partitioning = false)"
_CONFIG: dict[str, str | bool | int | float | list[str]] = {
    "memory_limit": f"{MEMORY_MB}MiB",
    "threads": "1",
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "python_enable_replacements": "false",
}


@contextlib.contextmanager
def _engine() -> Iterator[duckdb.DuckDBPyConnection]:
    try:
        with contextlib.closing(duckdb.connect(":memory:", config=_CONFIG)) as connection:
            yield connection
    except duckdb.Error as error:
        raise ArchiveError(f"a file of the archive can't be written or read: {type(error).__name__}") from error


def write(path: Path, rows: Sequence[Flat]) -> None:
    """Write interactions into a new file.

    Raises:
        ArchiveError: it can't be written.
    """
    with _engine() as connection:
        connection.execute(_CREATE)
        appender = connection.appender("shelved", columns=list(COLUMNS))
        try:
            appender.append_rows(list(rows))
            appender.flush()
        finally:
            appender.clear()
        connection.execute(_WRITE.format(path=str(path).replace("'", "''"), level=LEVEL))


def read(path: Path, ids: Sequence[str] | None = None) -> Iterator[list[Flat]]:
    """Read the interactions of a file, all or the named, some at a time.

    Raises:
        ArchiveError: it can't be read, or is none of ours.
    """
    named = "" if ids is None else " WHERE id IN (SELECT unnest($ids::VARCHAR[]))"
    values = {"path": str(path)} | ({} if ids is None else {"ids": list(ids)})
    with _engine() as connection:
        found = connection.execute(_READ + named, values)
        while rows := found.fetchmany(BATCH_ROWS):
            yield rows


def ids_of(path: Path, user_id: str, sessions: Sequence[tuple[str, str]]) -> list[str]:
    """Give the interactions of a file that name somebody, or stand in one of some sessions of theirs."""
    raise NotImplementedError
