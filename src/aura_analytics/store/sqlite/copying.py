"""A SQLite file as one side of a copy."""

import fcntl
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, BinaryIO

from aura_analytics.errors import StoreUnavailable
from aura_analytics.store.copying.cells import Mended
from aura_analytics.store.copying.side import Mark, Progress, TooMuchText, progress_of
from aura_analytics.store.copying.statements import statements_of
from aura_analytics.store.copying.tables import Stage, TableName
from aura_analytics.store.queries import Dialect, Row, expand, load
from aura_analytics.store.sqlite.append import json_of, publish
from aura_analytics.store.sqlite.connection import connect, path_of, translated

SQL = load("copying", "sqlite")

STATEMENTS = statements_of(SQL)

FETCH_ROWS = 16
SIZED = (str, bytes)


class SqliteSide:
    """Implements `Side` over one connection, which one thread uses at a time."""

    dialect: Dialect = "sqlite"

    def __init__(self, url: str) -> None:
        self._path = path_of(url)
        self._made: sqlite3.Connection | None = None
        self._lock: BinaryIO | None = None

    def open(self) -> None:
        """Connect."""
        self._made = connect(self._path)

    def close(self) -> None:
        """Let go of the file, and of its lock."""
        if self._made is not None:
            self._made.close()
        if self._lock is not None:
            self._lock.close()

    def lock(self) -> bool:
        """Take the lock beside the file. It is never removed: two could have one each then."""
        try:
            self._lock = self._path.with_name(self._path.name + ".copying").open("ab")
        except OSError as error:
            raise StoreUnavailable(f"the folder of the database can't be written: {error.strerror}") from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Read one moment."""
        with self._transaction("BEGIN"):
            yield

    @contextmanager
    def changing(self) -> Iterator[None]:
        """Hold the file's write lock."""
        with self._transaction("BEGIN IMMEDIATE"):
            yield

    def walk(self, stage: Stage, after: Mark, limit: int) -> list[tuple[Mark, str]]:
        """Give the next ids; those that are no text end or leave the list, since nothing can be found by them."""
        rows = self._fetch(STATEMENTS.walk[stage.walked], {"after": after, "limit": limit}, None)
        return [(mark, id) for mark, id in rows if isinstance(mark, int | str) and (type(id) is str or stage.numbered)]

    def rows(self, table: TableName, ids: Sequence[str], *, most_text: int | None) -> list[Row]:
        """Give the rows of some ids."""
        return self._fetch(STATEMENTS.read[table], {"ids": json_of(list(ids))}, most_text)

    def moments(self, ids: Sequence[str]) -> list[Row]:
        """Give queries' moments."""
        return self._fetch(SQL["moments"], {"ids": json_of(list(ids))}, None)

    def answered(self, ids: Sequence[str]) -> frozenset[str]:
        """Tell which queries have an outcome."""
        return frozenset(id for (id,) in self._fetch(SQL["answered"], {"ids": json_of(list(ids))}, None))

    def write(self, table: TableName, rows: Sequence[Row]) -> int:
        """Store rows."""
        if not rows:
            return 0
        return self._connection.executemany(expand(STATEMENTS.write[table], len(rows[0]), 1), rows).rowcount

    def unqueue(self, ids: Sequence[str]) -> int:
        """Remove work."""
        return self._connection.execute(SQL["unqueue"], {"ids": json_of(list(ids))}).rowcount

    def publish(self, query_ids: Sequence[str], conversion_ids: Sequence[str], *, now: int) -> None:
        """Write to the feed."""
        publish(self._connection, query_ids, conversion_ids, now=now)

    def progress(self, source: str) -> Progress | None:
        """Read how far a database has been copied."""
        return progress_of(self._fetch(SQL["progress"], {"source": source}, None))

    def copied_before(self) -> int:
        """Count what was copied into this one."""
        [(count,)] = self._fetch(SQL["copied_before"], {}, None)
        return int(count)

    def note_progress(self, source: str, progress: Progress, *, now: int) -> None:
        """Note how far a database has been copied."""
        self._connection.execute(SQL["note_progress"], {"source": source, "now": now} | progress.cells)

    def without_key(self) -> dict[TableName, int]:
        """Count the rows without a text for a key."""
        return {table: count for table, count in self._fetch(SQL["without_key"], {}, None) if count}

    def days(self) -> list[Row]:
        """Count by day."""
        return self._fetch(load("cloudflare", "sqlite")["days"], {}, None)

    @property
    def _connection(self) -> sqlite3.Connection:
        if self._made is None:
            raise StoreUnavailable("the database isn't open")
        return self._made

    @contextmanager
    def _transaction(self, begin: str) -> Iterator[None]:
        with translated():
            self._connection.execute(begin)
            try:
                yield
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise

    def _fetch(self, sql: str, values: dict[str, Any], most_text: int | None) -> list[Row]:  # Any: what is bound
        """Read rows; a text that is no UTF-8 is a `Mended` one."""
        with translated():
            try:
                return _rows(self._connection.execute(sql, values), most_text)
            except sqlite3.OperationalError as error:
                if "decode to UTF-8" not in str(error):
                    raise
            self._connection.text_factory = _mended
            try:
                return _rows(self._connection.execute(sql, values), most_text)
            finally:
                self._connection.text_factory = str


def _mended(raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return Mended(raw.decode("utf-8", "replace"))


def _rows(cursor: sqlite3.Cursor, most_text: int | None) -> list[Row]:
    if most_text is None:
        return cursor.fetchall()
    rows: list[Row] = []
    size = 0
    while some := cursor.fetchmany(FETCH_ROWS):
        rows += some
        size += sum([len(cell) for row in some for cell in row if isinstance(cell, SIZED)])
        if size > most_text:
            cursor.close()
            raise TooMuchText
    return rows
