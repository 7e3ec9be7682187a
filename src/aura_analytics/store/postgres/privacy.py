"""The persons in PostgreSQL; implements `PersonStore` over the store's connections. Any number of servers may write."""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from psycopg import AsyncConnection

from aura_analytics.store.keys import AuditEntry
from aura_analytics.store.postgres.append import publish, storable
from aura_analytics.store.postgres.interaction import interaction
from aura_analytics.store.postgres.keys import Access
from aura_analytics.store.privacy import (
    BY_QUERY,
    CONVERSIONS,
    MOST_UNNAMED,
    PAGE_ROWS,
    SENT_AGAIN_MS,
    STEP_IDS,
    Erasure,
    Held,
    Theirs,
    added,
    call_of,
    erasure_of,
    hashed,
    of_sessions,
    pseudonym_of,
    written,
)
from aura_analytics.store.queries import Row, load
from aura_analytics.store.tolerance import conversion_of

SQL = load("privacy", "postgres")
KEYS = load("keys", "postgres")
SESSION = load("session", "postgres")

# Any, throughout: a row is a tuple of what a cell can be.
Connection = AsyncConnection[Any]


class PostgresPersons:
    """The persons of one database.

    Args:
        reading: has a connection for a block.
        changing: has a transaction for a block; it is durable when the block has ended.
    """

    def __init__(self, reading: Access, changing: Access) -> None:
        self._reading = reading
        self._changing = changing

    async def pseudonym(self, user_id: str) -> str:
        """Give the hash that a person is named by."""
        async with self._reading() as connection:
            return pseudonym_of(await _secret(connection), storable(user_id))

    async def begin(self, user_id: str, *, id: str, actor: str, blocks: bool, now: int) -> Erasure:
        """Begin to erase a person, or go on."""
        async with self._changing() as connection:
            await connection.execute(SQL["alone"], {})
            own = await _secret(connection)
            person = pseudonym_of(own, storable(user_id))
            await connection.execute(SQL["remember_no_more"], {"now": now})
            if blocks:
                blocked = {"hash": hashed(own, "user", storable(user_id)), "until": None}
                await connection.execute(SQL["remember"], blocked)
            open_ones = await _rows(connection, "open", person=person)
            if not open_ones:
                told = {"id": id, "person": person, "actor": storable(actor), "now": now}
                await connection.execute(SQL["begin"], told)
                open_ones = await _rows(connection, "erasure", id=id)
            return erasure_of(open_ones[0])

    async def erase(self, user_id: str, erasure: Erasure, *, now: int) -> Erasure:
        """Erase all of a person, step by step."""
        async for ids in self._named(storable(user_id)):
            async with self._changing() as connection:
                erasure = await _erase(connection, storable(user_id), ids, erasure.id, now=now)
        return erasure

    async def end(self, erasure: Erasure, *, now: int, details: Mapping[str, Any]) -> Erasure:
        """Note that all is erased, once, whoever comes to it first."""
        async with self._changing() as connection:
            if (await connection.execute(SQL["end"], {"id": erasure.id, "now": now})).rowcount:
                entry = AuditEntry(
                    at=now,
                    actor=erasure.actor,
                    action="person.forgotten",
                    subject=erasure.person,
                    details=dict(details),
                )
                await connection.execute(KEYS["note"], entry.cells)
            [row] = await _rows(connection, "erasure", id=erasure.id)
            return erasure_of(row)

    async def allow(self, user_id: str) -> bool:
        """Take the events of a blocked person again."""
        async with self._changing() as connection:
            key = {"hash": hashed(await _secret(connection), "user", storable(user_id))}
            return (await connection.execute(SQL["allow"], key)).rowcount > 0

    async def held(self, user_id: str) -> AsyncIterator[Held]:
        """Give all that is kept of a person, in parts."""
        given: set[str] = set()
        async for ids in self._named(storable(user_id)):
            async with self._reading() as connection, connection.transaction():
                await connection.execute(SESSION["one_moment"], {})
                theirs = await _theirs(connection, storable(user_id), ids)
                fresh = [id for id in theirs.query_ids if id not in given]
                given.update(fresh)
                part = await _held(connection, fresh, theirs.conversion_ids)
            yield part

    async def last_erasure(self) -> int | None:
        """Give when an erasure began or ended last."""
        async with self._reading() as connection:
            [(moment,)] = await _rows(connection, "last_erasure")
            return None if moment is None else int(moment)

    async def move_on(self, *, now: int) -> int:
        """Write to the feed a row that tells nothing."""
        async with self._changing() as connection:
            await connection.execute(SQL["alone"], {})
            [(position,)] = await _rows(connection, "move_on", now=now)
            return int(position)

    async def followed(self, position: int) -> tuple[int, int]:
        """Forget the feed before a position; give how many have followed, and haven't."""
        async with self._changing() as connection:
            [(behind,)] = await _rows(connection, "behind", position=position)
            [(followers,)] = await _rows(connection, "followers")
            if not behind:
                await connection.execute(SQL["trim"], {"position": position})
            return followers - behind, behind

    async def bring_home(self) -> bool:
        """Tell that there is no log here that this process could empty: the server has its own."""
        return True

    async def _named(self, user_id: str) -> AsyncIterator[list[str]]:
        """Give the interactions that name a person, a step at a time; each read looks through a page of rows."""
        async with self._reading() as connection:
            [(last,)] = await _rows(connection, "last_row")
        for after in range(0, last or 0, PAGE_ROWS):
            async with self._reading() as connection:
                rows = await _rows(connection, "named", after=after, upto=after + PAGE_ROWS, user_id=user_id)
            ids = [id for (id,) in rows]
            for start in range(0, len(ids), STEP_IDS):
                yield ids[start : start + STEP_IDS]


