"""The DuckDB file: opening it, filling it, asking it. Every method blocks; none belongs on the event loop."""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import duckdb
import msgspec
import structlog

from aura_analytics.archive.parquet import literal
from aura_analytics.errors import ProjectionOwned, ProjectionUnavailable, SettingsError
from aura_analytics.projection import attribution, cubes, publishing, remnants, schema, transport, upkeep
from aura_analytics.projection.config import engine_config
from aura_analytics.projection.publishing import Publication
from aura_analytics.projection.question import Question
from aura_analytics.projection.transaction import answer, in_transaction
from aura_analytics.projection.unsettled import Ready
from aura_analytics.store.port import ConversionRow, FeedPoint, Surroundings, WideRow
from aura_analytics.store.shelved import Shelved

log = structlog.get_logger()

# What DuckDB raises when the file itself is to blame, so that throwing it away and rebuilding it helps.
DAMAGED = (duckdb.IOException, duckdb.SerializationException, duckdb.FatalException, duckdb.InternalException)
# How a row database begins; such a file is never thrown away.
ROW_DATABASE = b"SQLite format 3\0"
# What the file is called while it is written anew.
NEW = ".new"
# How it says that another process has the file open; its words may also hold the file's name.
LOCKED = "Could not set lock on file"


def is_damage(error: duckdb.Error) -> bool:
    """Whether the file is to blame; a block whose checksum is wrong has no class of its own."""
    return isinstance(error, DAMAGED) or type(error) is duckdb.Error


class State(msgspec.Struct, frozen=True, kw_only=True):
    """Whose copy a file holds, up to which point of that database's feed, and whether it was ever whole.

    `attribution_ms`: how long before a conversion the interaction may lie that it is owed to. `ahead`: a later point, of
    whose changes some are in the table already.
    """

    version: str
    identity: str
    follower: str
    attribution_ms: int
    point: FeedPoint
    complete: bool
    ahead: FeedPoint | None = None


