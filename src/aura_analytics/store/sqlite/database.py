"""`SqliteStore`: one thread that writes, a few that read, all of them one file."""

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TypeVar

import msgspec

from aura_analytics.clock import Clock, now
from aura_analytics.errors import StoreUnavailable
from aura_analytics.events.records import Event, Verdict
from aura_analytics.store import queries
from aura_analytics.store.port import (
    FOLLOWER_FORGOTTEN_MS,
    HOURLY_ROWS,
    LAST_ROW,
    PAGE_TEXT,
    PART_ROWS,
    Changes,
    Claim,
    ConversionRow,
    FailedEvaluation,
    FeedPoint,
    HourlySums,
    InteractionDetails,
    Part,
    QueueDepth,
    Surroundings,
    WideRow,
)
from aura_analytics.store.queries import Row
from aura_analytics.store.sqlite import evaluation, hourly
from aura_analytics.store.sqlite.append import json_of
from aura_analytics.store.sqlite.connection import connect, fetch, path_of, translated
from aura_analytics.store.sqlite.interaction import interaction
from aura_analytics.store.sqlite.keys import SqliteKeys
from aura_analytics.store.sqlite.surroundings import surroundings
from aura_analytics.store.sqlite.writer import Writer, touch
from aura_analytics.store.tolerance import verdict_of

EVENTS = queries.load("events", "sqlite")
CONVERSIONS = queries.load("conversions", "sqlite")
EVALUATION = queries.load("evaluation", "sqlite")
FEED = queries.load("feed", "sqlite")
INTERACTION = queries.load("interaction", "sqlite")

READERS = 3
# Rows of a stream in memory at once: many where texts are short, few where one takes a mebibyte.
MOST_ROWS, FEWEST_ROWS = 4_096, 16


Result = TypeVar("Result")


