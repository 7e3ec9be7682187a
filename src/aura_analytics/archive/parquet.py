"""Writing and reading a file of the archive. Both block; neither belongs on the event loop."""

import contextlib
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from aura_analytics.archive.shape import COLUMNS, Flat
from aura_analytics.errors import ArchiveError

if TYPE_CHECKING:
    import duckdb

MEMORY_MB = 256
# Rows that are in memory at once where a whole file is read.
BATCH_ROWS = 4_096
# Much smaller than the fastest level, and still faster than the rows are read.
LEVEL = 9

_CREATE = f"CREATE OR REPLACE TABLE shelved ({', '.join(f'{name} {kind}' for name, kind in COLUMNS.items())})"
_NAMES = ", ".join(COLUMNS)
_WRITE = """
COPY (SELECT * FROM shelved ORDER BY created_at, id) TO '{path}'
(FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL {level}, PARQUET_VERSION V2)
"""
_READ = f"SELECT {_NAMES} FROM read_parquet($path, hive_partitioning = false)"
_NAMED = """
SELECT filename, id, store_id, session_id, user_id
FROM read_parquet($paths, hive_partitioning = false, filename = true)
WHERE user_id = $user OR session_id IN (SELECT unnest($sessions::VARCHAR[]))
"""
_CONFIG: dict[str, str | bool | int | float | list[str]] = {
    "memory_limit": f"{MEMORY_MB}MiB",
    "threads": "1",
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "python_enable_replacements": "false",
}


def literal(path: Path) -> str:
    """Write a path so that the engine takes it for itself, and not for a pattern of paths."""
    return re.sub(r"([*?\[])", r"[\1]", str(path))


class Parquet:
    """Writes and reads files, by an engine that is started with the first one; for one thread."""

    def __init__(self) -> None:
        self._started: duckdb.DuckDBPyConnection | None = None

    def close(self) -> None:
        """Let go of the engine."""
        if self._started is not None:
            self._started.close()
            self._started = None

    def write(self, path: Path, rows: Sequence[Flat]) -> None:
        """Write interactions into a new file.

        Raises:
            ArchiveError: it can't be written.
        """
        with self._engine() as connection:
            connection.execute(_CREATE)
            appender = connection.appender("shelved", columns=list(COLUMNS))
            try:
                appender.append_rows(list(rows))
                appender.flush()
            finally:
                appender.clear()
            connection.execute(_WRITE.format(path=str(path).replace("'", "''"), level=LEVEL))

    def read(self, path: Path, ids: Sequence[str] | None = None) -> Iterator[list[Flat]]:
        """Read the interactions of a file, all or the named, some at a time.

        Raises:
            ArchiveError: it can't be read, or is none of ours.
        """
        named = "" if ids is None else " WHERE id IN (SELECT unnest($ids::VARCHAR[]))"
        values = {"path": literal(path)} | ({} if ids is None else {"ids": list(ids)})
        with self._engine() as connection:
            found = connection.execute(_READ + named, values)
            while rows := found.fetchmany(BATCH_ROWS):
                yield rows

    def named(
        self, paths: Sequence[Path], user_id: str, sessions: Sequence[str]
    ) -> list[tuple[Path, str, str, str | None, str | None]]:
        """Look for somebody: give file, id, store, session and user of what names them or is in one of some sessions.

        Raises:
            ArchiveError: a file can't be read, or is none of ours.
        """
        if not paths:
            return []
        values = {"paths": [literal(path) for path in paths], "user": user_id, "sessions": list(sessions)}
        with self._engine() as connection:
            found = connection.execute(_NAMED, values).fetchall()
        return [(Path(path), id, store, session, user) for path, id, store, session, user in found]

    @contextlib.contextmanager
    def _engine(self) -> Iterator["duckdb.DuckDBPyConnection"]:
        """Have a cursor of its own, since several files may be read in turns."""
        # Imported here: it takes long to load, and a process that never comes to a file needs nothing of it.
        import duckdb  # noqa: PLC0415

        try:
            if self._started is None:
                self._started = duckdb.connect(":memory:", config=_CONFIG)
            with contextlib.closing(self._started.cursor()) as cursor:
                yield cursor
        except duckdb.Error as error:
            raise ArchiveError(f"a file of the archive can't be written or read: {type(error).__name__}") from error
