"""`PostgresStore`: a few lanes that write in groups, a pool for all else; any number of servers on one database."""

import asyncio
from collections.abc import AsyncIterator, Sequence

from aura_analytics.clock import Clock, now
from aura_analytics.errors import StoreUnavailable
from aura_analytics.events.records import InteractionDetails, Storable, Verdict
from aura_analytics.store.details import past_details
from aura_analytics.store.past import read_past, recalling, standing_verdict, wide_row
from aura_analytics.store.port import (
    HOURLY_ROWS,
    LAST_ROW,
    PAGE_TEXT,
    PART_ROWS,
    Changes,
    ConversionRow,
    FeedPoint,
    HourlySums,
    Part,
    Surroundings,
    WideRow,
)
from aura_analytics.store.postgres import feed, hourly
from aura_analytics.store.postgres.alerts import PostgresAlerts
from aura_analytics.store.postgres.append import touch
from aura_analytics.store.postgres.archived import wide_rows
from aura_analytics.store.postgres.cells import storable
from aura_analytics.store.postgres.connection import TOO_LONG, translated
from aura_analytics.store.postgres.failing import Failing
from aura_analytics.store.postgres.interaction import interaction
from aura_analytics.store.postgres.judging import Judging
from aura_analytics.store.postgres.keys import PostgresKeys
from aura_analytics.store.postgres.privacy import PostgresPersons
from aura_analytics.store.postgres.sessions import PostgresSessions
from aura_analytics.store.postgres.surroundings import surroundings
from aura_analytics.store.postgres.work import Work
from aura_analytics.store.postgres.writer import LANES, Lane, Writer
from aura_analytics.store.queries import Row, load
from aura_analytics.store.tolerance import verdict_of

ARCHIVE = load("archive", "postgres")
EVENTS = load("events", "postgres")
CONVERSIONS = load("conversions", "postgres")
FEED = load("feed", "postgres")
INTERACTION = load("interaction", "postgres")
SESSION = load("session", "postgres")

# How long a sign of life may take.
PING_S = 5.0
FETCH_ROWS = 64
BATCH_ROWS = 4_096


