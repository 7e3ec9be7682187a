"""`SqliteStore`: one thread that writes, a few that read, all of them one file."""

import sqlite3
from collections.abc import AsyncIterator, Callable, Sequence
from functools import partial
from typing import TypeVar

import msgspec

from aura_analytics.clock import Clock, now
from aura_analytics.events.records import InteractionDetails, Storable, Verdict
from aura_analytics.store import queries
from aura_analytics.store.details import past_details
from aura_analytics.store.past import read_past, recalling, standing_verdict, wide_row
from aura_analytics.store.port import (
    FOLLOWER_FORGOTTEN_MS,
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
from aura_analytics.store.queries import Row
from aura_analytics.store.sqlite import hourly
from aura_analytics.store.sqlite.alerts import SqliteAlerts
from aura_analytics.store.sqlite.append import json_of
from aura_analytics.store.sqlite.archived import archived_among, wide_rows
from aura_analytics.store.sqlite.connection import fetch
from aura_analytics.store.sqlite.failing import Failing
from aura_analytics.store.sqlite.interaction import interaction
from aura_analytics.store.sqlite.judging import Judging
from aura_analytics.store.sqlite.keys import SqliteKeys
from aura_analytics.store.sqlite.privacy import SqlitePersons
from aura_analytics.store.sqlite.sessions import SqliteSessions
from aura_analytics.store.sqlite.surroundings import surroundings
from aura_analytics.store.sqlite.work import Work
from aura_analytics.store.tolerance import verdict_of

ARCHIVE = queries.load("archive", "sqlite")
EVENTS = queries.load("events", "sqlite")
CONVERSIONS = queries.load("conversions", "sqlite")
FEED = queries.load("feed", "sqlite")
INTERACTION = queries.load("interaction", "sqlite")

# Rows of a stream in memory at once: many where texts are short, few where one takes a mebibyte.
MOST_ROWS, FEWEST_ROWS = 4_096, 16

Result = TypeVar("Result")


class SqliteStore(Work, Judging, Failing):
    """The row database in one SQLite file; implements `Store`.

    Other processes may read and write the same file meanwhile: a write waits for theirs, up to five seconds.
    """

    def __init__(self, url: str, *, grace_ms: int = 120_000, most_waiting: int = 50_000, clock: Clock = now) -> None:
        super().__init__(url, grace_ms=grace_ms, most_waiting=most_waiting, clock=clock)
        self.keys = SqliteKeys(self._read, self._change)
        self.sessions = SqliteSessions(self._read, self._change)
        self.persons = SqlitePersons(self._path, self._read, self._change)
        self.alerts = SqliteAlerts(self._read, self._change)

    async def append(self, events: Sequence[Storable]) -> list[bool]:
        """Store events."""
        return await recalling(self.past, lambda: self._write.append(events))

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

    async def wide_rows(self, query_ids: Sequence[str]) -> list[WideRow]:
        """Give the joined rows of these interactions."""
        rows: list[WideRow] = []
        missing = list(query_ids)
        while missing:
            found, archived = await self._read(partial(wide_rows, query_ids=missing))
            past = await read_past(self.past, archived)
            rows += [*found, *map(wide_row, past.values())]
            missing = [id for id in archived if id not in past]  # just taken out of the archive
        return rows

    async def stores_of(self, query_ids: Sequence[str]) -> dict[str, str]:
        """Give the stores of these interactions."""
        asked = {"ids": json_of(list(query_ids))}
        rows = await self._read(partial(fetch, sql=ARCHIVE["stores_of"], parameters=asked))
        return {str(id): str(store) for id, store in rows}

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
        while True:
            found, archived, conversions = await self._read(partial(interaction, query_id=query_id))
            if not archived:
                return found
            for rows in (await read_past(self.past, archived)).values():
                return past_details(rows, conversions)

    async def verdicts(self, query_ids: Sequence[str]) -> list[Verdict]:
        """Give the verdicts that stand for these interactions."""
        keys = json_of(list(query_ids))
        rows = await self._read(lambda connection: fetch(connection, INTERACTION["verdicts"], {"ids": keys}))
        past = await read_past(self.past, await self._read(partial(archived_among, query_ids=query_ids)))
        return [verdict_of(row) for row in rows] + list(filter(None, map(standing_verdict, past.values())))

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

    async def _change(self, change: Callable[[sqlite3.Connection], Result]) -> Result:
        return await self._write.change(change)

    async def _pages(self, sql: str, batch: int, after: int, upto: int) -> AsyncIterator[list[Row]]:
        """Read a table by its row numbers, which lead each row; a batch is a read by itself."""
        while rows := await self._read(partial(_page, sql=sql, after=after, upto=upto, batch=batch)):
            after = rows[-1][0]
            yield [row[1:] for row in rows]


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
