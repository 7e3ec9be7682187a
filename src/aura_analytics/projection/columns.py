"""The DuckDB file: opening it, filling it, asking it. Every method blocks; none belongs on the event loop."""

import contextlib
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import duckdb
import msgspec
import structlog

from aura_analytics.errors import ProjectionOwned, ProjectionUnavailable, SettingsError
from aura_analytics.projection import schema, transport
from aura_analytics.store.port import FeedPoint, WideRow

log = structlog.get_logger()

# What DuckDB raises when the file itself is to blame, so that throwing it away and rebuilding it helps.
DAMAGED = (duckdb.IOException, duckdb.SerializationException, duckdb.FatalException, duckdb.InternalException)
# How a row database begins; such a file is never thrown away.
ROW_DATABASE = b"SQLite format 3\0"
# How it says that another process has the file open; its words may also hold the file's name.
LOCKED = "Could not set lock on file"


def is_damage(error: duckdb.Error) -> bool:
    """Whether the file is to blame; a block whose checksum is wrong has no class of its own."""
    return isinstance(error, DAMAGED) or type(error) is duckdb.Error


class State(msgspec.Struct, frozen=True, kw_only=True):
    """Whose copy a file holds, up to which point of that database's feed, and whether it was ever whole."""

    version: int
    identity: str
    follower: str
    point: FeedPoint
    complete: bool