async def _secret(connection: Connection) -> str:
    [(found,)] = await _rows(connection, "secret")
    return str(found)


async def _rows(connection: Connection, statement: str, **asked: object) -> list[Row]:
    return await (await connection.execute(SQL[statement], asked)).fetchall()


async def _erase(connection: Connection, user_id: str, ids: Sequence[str], erasure_id: str, *, now: int) -> Erasure:
    """Erase a step: some interactions that name the person, and what is theirs around them. In a transaction.

    Nobody else writes to the feed meanwhile: an outcome that is just coming is seen, or comes after and is refused.
    """
    await connection.execute(SQL["alone"], {})
    theirs = await _theirs(connection, user_id, ids)
    [row] = await _rows(connection, "erasure", id=erasure_id)
    erasure = erasure_of(row)
    if not theirs.query_ids:
        return erasure
    await _rows(connection, "hold_queue", ids=theirs.query_ids)
    erasure = added(erasure, await _removed(connection, theirs))
    own = await _secret(connection)
    until = now + SENT_AGAIN_MS
    async with connection.cursor() as cursor:
        hashes = [{"hash": hashed(own, kind, id), "until": until} for kind, id in theirs.names]
        await cursor.executemany(SQL["remember"], hashes)
    await publish(connection, theirs.query_ids, theirs.conversion_ids, now=now)
    await connection.execute(SQL["count"], {"id": erasure.id, "erased": written(erasure.erased)})
    return erasure


async def _removed(connection: Connection, theirs: Theirs) -> dict[str, int]:
    """Remove rows; count them by table."""
    counts: dict[str, int] = {}
    for statement, table in BY_QUERY:
        counts[table] = (await connection.execute(SQL[statement], {"ids": theirs.query_ids})).rowcount
    bought = await connection.execute(SQL["erase_conversions"], {"ids": theirs.conversion_ids})
    return counts | {CONVERSIONS: bought.rowcount}


async def _theirs(connection: Connection, user_id: str, ids: Sequence[str]) -> Theirs:
    """Give what is a person's of some interactions that name them and of their sessions."""
    named = [id for (id,) in await _rows(connection, "still_named", ids=list(ids), user_id=user_id)]
    asked = {"ids": named, "user_id": user_id, "most": MOST_UNNAMED}
    sessions = {(store_id, session) for store_id, session in await _rows(connection, "own_sessions", **asked)}
    within = [session for _, session in sessions]
    unnamed = of_sessions(await _rows(connection, "unnamed", ids=within), sessions)
    query_ids = list(dict.fromkeys([*named, *unnamed]))
    of_queries = await _rows(connection, "conversions_of_queries", ids=query_ids)
    around = of_sessions(await _rows(connection, "conversions_of_sessions", ids=within), sessions)
    return Theirs(query_ids=query_ids, conversion_ids=list(dict.fromkeys([*(id for (id,) in of_queries), *around])))


async def _held(connection: Connection, query_ids: Sequence[str], conversion_ids: Sequence[str]) -> Held:
    found = [(await interaction(connection, id))[0] for id in query_ids]
    calls = await _rows(connection, "judge_calls_of", ids=list(query_ids))
    bought = await _rows(connection, "conversions", ids=list(conversion_ids))
    return Held(
        interactions=[one for one in found if one is not None],
        conversions=[conversion_of(row) for row in bought],
        judge_calls=[call_of(row) for row in calls],
    )
