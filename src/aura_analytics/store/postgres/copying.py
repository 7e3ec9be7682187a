"""A PostgreSQL database as one side of a copy."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import msgspec
import psycopg

from aura_analytics.errors import StoreUnavailable
from aura_analytics.store.copying.side import Mark, Progress, TooMuchText, progress_of
from aura_analytics.store.copying.statements import statements_of
from aura_analytics.store.copying.tables import Stage, TableName
from aura_analytics.store.postgres.connection import conninfo, translated
from aura_analytics.store.queries import Dialect, Row, load

SQL = load("copying", "postgres")
FEED = load("feed", "postgres")
SESSION = load("session", "postgres")

STATEMENTS = statements_of(SQL)

FETCH_ROWS = 32
# Any number that nobody else's advisory lock has: "copy" in ASCII.
LOCK = 0x636F7079


class PostgresSide:
    """Implements `Side` over one connection, which one thread uses at a time."""

    dialect: Dialect = "postgres"

    def __init__(self, url: str) -> None:
        self._conninfo = conninfo(url, statement_ms=0)
        self._made: psycopg.Connection[Row] | None = None

    def open(self) -> None:
        """Connect. Nothing is prepared: a plan that was made for a small table would be kept while it grows."""
        with translated():
            self._made = psycopg.connect(self._conninfo, autocommit=True, prepare_threshold=None)
            self._made.execute(SESSION["durable"])

    def close(self) -> None:
        """Let go of the connection, and of its lock."""
        if self._made is not None:
            self._made.close()

    def lock(self) -> bool:
        """Take the lock, which is let go with the connection."""
        return self._fetch(SQL["try_lock"], {"key": LOCK}, None) == [(True,)]

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Read one moment."""
        with translated(), self._connection.transaction():
            self._connection.execute(SESSION["one_moment"])
            yield

    @contextmanager
    def changing(self) -> Iterator[None]:
        """Have a transaction, which the feed's followers see before it has an id."""
        with translated(), self._connection.transaction():
            self._connection.execute(FEED["announce"])
            yield

    def walk(self, stage: Stage, after: Mark, limit: int) -> list[tuple[Mark, str]]:
        """Give the next ids."""
        return [
            (mark, id)
            for mark, id in self._fetch(STATEMENTS.walk[stage.walked], {"after": after, "limit": limit}, None)
        ]

    def rows(self, table: TableName, ids: Sequence[str], *, most_text: int | None) -> list[Row]:
        """Give the rows of some ids."""
        return self._fetch(STATEMENTS.read[table], {"ids": list(ids)}, most_text)

    def moments(self, ids: Sequence[str]) -> list[Row]:
        """Give queries' moments."""
        return self._fetch(SQL["moments"], {"ids": list(ids)}, None)

    def answered(self, ids: Sequence[str]) -> frozenset[str]:
        """Tell which queries have an outcome."""
        return frozenset(id for (id,) in self._fetch(SQL["answered"], {"ids": list(ids)}, None))

    def write(self, table: TableName, rows: Sequence[Row]) -> int:
        """Store rows."""
        if not rows:
            return 0
        return self._connection.execute(STATEMENTS.write[table], {"rows": _json_of(rows)}).rowcount

    def unqueue(self, ids: Sequence[str]) -> int:
        """Remove work."""
        return self._connection.execute(SQL["unqueue"], {"ids": list(ids)}).rowcount

    def publish(self, query_ids: Sequence[str], conversion_ids: Sequence[str], *, now: int) -> None:
        """Write to the feed."""
        told = {"now": now, "query_ids": list(query_ids), "conversion_ids": list(conversion_ids) or None}
        if query_ids or conversion_ids:
            self._connection.execute(FEED["publish"], told)

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
        """Every row has a key here."""
        return {}

    def days(self) -> list[Row]:
        """Count by day."""
        return self._fetch(load("cloudflare", "postgres")["days"], {}, None)

    @property
    def _connection(self) -> psycopg.Connection[Row]:
        if self._made is None:
            raise StoreUnavailable("the database isn't open")
        return self._made

    def _fetch(self, sql: str, values: dict[str, Any], most_text: int | None) -> list[Row]:  # Any: what is bound
        with translated(), self._connection.cursor(binary=True) as cursor:
            if most_text is None:
                return cursor.execute(sql, values).fetchall()
            rows: list[Row] = []
            size = 0
            for row in cursor.stream(sql, values, size=FETCH_ROWS):
                rows.append(row)
                size += sum([len(cell) for cell in row if type(cell) is str])
                if size > most_text:  # whoever is told asks for fewer, once the stream is closed
                    break
            else:
                return rows
        raise TooMuchText


def _json_of(rows: Sequence[Row]) -> str:
    """Write rows as one parameter. A fraction is a text there: JSON's own numbers have no sign at 0, and no infinity."""
    cells = [[repr(cell) if type(cell) is float else cell for cell in row] for row in rows]
    return msgspec.json.encode(cells).decode()