class PostgresStore(Work, Judging, Failing):
    """The row database in PostgreSQL; implements `Store`.

    Args:
        url: postgresql://…
        grace_ms: how long a query waits for its outcome before it is due without one.
        most_waiting: events that may wait to be written.
        connections: how many this process may hold at once, the lanes that write not counted.
        clock: the present.
    """

    def __init__(
        self,
        url: str,
        *,
        grace_ms: int = 120_000,
        most_waiting: int = 50_000,
        connections: int = 8,
        clock: Clock = now,
    ) -> None:
        super().__init__(url, connections=connections, clock=clock)
        self._grace_ms = grace_ms
        self._most_waiting = most_waiting
        self._writer: Writer | None = None
        self._looking: set[asyncio.Task[None]] = set()
        self.keys = PostgresKeys(self._reading, self._changing)
        self.sessions = PostgresSessions(self._reading, self._changing)
        self.persons = PostgresPersons(self._reading, self._changing)
        self.alerts = PostgresAlerts(self._reading, self._changing)

    async def open(self) -> None:
        """Connect."""
        await self._open_pool()
        lanes = [Lane(self._conninfo, clock=self._clock, grace_ms=self._grace_ms) for _ in range(LANES)]
        self._writer = Writer(lanes, most_waiting=self._most_waiting, committed=self._committed)

    async def close(self) -> None:
        """Write what was submitted, and let go of the connections."""
        self._closed = True
        if self._writer is not None:
            await self._writer.stop()
        await self._close_pool()

    async def ping(self) -> None:
        """Look as one who wants to write: a database that only reads is no use to who ingests."""
        looking = asyncio.create_task(self._look())
        self._looking.add(looking)
        looking.add_done_callback(self._looked)
        # To let go of a server that is frozen takes a while, which isn't waited for.
        done, _ = await asyncio.wait([looking], timeout=PING_S)
        if not done:
            looking.cancel()
            raise StoreUnavailable(TOO_LONG, trouble="slow")
        looking.result()

    async def append(self, events: Sequence[Storable]) -> list[bool]:
        """Store events."""
        return await recalling(self.past, lambda: self._write.append(events))

    async def identity(self) -> str:
        """Give the token of this database."""
        [(token,)] = await self._read(FEED["identity"])
        return str(token)

    async def feed_head(self) -> FeedPoint:
        """Give the last committed point."""
        async with self._reading() as connection:
            return await feed.feed_head(connection)

    async def feed_start(self) -> FeedPoint:
        """Give the point that a new follower starts from."""
        async with self._reading() as connection:
            return await feed.feed_start(connection)

    async def knows(self, point: FeedPoint) -> bool:
        """Whether a follower can go on from this point."""
        async with self._reading() as connection:
            return await feed.knows(connection, point)

    async def changes(self, after: FeedPoint, limit: int) -> Changes:
        """Give what changed after a point."""
        async with self._reading() as connection:
            return await feed.changes(connection, after, limit)

    async def wide_rows(self, query_ids: Sequence[str]) -> list[WideRow]:
        """Give the joined rows of these interactions."""
        rows: list[WideRow] = []
        missing = _keys(query_ids)
        while missing:
            async with self._at_one_moment() as connection:
                found, archived = await wide_rows(connection, missing)
            past = await read_past(self.past, archived)
            rows += [*found, *map(wide_row, past.values())]
            missing = [id for id in archived if id not in past]  # just taken out of the archive
        return rows

    async def stores_of(self, query_ids: Sequence[str]) -> dict[str, str]:
        """Give the stores of these interactions."""
        async with self._reading() as connection:
            found = await connection.execute(ARCHIVE["stores_of"], {"ids": _keys(query_ids)})
            return dict(await found.fetchall())

    async def surroundings(self, query_ids: Sequence[str], session_ids: Sequence[str]) -> Surroundings:
        """Give what lies around these interactions."""
        async with self._reading() as connection:
            return await surroundings(connection, query_ids=_keys(query_ids), session_ids=_keys(session_ids))

    async def snapshot(self, batch: int, part: Part | None = None) -> AsyncIterator[list[WideRow]]:
        """Give interactions in batches; each batch is a read by itself."""
        after, upto = (part.after, part.upto) if part else (0, LAST_ROW)
        async for rows in self._pages(EVENTS["snapshot"], batch, after, upto):
            yield rows

    async def parts(self) -> list[Part]:
        """Divide all interactions into parts."""
        [(last,)] = await self._read(EVENTS["last_row"])
        return [
            Part(url=self._url, after=after, upto=after + PART_ROWS, batch_rows=BATCH_ROWS)
            for after in range(0, last or 0, PART_ROWS)
        ]

    async def count(self) -> int:
        """Count the interactions."""
        [(count,)] = await self._read(EVENTS["count"])
        return int(count)

    async def conversion_rows(self, ids: Sequence[str]) -> list[ConversionRow]:
        """Give these conversions."""
        return await self._read(CONVERSIONS["rows"], ids=_keys(ids))

    async def conversion_snapshot(self, batch: int) -> AsyncIterator[list[ConversionRow]]:
        """Give all conversions in batches."""
        async for rows in self._pages(CONVERSIONS["snapshot"], batch, 0, LAST_ROW):
            yield rows

    async def interaction(self, query_id: str) -> InteractionDetails | None:
        """Give one interaction with all that belongs to it."""
        while True:
            async with self._at_one_moment() as connection:
                found, archived, conversions = await interaction(connection, query_id)
            if not archived:
                return found
            for rows in (await read_past(self.past, archived)).values():
                return past_details(rows, conversions)

    async def verdicts(self, query_ids: Sequence[str]) -> list[Verdict]:
        """Give the verdicts that stand for these interactions."""
        rows = await self._read(INTERACTION["verdicts"], ids=_keys(query_ids))
        past = await read_past(self.past, await self._archived(_keys(query_ids)))
        return [verdict_of(row) for row in rows] + list(filter(None, map(standing_verdict, past.values())))

    async def save_hourly(self, rows: Sequence[HourlySums]) -> None:
        """Store sums of hours in place of those that stand."""
        for start in range(0, len(rows), HOURLY_ROWS):
            async with self._changing() as connection:
                await hourly.save(connection, rows[start : start + HOURLY_ROWS])

    async def acknowledge(self, follower: str, point: FeedPoint, *, now: int) -> None:
        """Note how far a follower has come, and forget what all have."""
        async with self._changing() as connection:
            await feed.acknowledge(connection, follower, point, now=now)

    async def forget_follower(self, follower: str) -> None:
        """Tell that a follower won't come back."""
        async with self._changing() as connection:
            await connection.execute(FEED["forget_follower"], {"follower": follower})

    async def _look(self) -> None:
        self._write.complain()
        async with self._reading() as connection:
            cursor = await connection.execute(SESSION["only_reads"], {})
            if await cursor.fetchone() == (True,):
                raise StoreUnavailable("the database takes no changes at the moment", trouble="read-only")
        if self._write.failing:
            with translated():
                async with await self._connect() as connection:
                    await touch(connection, now=self._clock())
            self._write.forgive()

    def _looked(self, looking: asyncio.Task[None]) -> None:
        self._looking.discard(looking)
        if not looking.cancelled():
            looking.exception()  # whoever asked may have gone

    @property
    def _write(self) -> Writer:
        if self._writer is None:
            raise StoreUnavailable("the database isn't open")
        return self._writer

    async def _pages(self, sql: str, batch: int, after: int, upto: int) -> AsyncIterator[list[Row]]:
        """Read a table by its row numbers, which lead each row; a batch is a read by itself."""
        while rows := await self._page(sql, {"after": after, "upto": upto, "limit": batch}):
            after = rows[-1][0]
            yield [row[1:] for row in rows]

    async def _page(self, sql: str, values: dict[str, int]) -> list[Row]:
        """Read rows until they hold as much text as a page may."""
        rows: list[Row] = []
        size = 0
        async with self._reading() as connection, connection.cursor(binary=True) as cursor:
            async for row in cursor.stream(sql, values, size=FETCH_ROWS):
                rows.append(row)
                size += sum(len(cell) for cell in row if isinstance(cell, str))
                if size >= PAGE_TEXT:
                    break
        return rows


def _keys(ids: Sequence[str]) -> list[str]:
    return [storable(id) for id in ids]