class SqliteStore:
    """The row database in one SQLite file; implements `Store`.

    Other processes may read and write the same file meanwhile: a write waits for theirs, up to five seconds.
    """

    def __init__(self, url: str, *, grace_ms: int = 120_000, most_waiting: int = 50_000, clock: Clock = now) -> None:
        self._url = url
        self._path = path_of(url)
        self._grace_ms = grace_ms
        self._most_waiting = most_waiting
        self._clock = clock
        self._local = threading.local()
        self._connections: list[sqlite3.Connection] = []
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="aura-reader")
        self._notified: list[Callable[[], None]] = []
        self._writer: Writer | None = None
        self._closed = False
        self.keys = SqliteKeys(self._read, self._change)

    async def open(self) -> None:
        """Connect."""
        connection = await asyncio.to_thread(connect, self._path)
        self._writer = Writer(
            connection,
            self._path,
            clock=self._clock,
            grace_ms=self._grace_ms,
            most_waiting=self._most_waiting,
            committed=self._committed,
        )
        self._writer.start()

    async def close(self) -> None:
        """Write what was submitted, bring the log home, close the file."""
        self._closed = True
        # Readers first: an open read connection keeps the log from being brought home whole.
        await asyncio.to_thread(self._readers.shutdown)
        for connection in self._connections:
            connection.close()
        if self._writer is not None:
            await self._writer.stop()

    async def ping(self) -> None:
        """Read the file, and see that the writer lives."""
        if not self._write.is_alive():
            raise StoreUnavailable("the writer has stopped")
        await self._read(lambda connection: connection.execute("SELECT 1 FROM migration_metadata").fetchone())
        if self._write.failing or self._write.is_misplaced():
            await self._write.change(touch)

    async def append(self, events: Sequence[Event]) -> list[bool]:
        """Store events."""
        return await self._write.append(events)

    async def claim_due(self, limit: int, *, now: int, lease_ms: int) -> list[Claim]:
        """Claim what is due."""
        return await self._write.change(partial(_claim_due, limit=limit, now=now, lease_ms=lease_ms))

    async def settle(self, verdicts: Sequence[tuple[Claim, Verdict]]) -> int:
        """Store verdicts and remove their work."""
        return await self._write.change(partial(_settle, verdicts=verdicts, now=self._clock()))

    async def postpone(self, claim: Claim, *, error: str, due_at: int) -> None:
        """Give a claim back, to be due later."""
        await self._execute("postpone", query_id=claim.query_id, lease=claim.lease, error=error, due_at=due_at)

    async def give_up(self, claim: Claim, *, error: str, now: int) -> None:
        """Move a claim to the failed ones."""
        await self._execute("give_up", query_id=claim.query_id, lease=claim.lease, error=error, now=now)

    async def release(self, claims: Sequence[Claim], *, now: int) -> None:
        """Give claims back untouched."""
        rows = [{"query_id": claim.query_id, "lease": claim.lease, "now": now} for claim in claims]
        await self._write.change(lambda connection: connection.executemany(EVALUATION["release"], rows).rowcount)

    async def failed_evaluations(self, limit: int) -> list[FailedEvaluation]:
        """List the failed ones."""
        rows = await self._read(
            lambda connection: connection.execute(EVALUATION["failed"], {"limit": limit}).fetchall()
        )
        return [FailedEvaluation(query_id=row[0], attempts=row[1], last_error=row[2], failed_at=row[3]) for row in rows]

    async def retry_failed(self, *, now: int, query_ids: Sequence[str] | None = None) -> int:
        """Make failed ones due again."""
        if query_ids is None:
            return await self._execute("retry_all", now=now)
        return await self._execute("retry_some", now=now, ids=json_of(list(query_ids)))

    async def automatic_verdicts(self, query_ids: Sequence[str]) -> list[Verdict]:
        """Give the last automatic verdicts of these interactions."""
        keys = {"ids": json_of(list(query_ids))}
        rows = await self._read(lambda connection: fetch(connection, EVALUATION["automatic"], keys))
        return [verdict_of(row) for row in rows]

    async def queue_depth(self, *, now: int) -> QueueDepth:
        """Count what waits to be labelled."""
        due, waiting, failed = await self._read(
            lambda connection: connection.execute(EVALUATION["depth"], {"now": now}).fetchone()
        )
        return QueueDepth(due=due, waiting=waiting, failed=failed)

    async def identity(self) -> str:
        """Give the token of this database."""
        (token,) = await self._read(lambda connection: connection.execute(FEED["identity"]).fetchone())
        return str(token)

    async def feed_head(self) -> FeedPoint:
        """Give the last committed point."""
        return await self._read(_feed_head)

    async def feed_start(self) -> FeedPoint:
        """Give the point that a new follower starts from: here transactions commit one after the other."""
        return await self.feed_head()

    async def knows(self, point: FeedPoint) -> bool:
        """Whether a follower can go on from this point."""
        return await self._read(partial(_knows, point=point))

    async def changes(self, after: FeedPoint, limit: int) -> Changes:
        """Give what changed after a point."""
        return await self._read(partial(_changes, after=after, limit=limit))

    def on_commit(self, notify: Callable[[], None]) -> None:
        """Call a function after each commit of this process."""
        self._notified.append(notify)

    async def wide_rows(self, query_ids: Sequence[str]) -> list[WideRow]:
        """Give the joined rows of these interactions."""
        keys = json_of(list(query_ids))
        return await self._read(lambda connection: fetch(connection, EVENTS["wide_rows"], {"ids": keys}))

    async def surroundings(self, query_ids: Sequence[str], session_ids: Sequence[str]) -> Surroundings:
        """Give what lies around these interactions."""
        return await self._read(partial(surroundings, query_ids=query_ids, session_ids=session_ids))

    async def snapshot(self, batch: int, part: Part | None = None) -> AsyncIterator[list[WideRow]]:
        """Give interactions in batches; each batch is a short read, so the log of the file can be trimmed between."""
        after, upto = (part.after, part.upto) if part else (0, LAST_ROW)
        async for rows in self._pages(EVENTS["snapshot"], batch, after, upto):
            yield rows

    async def parts(self) -> list[Part]:
        """Divide all interactions into parts."""
        last, *texts = await self._read(lambda connection: connection.execute(EVENTS["extent"]).fetchone())
        longest = max([1, *(length for length in texts if isinstance(length, int))])
        batch_rows = max(FEWEST_ROWS, min(MOST_ROWS, PAGE_TEXT // longest))
        return [
            Part(url=self._url, after=after, upto=after + PART_ROWS, batch_rows=batch_rows)
            for after in range(0, last or 0, PART_ROWS)
        ]

    async def count(self) -> int:
        """Count the interactions."""
        (count,) = await self._read(lambda connection: connection.execute(EVENTS["count"]).fetchone())
        return int(count)

    async def conversion_rows(self, ids: Sequence[str]) -> list[ConversionRow]:
        """Give these conversions."""
        keys = json_of(list(ids))
        return await self._read(lambda connection: fetch(connection, CONVERSIONS["rows"], {"ids": keys}))

    async def conversion_snapshot(self, batch: int) -> AsyncIterator[list[ConversionRow]]:
        """Give all conversions in batches."""
        async for rows in self._pages(CONVERSIONS["snapshot"], batch, 0, LAST_ROW):
            yield rows

    async def interaction(self, query_id: str) -> InteractionDetails | None:
        """Give one interaction with all that belongs to it."""
        return await self._read(partial(interaction, query_id=query_id))

    async def verdicts(self, query_ids: Sequence[str]) -> list[Verdict]:
        """Give the verdicts that stand for these interactions."""
        keys = json_of(list(query_ids))
        rows = await self._read(lambda connection: fetch(connection, INTERACTION["verdicts"], {"ids": keys}))
        return [verdict_of(row) for row in rows]

    async def save_hourly(self, rows: Sequence[HourlySums]) -> None:
        """Store sums of hours in place of those that stand."""
        for start in range(0, len(rows), HOURLY_ROWS):
            await self._write.change(partial(hourly.save, rows=rows[start : start + HOURLY_ROWS]))

    async def acknowledge(self, follower: str, point: FeedPoint, *, now: int) -> None:
        """Note how far a follower has come, and forget what all have."""
        await self._write.change(partial(_acknowledge, follower=follower, point=point, now=now))

    async def forget_follower(self, follower: str) -> None:
        """Tell that a follower won't come back."""
        parameters = {"follower": follower}
        await self._write.change(lambda connection: connection.execute(FEED["forget_follower"], parameters).rowcount)

    def _committed(self) -> None:
        for notify in self._notified:
            notify()

    @property
    def _write(self) -> Writer:
        if self._writer is None:
            raise StoreUnavailable("the database isn't open")
        return self._writer

    async def _change(self, change: Callable[[sqlite3.Connection], Result]) -> Result:
        return await self._write.change(change)

    async def _execute(self, statement: str, **parameters: str | int) -> int:
        sql = EVALUATION[statement]
        return await self._write.change(lambda connection: connection.execute(sql, parameters).rowcount)

    async def _pages(self, sql: str, batch: int, after: int, upto: int) -> AsyncIterator[list[Row]]:
        """Read a table by its row numbers, which lead each row; a batch is a read by itself."""
        while rows := await self._read(partial(_page, sql=sql, after=after, upto=upto, batch=batch)):
            after = rows[-1][0]
            yield [row[1:] for row in rows]

    async def _read(self, question: Callable[[sqlite3.Connection], Result]) -> Result:
        if self._closed:
            raise StoreUnavailable("the service is stopping", trouble="stopping")
        return await asyncio.get_running_loop().run_in_executor(self._readers, self._ask, question)

    def _ask(self, question: Callable[[sqlite3.Connection], Result]) -> Result:
        """Ask on a reader's thread, which keeps its own connection."""
        with translated():
            connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
            if connection is None:
                connection = self._local.connection = connect(self._path, read_only=True)
                self._connections.append(connection)
            return question(connection)


def _claim_due(connection: sqlite3.Connection, *, limit: int, now: int, lease_ms: int) -> list[Claim]:
    return evaluation.claim_due(connection, limit, now=now, lease_ms=lease_ms)


def _settle(connection: sqlite3.Connection, *, verdicts: Sequence[tuple[Claim, Verdict]], now: int) -> int:
    return evaluation.settle(connection, verdicts, now=now)


def _feed_head(connection: sqlite3.Connection) -> FeedPoint:
    position, moment = connection.execute(FEED["head"]).fetchone() or (0, 0)
    return FeedPoint(position=position, moment=moment)


def _knows(connection: sqlite3.Connection, *, point: FeedPoint) -> bool:
    if point.position == 0:
        (first,) = connection.execute(FEED["first"]).fetchone()
        return first is None or first == 1
    return connection.execute(FEED["point"], msgspec.structs.asdict(point)).fetchone() is not None


def _changes(connection: sqlite3.Connection, *, after: FeedPoint, limit: int) -> Changes:
    """Read whole transactions until there are `limit` ids; the order of ids is that of their last change."""
    interactions: dict[str, None] = {}
    conversions: dict[str, None] = {}
    upto = after
    for position, moment, query_ids, conversion_ids in connection.execute(FEED["after"], {"position": after.position}):
        interactions |= dict.fromkeys(_ids(query_ids))
        if conversion_ids is not None:
            conversions |= dict.fromkeys(_ids(conversion_ids))
        upto = FeedPoint(position=position, moment=moment)
        if len(interactions) + len(conversions) >= limit:
            break
    return Changes(query_ids=list(interactions), conversion_ids=list(conversions), upto=upto)


def _ids(text: str) -> list[str]:
    return msgspec.json.decode(text, type=list[str])


def _page(connection: sqlite3.Connection, *, sql: str, after: int, upto: int, batch: int) -> list[Row]:
    return fetch(connection, sql, {"after": after, "upto": upto, "limit": batch}, most_text=PAGE_TEXT)


def _acknowledge(connection: sqlite3.Connection, *, follower: str, point: FeedPoint, now: int) -> None:
    connection.execute(FEED["acknowledge"], {"follower": follower, "position": point.position, "now": now})
    connection.execute(FEED["forget_followers"], {"before": now - FOLLOWER_FORGOTTEN_MS})
    connection.execute(FEED["trim"])