class ColumnFile:
    """One file of columns, owned by this process while it is open. `path` None keeps it in memory."""

    def __init__(self, path: Path | None, *, memory_mb: int, threads: int) -> None:
        self._path = path
        self._config: dict[str, str | bool | int | float | list[str]] = {
            "memory_limit": f"{memory_mb}MiB",
            "threads": str(threads),
            "autoinstall_known_extensions": "false",
            "autoload_known_extensions": "false",
            # A checkpoint runs inside of a commit; rarer ones make the pauses of the feed rarer.
            "checkpoint_threshold": "64MB",
        }
        self._local = threading.local()
        self._connection: duckdb.DuckDBPyConnection | None = None
        self._generation = 0
        self._in_flight = threading.Condition()
        self._questions = 0
        self._cursors: list[duckdb.DuckDBPyConnection] = []

    def open(self) -> State | None:
        """Open the file; give its state, or None where there is none that can be trusted.

        Raises:
            ProjectionOwned: another process has it open, or it is a row database.
            SettingsError: there can be no file at its path.
        """
        if self._path is not None:
            _refuse_foreign(self._path)
        try:
            self._connect()
            return self._read_state()
        except OSError as error:
            raise SettingsError(f"the columns' file can't be made: {error.strerror}") from error
        except duckdb.Error as error:  # of several classes, and a wrong checksum has none of its own
            if LOCKED in str(error):
                raise ProjectionOwned("the columns belong to another process, most likely a running server") from error
            if self._path is not None and not self._path.is_file():
                raise SettingsError(
                    "the columns' file can't be made; AURA_COLUMNS_PATH takes the path of a file"
                ) from error
            log.warning("columns_damaged", error=type(error).__name__)
            return None

    def begin(self, identity: str, follower: str, point: FeedPoint) -> None:
        """Start over with an empty table that will hold what `identity` has, from `point` on."""
        self.close()
        if self._path is not None:
            for file in (self._path, self._path.with_name(self._path.name + ".wal")):
                file.unlink(missing_ok=True)
        self._connect()
        connection = self._open
        connection.execute(schema.CREATE_INTERACTIONS)
        connection.execute(schema.CREATE_STATE)
        connection.execute(schema.BEGIN_STATE, (schema.VERSION, identity, follower, point.position, point.moment))

    def fill(self, rows: Sequence[WideRow]) -> None:
        """Add rows of a snapshot to a table that isn't whole yet; each call is a transaction, which bounds memory."""
        self._transact(transport.append, rows)

    def apply(self, query_ids: Sequence[str], rows: Sequence[WideRow], upto: FeedPoint) -> None:
        """Take in what changed, and where the feed stands now, in one transaction.

        Args:
            query_ids: all that changed.
            rows: what they are now; an id without a row is gone.
            upto: the point up to which that is all.
        """

        def change(cursor: duckdb.DuckDBPyConnection, rows: Sequence[WideRow]) -> None:
            if rows:
                moments = [row[schema.CREATED_AT] for row in rows]
                ids = [row[schema.ID] for row in rows]
                if None in moments:  # a moment that is none: there is no range to look in
                    cursor.execute(schema.DELETE_GONE, [ids])
                else:
                    cursor.execute(schema.DELETE_CHANGED, [min(moments), max(moments), ids])
                transport.append(cursor, rows)
            if len(rows) < len(query_ids):
                there = {row[schema.ID] for row in rows}
                cursor.execute(schema.DELETE_GONE, [[id for id in query_ids if id not in there]])
            cursor.execute(schema.WRITE_STATE, [upto.position, upto.moment])

        self._transact(change, rows)

    def _transact(
        self, change: Callable[[duckdb.DuckDBPyConnection, Sequence[WideRow]], None], rows: Sequence[WideRow]
    ) -> None:
        """Run a change over rows in a transaction; once more with mended cells where a row holds any that don't fit."""
        cursor = self._open.cursor()
        try:
            try:
                _in_transaction(cursor, change, rows)
            except (
                duckdb.ConversionException,
                duckdb.InvalidInputException,
                duckdb.TypeMismatchException,
                TypeError,
            ) as error:
                log.warning("cells_coerced", rows=len(rows), error=type(error).__name__)
                _in_transaction(cursor, change, transport.coerced(rows))
        finally:
            cursor.close()

    @property
    def generation(self) -> int:
        """Counts the times that the file was opened or closed: a question belongs to one of them."""
        return self._generation

    def ask(self, generation: int, sql: str, parameters: dict[str, Any] | None = None) -> list[tuple[Any, ...]]:
        """Answer a question. Any: what a cell can be.

        Raises:
            ProjectionUnavailable: the file was replaced since `generation`, so the table may not be whole.
        """
        with self._in_flight:
            if generation != self._generation:
                raise ProjectionUnavailable("the statistics are being rebuilt", retry_after_s=2)
            self._questions += 1
        try:
            return self._cursor().execute(sql, parameters).fetchall()
        finally:
            with self._in_flight:
                self._questions -= 1
                self._in_flight.notify_all()

    def close(self) -> None:
        """Let go of the file, once the questions in flight are answered; later ones are refused."""
        with self._in_flight:
            self._generation += 1
            self._in_flight.wait_for(lambda: self._questions == 0)
            for cursor in self._cursors:
                cursor.close()
            self._cursors.clear()
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    @property
    def _open(self) -> duckdb.DuckDBPyConnection:
        if self._connection is None:
            raise ProjectionUnavailable("the statistics are being rebuilt")
        return self._connection

    def _connect(self) -> None:
        if self._path is not None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
        self._connection = duckdb.connect(str(self._path or ":memory:"), config=self._config)

    def _cursor(self) -> duckdb.DuckDBPyConnection:
        """Give this thread's cursor; a new one after the file was replaced."""
        cursor: duckdb.DuckDBPyConnection | None = getattr(self._local, "cursor", None)
        if cursor is None or self._local.generation != self._generation:
            cursor = self._local.cursor = self._open.cursor()
            self._local.generation = self._generation
            with self._in_flight:
                self._cursors.append(cursor)
        return cursor

    def _read_state(self) -> State | None:
        tables = {name for (name,) in self._open.execute("SELECT table_name FROM duckdb_tables()").fetchall()}
        if not {"interactions", "projection_state"} <= tables:
            return None
        row = self._open.execute(schema.READ_STATE).fetchone()
        if row is None or row[0] != schema.VERSION:
            return None
        return State(
            version=row[0],
            identity=row[1],
            follower=row[2],
            point=FeedPoint(position=row[3], moment=row[4]),
            complete=row[5],
        )


def _refuse_foreign(path: Path) -> None:
    """See that what is about to be thrown away is no row database.

    Raises:
        ProjectionOwned: it is one.
    """
    try:
        with path.open("rb") as file:
            start = file.read(len(ROW_DATABASE))
    except OSError:
        return
    if start == ROW_DATABASE:
        raise ProjectionOwned("AURA_COLUMNS_PATH names a row database; it takes the path of a file of its own")


def _in_transaction(
    cursor: duckdb.DuckDBPyConnection,
    change: Callable[[duckdb.DuckDBPyConnection, Sequence[WideRow]], None],
    rows: Sequence[WideRow],
) -> None:
    cursor.begin()
    try:
        change(cursor, rows)
        cursor.commit()
    except BaseException:
        with contextlib.suppress(
            duckdb.Error
        ):  # a commit that failed has ended the transaction; its error is the one to tell
            cursor.rollback()
        raise