class ColumnFile:
    """One file of columns, owned by this process while it is open. `path` None keeps it in memory."""

    def __init__(self, path: Path | None, *, memory_mb: int, threads: int, attribution_ms: int) -> None:
        self._path = path
        self._attribution_ms = attribution_ms
        self._config = engine_config(memory_mb=memory_mb, threads=threads)
        self._local = threading.local()
        self._connection: duckdb.DuckDBPyConnection | None = None
        self._generation = 0
        self._in_flight = threading.Condition()
        self._questions = 0
        self._cursors: list[duckdb.DuckDBPyConnection] = []
        # When something was erased last, by the clock that only goes on; None where no byte of it can be left.
        self.erased_at: float | None = None
        self._is_exchanged, self._same_as = False, -1

    def open(self) -> State | None:
        """Open the file; give its state, or None where there is none that can be trusted.

        Raises:
            ProjectionOwned: another process has it open, or it is a row database.
            SettingsError: there can be no file at its path.
        """
        if self._path is not None:
            _refuse_foreign(self._path)
            if "?" in str(self._path):  # DuckDB takes what follows for options of the file
                raise SettingsError(
                    "the columns' path can't hold a question mark; set AURA_COLUMNS_PATH to another one"
                )
        try:
            self._connect()
            state = self._read_state()
            if state is not None and self._open.execute(remnants.ARE_THERE).fetchone() != (0,):
                self.erased_at = time.monotonic()
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
        return state

    def begin(self, identity: str, follower: str, point: FeedPoint) -> None:
        """Start over with an empty table that will hold what `identity` has, from `point` on."""
        self.close()
        if self._path is not None:
            for file in (self._path, self._path.with_name(self._path.name + ".wal")):
                file.unlink(missing_ok=True)
        self._connect()
        self.erased_at = None
        connection = self._open
        connection.execute(schema.CREATE_INTERACTIONS)
        connection.execute(schema.CREATE_STATE)
        upkeep.create(connection)
        state = (schema.VERSION, identity, follower, self._attribution_ms, point.position, point.moment)
        connection.execute(schema.BEGIN_STATE, state)

    def fill(self, rows: Sequence[WideRow]) -> None:
        """Add rows of a snapshot to a table that isn't whole yet; each call is a transaction, which bounds memory."""
        self._transact(transport.append, rows)

    def fill_file(self, shelved: Shelved) -> None:
        """Add what lies in a file of the archive, but for what the table holds by now."""
        with contextlib.closing(self._open.cursor()) as cursor:
            path = literal(shelved.path)
            low, high = cursor.execute(schema.EXTENT_OF_FILE, {"path": path}).fetchone() or (None, None)
            values = {"path": path, "ids": shelved.ids, "low": low, "high": high}
            cursor.execute(schema.FILL_FROM_FILE, values)

    def lend(self) -> None:
        """Let another process have the file until `take_back`; a table that isn't whole is asked nothing meanwhile."""
        if self._path is not None:
            self._close_connection()

    def take_back(self) -> None:
        """Open the file again."""
        if self._path is not None:
            self._connect()

    def fill_conversions(self, rows: Sequence[ConversionRow]) -> None:
        """Add conversions of a snapshot."""
        with contextlib.closing(self._open.cursor()) as cursor:
            cursor.begin()
            attribution.append(cursor, rows)
            cursor.commit()

    def complete(self) -> None:
        """Build what is kept beside a table that was filled; after it the columns can be asked."""
        with contextlib.closing(self._open.cursor()) as cursor:
            upkeep.build(cursor, self._attribution_ms)

    def apply(
        self,
        query_ids: Sequence[str],
        rows: Sequence[WideRow],
        upto: FeedPoint,
        conversions: Sequence[ConversionRow] = (),
        around: Surroundings | None = None,
        *,
        gone_conversions: Sequence[str] = (),
        ahead: FeedPoint | None = None,
    ) -> set[int]:
        """Take in what changed, and where the feed stands now, in one transaction; give the moments that changed.

        Args:
            query_ids: all interactions that changed.
            rows: what they are now; an id without a row is gone.
            upto: the point up to which that is all.
            conversions: what else came.
            around: what the row database says about the interactions' sessions, which spares looking for it.
            gone_conversions: those that were erased.
            ahead: a later point, of whose changes some are here or in the table already.
        """
        moments: set[int] = set()

        def change(cursor: duckdb.DuckDBPyConnection, rows: Sequence[WideRow]) -> None:
            if rows:
                transport.replace(cursor, rows)
            gone = remnants.take_out(cursor, query_ids, rows) if len(rows) < len(query_ids) else []
            if gone_conversions:
                remnants.clear_conversions(cursor, gone_conversions)
            if conversions:
                cursor.execute(attribution.FORGET, {"conversions": [row[0] for row in conversions]})
                attribution.append(cursor, conversions)
            if rows or gone or conversions:
                touched = upkeep.touched(query_ids, [*rows, *gone], conversions, None if gone else around)
                upkeep.keep(cursor, touched, self._attribution_ms)
                moments.update(touched.moments)
            if gone:
                remnants.clear(cursor, gone)
            if gone or gone_conversions:
                self.erased_at = time.monotonic()
            further = (None, None) if ahead is None else (ahead.position, ahead.moment)
            cursor.execute(schema.WRITE_STATE, [upto.position, upto.moment, *further])

        self._transact(change, rows)
        return moments

    def stale(self, generation: int) -> tuple[list[int], list[int]]:
        """Give the hours and the days that the cubes can't answer at the moment, the newest first."""
        with self._in_use(generation), contextlib.closing(self._open.cursor()) as cursor:
            hours = [hour for (hour,) in cursor.execute(cubes.STALE_HOURS).fetchall()]
            days = [day for (day,) in cursor.execute(cubes.STALE_DAYS).fetchall()]
        return hours, days

    def publication(self, generation: int) -> Publication:
        """Add up the hours that the row database has to be told."""
        with self._in_use(generation), contextlib.closing(self._open.cursor()) as cursor:
            cursor.begin()
            try:
                return publishing.due(cursor)
            finally:
                cursor.rollback()

    def published(self, generation: int, publication: Publication) -> None:
        """Note that it was told."""
        with self._in_use(generation), contextlib.closing(self._open.cursor()) as cursor:
            cursor.begin()
            publishing.published(cursor, publication)
            cursor.commit()

    def settle(self, generation: int, ready: Ready) -> None:
        """Compute the cubes of some hours or of a day anew, while changes may go on.

        It takes away only the marks that it saw when it began; what changes meanwhile is marked once more.
        """

        def change(cursor: duckdb.DuckDBPyConnection, _: Sequence[WideRow]) -> None:
            if ready.hours is not None:
                upkeep.settle_hours(cursor, *ready.hours)
            if ready.day is not None:
                upkeep.settle_day(cursor, ready.day)

        with self._in_use(generation), contextlib.closing(self._open.cursor()) as cursor:
            in_transaction(cursor, change, ())

    def _transact(
        self, change: Callable[[duckdb.DuckDBPyConnection, Sequence[WideRow]], None], rows: Sequence[WideRow]
    ) -> None:
        """Run a change over rows in a transaction; once more with mended cells where a row holds any that don't fit."""
        cursor = self._open.cursor()
        try:
            try:
                in_transaction(cursor, change, rows)
            except (
                duckdb.ConversionException,
                duckdb.InvalidInputException,
                duckdb.TypeMismatchException,
                TypeError,
            ) as error:
                log.warning("cells_coerced", rows=len(rows), error=type(error).__name__)
                in_transaction(cursor, change, transport.coerced(rows))
        finally:
            cursor.close()

    @property
    def generation(self) -> int:
        """Counts the times that the file was opened or closed: a question belongs to one of them."""
        return self._generation

    def ask(self, generation: int, question: Question) -> list[tuple[Any, ...]]:
        """Answer a question. Any: what a cell can be.

        Raises:
            ProjectionUnavailable: the file was replaced since `generation`, so the table may not be whole.
        """
        with self._in_use(generation):
            return answer(self._cursor(), question)

    @contextlib.contextmanager
    def _in_use(self, generation: int) -> Iterator[None]:
        """Keep the file from being closed while the block runs."""
        with self._in_flight:
            self._in_flight.wait_for(lambda: not self._is_exchanged)
            if generation not in (self._generation, self._same_as):
                raise ProjectionUnavailable("the statistics are being rebuilt", retry_after_s=2)
            self._questions += 1
        try:
            yield
        finally:
            with self._in_flight:
                self._questions -= 1
                self._in_flight.notify_all()

    def drop_stale(self) -> None:
        """Empty what is stale beside the table, which still says what was; on the thread that settles."""
        with self._in_use(self._generation), contextlib.closing(self._open.cursor()) as cursor:
            in_transaction(cursor, lambda cursor, _: remnants.drop_stale(cursor), ())

    def renew(self) -> None:
        """Write the file anew, without what was erased, and take it in place of this one. Questions go on meanwhile.

        A process that ends amid this leaves one whole file or the other.
        """
        began = time.monotonic()
        if self._path is not None:
            fresh = self._path.with_name(self._path.name + NEW)
            with contextlib.closing(self._open.cursor()) as cursor:
                remnants.copy(cursor, fresh)
            self._exchange(self._path, fresh)
        if self.erased_at is not None and self.erased_at <= began:
            self.erased_at = None

    def _exchange(self, path: Path, fresh: Path) -> None:
        """Take another file that says the same; questions of before wait for it, and are answered from it."""
        self._is_exchanged, before = True, self._generation
        try:
            self.close()
            path.with_name(path.name + ".wal").unlink(missing_ok=True)
            fresh.replace(path)
            self._connect()
            self._same_as = before
        finally:
            with self._in_flight:
                self._is_exchanged = False
                self._in_flight.notify_all()

    def close(self) -> None:
        """Let go of the file, once the questions in flight are answered; later ones are refused."""
        with self._in_flight:
            self._generation, self._same_as = self._generation + 1, -1
            self._in_flight.wait_for(lambda: self._questions == 0)
            for cursor in self._cursors:
                cursor.close()
            self._cursors.clear()
        self._close_connection()

    def _close_connection(self) -> None:
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
        if row is None or row[0] != schema.VERSION or row[3] != self._attribution_ms:
            return None
        return State(
            version=row[0],
            identity=row[1],
            follower=row[2],
            attribution_ms=row[3],
            point=FeedPoint(position=row[4], moment=row[5]),
            complete=row[6],
            ahead=None if row[7] is None else FeedPoint(position=row[7], moment=row[8]),
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
