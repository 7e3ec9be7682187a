"""The change feed where transactions commit in another order than they begin.

A row is keyed by its transaction's id. It is told once every transaction with a lower id has ended: what comes later can
only stand behind it. A follower's position is such an id, so that it loses nothing and needs no lock.

The oldest transaction of the whole server that writes holds that back, also one that has nothing to do with us. So where
there is something that can't be told, the feed looks at the locks: a transaction that may write here takes one on the
table before it has an id, and no other one matters.
"""

from typing import Any

from psycopg import AsyncConnection

from aura_analytics.store.port import FOLLOWER_FORGOTTEN_MS, Changes, FeedPoint
from aura_analytics.store.queries import load

SQL = load("feed", "postgres")


IDS_OF_32_BITS = 1 << 32

# Any, throughout: a row is a tuple of what a cell can be.
Connection = AsyncConnection[Any]
Row = tuple[Any, ...]


async def changes(connection: Connection, after: FeedPoint, limit: int) -> Changes:
    """Read whole transactions until there are `limit` ids; see `Store.changes`."""
    cursor = await connection.execute(SQL["after"], {"position": str(after.position)}, binary=True)
    rows = await cursor.fetchall()
    if not rows and (await feed_head(connection)).position > after.position:
        rows = await _beside_strangers(connection, after)
    return _changes(rows, after, limit)


async def feed_start(connection: Connection) -> FeedPoint:
    """Give the latest point that nothing can come before any more; see `Store.feed_start`."""
    start = point_of(await (await connection.execute(SQL["settled"], {})).fetchone())
    if start == await feed_head(connection):
        return start
    # What a stranger holds back may be all that hasn't been forgotten yet.
    asked = {"horizon": str(await _horizon(connection))}
    return point_of(await (await connection.execute(SQL["before"], asked)).fetchone())


async def feed_head(connection: Connection) -> FeedPoint:
    """Give the last committed point; see `Store.feed_head`."""
    return point_of(await (await connection.execute(SQL["head"], {})).fetchone())


async def knows(connection: Connection, point: FeedPoint) -> bool:
    """Whether a follower can go on from a point; see `Store.knows`."""
    if point.position == 0:
        return await (await connection.execute(SQL["trimmed"], {})).fetchone() == (0,)
    asked = {"position": str(point.position), "moment": point.moment}
    return await (await connection.execute(SQL["point"], asked)).fetchone() is not None


async def acknowledge(connection: Connection, follower: str, point: FeedPoint, *, now: int) -> None:
    """Note how far a follower has come, and forget what all have. In a transaction."""
    await connection.execute(SQL["acknowledge"], {"follower": follower, "position": point.position, "now": now})
    await connection.execute(SQL["forget_followers"], {"before": now - FOLLOWER_FORGOTTEN_MS})
    await connection.execute(SQL["trim"], {})


def point_of(row: Row | None) -> FeedPoint:
    """Read a point; where there is none, it is the beginning."""
    position, moment = row or (0, 0)
    return FeedPoint(position=position, moment=moment)


async def _beside_strangers(connection: Connection, after: FeedPoint) -> list[Row]:
    """Read what no transaction that may write to the feed can come before, whatever else is going on in the server."""
    asked = {"position": str(after.position), "horizon": str(await _horizon(connection))}
    return await (await connection.execute(SQL["upto"], asked, binary=True)).fetchall()


async def _horizon(connection: Connection) -> int:
    """Give the id that everything is settled before, as far as it is of the feed; the rows have to be read afterwards.

    The next id is read before the locks. So a transaction that isn't among the locks has ended, and is seen; or has yet
    to begin, and gets an id from the horizon on.
    """
    row = await (await connection.execute(SQL["writers"], {})).fetchone()
    assert row is not None  # noqa: S101 (one row, always)
    next_id = int(row[0])
    return min([next_id, *(_whole(xid, next_id) for xid in row[1] or [])])


def _whole(xid: int, next_id: int) -> int:
    """Give the 64 bits of a transaction's id out of its lower 32; it lies within 2³¹ of the next one's."""
    behind = (next_id - xid) % IDS_OF_32_BITS
    return next_id - behind if behind < IDS_OF_32_BITS // 2 else next_id


def _changes(rows: list[Row], after: FeedPoint, limit: int) -> Changes:
    """Take rows until there are `limit` ids; the order of ids is that of their last change."""
    interactions: dict[str, None] = {}
    conversions: dict[str, None] = {}
    upto = after
    for position, moment, query_ids, conversion_ids in rows:
        interactions |= dict.fromkeys(query_ids)
        conversions |= dict.fromkeys(conversion_ids or ())
        upto = FeedPoint(position=position, moment=moment)
        if len(interactions) + len(conversions) >= limit:
            break
    return Changes(query_ids=list(interactions), conversion_ids=list(conversions), upto=upto)
