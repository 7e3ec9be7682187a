"""The lanes: what waits is committed in groups, a mistake is its own job's, and a lost connection is nobody's."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial

import psycopg
import pytest

from aura_analytics.errors import QueueFull, StoreUnavailable
from aura_analytics.events.records import Event
from aura_analytics.store.postgres import PostgresStore, migrate, writer
from aura_analytics.store.postgres.writer import LANES, Lane, Writer
from contract.making import NOW, outcome, query
from own_postgres import OwnPostgres
from unit.store.postgres.conftest import Connect, Raw, is_well, until

# The sessions that wait for another one's lock on a table.
WAITING = "SELECT pid FROM pg_locks WHERE NOT granted AND relation = 'voice_queries'::regclass"


@asynccontextmanager
async def locked(connection: Raw, mode: str = "EXCLUSIVE") -> AsyncIterator[None]:
    """Let every change wait."""
    await connection.execute("BEGIN")
    await connection.execute(f"LOCK TABLE voice_queries IN {mode} MODE".encode())
    yield
    await connection.execute("ROLLBACK")


async def waiting(connection: Raw) -> list[int]:
    return [pid for (pid,) in await (await connection.execute(WAITING)).fetchall()]


async def stuck(connection: Raw, lanes: int = LANES) -> None:
    """Wait until that many lanes wait."""

    async def look() -> bool:
        return len(await waiting(connection)) == lanes

    await until(look)


def submit(store: PostgresStore, *ids: str) -> list[asyncio.Task[list[bool]]]:
    """Submit a query a call."""
    return [asyncio.create_task(store.append([query(id)])) for id in ids]


async def occupied(store: PostgresStore, connection: Raw) -> list[asyncio.Task[list[bool]]]:
    """Submit so much that each lane is on its way, and stands before a lock."""
    tasks: list[asyncio.Task[list[bool]]] = []
    for n in range(LANES):
        tasks += submit(store, f"lane {n}")
        await stuck(connection, n + 1)
    return tasks


async def transactions(connection: Raw) -> set[int]:
    """How the stored queries are grouped."""
    rows = await (await connection.execute("SELECT cardinality(query_ids) FROM change_feed")).fetchall()
    return {count for (count,) in rows}


async def test_what_comes_while_the_lanes_are_busy_is_committed_together(store: PostgresStore, raw: Raw) -> None:
    async with locked(raw):
        first = await occupied(store, raw)
        later = submit(store, *(f"later {n}" for n in range(50)))
        await asyncio.sleep(0)
        assert not any(task.done() for task in [*first, *later])
    assert await asyncio.gather(*first, *later) == [[True]] * 52
    assert await transactions(raw) == {1, 50}


async def test_more_than_may_wait_is_refused_and_the_rest_is_kept(url: str, raw: Raw) -> None:
    store = PostgresStore(url, most_waiting=4)
    await store.open()
    try:
        async with locked(raw):
            first = await occupied(store, raw)
            fits = asyncio.create_task(store.append([query("a"), query("b")]))
            await asyncio.sleep(0)
            with pytest.raises(QueueFull):
                await store.append([query("c")])
        assert await asyncio.gather(*first, fits) == [[True], [True], [True, True]]
        assert await store.append([query(f"{n}") for n in range(9)]) == [True] * 9, "alone, any number fits"
    finally:
        await store.close()


async def test_a_job_that_spoils_its_group_fails_alone(store: PostgresStore, raw: Raw) -> None:
    async with locked(raw):
        first = await occupied(store, raw)
        good = submit(store, "a")
        bad = asyncio.create_task(store.append([query("b"), query("x", created_at=2**70)]))
        good += submit(store, "c")
        await asyncio.sleep(0)
    assert await asyncio.gather(*first, *good) == [[True]] * 4
    with pytest.raises(psycopg.DataError):
        await bad
    assert {row[0] for row in await store.wide_rows(["a", "b", "c", "x"])} == {"a", "c"}
    await store.ping()


async def sessions(connection: Raw) -> list[int]:
    """The store's sessions, as they are now, also for who asks again in one transaction."""
    await connection.execute("SELECT pg_stat_clear_snapshot()")
    found = await connection.execute(
        "SELECT pid FROM pg_stat_activity "
        "WHERE datname = current_database() AND application_name = 'aura-analytics' AND backend_type = 'client backend'"
    )
    return [pid for (pid,) in await found.fetchall()]


async def end(connection: Raw, pids: Sequence[int]) -> None:
    await connection.execute("SELECT pg_terminate_backend(pid) FROM unnest(%s::int[]) AS pid", [list(pids)])

    async def gone() -> bool:
        return not set(pids) & set(await sessions(connection))

    await until(gone)


async def test_connections_that_were_ended_while_they_lay_idle_are_replaced_unseen(
    store: PostgresStore, raw: Raw
) -> None:
    for n in range(3):
        assert await store.append([query(f"{n}")]) == [True]
        assert await store.count() == n + 1
        await end(raw, await sessions(raw))
    assert await store.append([query("last")]) == [True]
    await store.ping()


async def test_what_was_in_flight_on_an_ended_connection_is_stored_once(store: PostgresStore, raw: Raw) -> None:
    async with locked(raw):
        first = await occupied(store, raw)
    await asyncio.gather(*first)
    async with locked(raw):
        tasks = submit(store, "a", "b")
        await until(lambda: waiting(raw))
        before = await waiting(raw)
        await end(raw, before)

        async def is_tried_again() -> bool:
            return bool(set(await waiting(raw)) - set(before))

        await until(is_tried_again)
    assert await asyncio.gather(*tasks) == [[True]] * 2
    assert await store.count() == LANES + 2


async def test_a_connection_that_is_ended_again_and_again_is_told(store: PostgresStore, raw: Raw) -> None:
    async with locked(raw):
        [task] = submit(store, "a")
        while not task.done():
            await end(raw, await waiting(raw))
        with pytest.raises(StoreUnavailable) as caught:
            await task
    assert caught.value.trouble == "away"
    assert await store.append([query("a")]) == [True]


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waits only for a moment."""
    monkeypatch.setattr(writer, "COMMIT_S", 0.3)
    monkeypatch.setattr(writer, "REMEMBERED_S", 0.3)


@pytest.mark.usefixtures("impatient")
async def test_a_lock_that_lasts_is_a_slow_database_until_it_is_gone(store: PostgresStore, raw: Raw) -> None:
    async with locked(raw):
        with pytest.raises(StoreUnavailable, match="too long") as caught:
            await store.append([query("a")])
        assert caught.value.trouble == "slow"
        with pytest.raises(StoreUnavailable, match="too long"):
            await store.ping()
    assert await store.append([query("a")]) == [True]
    await store.ping()


@pytest.mark.usefixtures("impatient")
async def test_a_write_that_takes_long_is_told_before_it_fails(
    store: PostgresStore, raw: Raw, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "COMMIT_S", 20)
    monkeypatch.setattr(writer, "SLOW_S", 0.05)
    async with locked(raw):
        tasks = await occupied(store, raw)

        async def is_told() -> bool:
            try:
                await store.ping()
            except StoreUnavailable as error:
                return error.trouble == "slow"
            return False

        await until(is_told)
    await asyncio.gather(*tasks)
    await store.ping()


@pytest.mark.usefixtures("impatient")
async def test_health_comes_back_by_itself_where_nobody_writes(store: PostgresStore, raw: Raw) -> None:
    """A look tries what failed, once it was told for a while."""
    async with locked(raw, "ACCESS EXCLUSIVE"):
        with pytest.raises(StoreUnavailable):
            await store.append([query("a")])

    await until(partial(is_well, store))
    assert not store._write.failing
    assert await store.feed_head() == await store.feed_start()
    assert await store.append([query("a")]) == [True]


@pytest.mark.usefixtures("impatient")
async def test_a_look_after_a_failure_sees_that_nothing_can_be_written(own_server: OwnPostgres, own_url: str) -> None:
    """What only a write would meet: here, that no session can be had any more."""
    store = PostgresStore(own_url)
    await store.open()
    try:
        await store.ping()
        own_server.execute("ALTER ROLE aura CONNECTION LIMIT 1")
        with pytest.raises(StoreUnavailable, match="no connection to spare"):
            await store.append([query("a")])
        await asyncio.sleep(writer.REMEMBERED_S)
        with pytest.raises(StoreUnavailable, match="no connection to spare") as caught:
            await store.ping()
        assert caught.value.trouble == "busy"
    finally:
        own_server.execute("ALTER ROLE aura CONNECTION LIMIT -1")
        await store.close()


class Mishap(Exception):
    """What goes wrong in a lane."""


class OddLane(Lane):
    """A lane that stumbles over some ids."""

    async def write(self, events: Sequence[Event]) -> list[bool]:
        """Store nothing."""
        if any(getattr(event, "id", "") == "odd" for event in events):
            raise Mishap
        return [True] * len(events)


async def test_whatever_goes_wrong_the_writer_goes_on() -> None:
    made = Writer([OddLane("", clock=lambda: NOW, grace_ms=0)], most_waiting=10, committed=lambda: None)
    jobs = [made.append([query("a")]), made.append([query("odd")]), made.append([query("b")])]
    told = await asyncio.gather(*jobs, return_exceptions=True)
    assert [type(each) for each in told] == [list, Mishap, list]
    assert await made.append([query("c")]) == [True]
    await made.stop()
    with pytest.raises(StoreUnavailable):
        made.append([query("d")])


# What a commit promises.


async def setting(connection: Raw, name: str) -> str:
    row = await (await connection.execute("SELECT current_setting(%s)", [name])).fetchone()
    assert row is not None
    return str(row[0])


async def promised(store: PostgresStore) -> set[str]:
    """What each session that writes waits for."""
    await asyncio.gather(*(store.append([query(f"{n}"), outcome(f"{n}")]) for n in range(8)))
    lanes = [lane._connection for lane in store._write._lanes if lane._connection is not None]
    assert lanes
    async with store._reading() as pooled:
        return {await setting(each, "synchronous_commit") for each in [*lanes, pooled]}


@pytest.mark.parametrize(("configured", "kept"), [("off", "local"), ("on", "on"), ("remote_apply", "remote_apply")])
async def test_every_session_that_writes_waits_for_the_disk(
    own_server: OwnPostgres, own_url: str, configured: str, kept: str
) -> None:
    own_server.execute(f"ALTER ROLE aura SET synchronous_commit = {configured}")
    store = PostgresStore(own_url)
    await store.open()
    try:
        assert await promised(store) == {kept}
    finally:
        own_server.execute("ALTER ROLE aura RESET synchronous_commit")
        await store.close()


async def test_nobody_turns_the_waiting_off_for_sessions_that_are_there(own_server: OwnPostgres, own_url: str) -> None:
    store = PostgresStore(own_url)
    await store.open()
    try:
        assert await promised(store) == {"on"}
        own_server.set("synchronous_commit", "off")
        async with await psycopg.AsyncConnection.connect(own_url, autocommit=True) as other:

            async def is_off() -> bool:
                return await setting(other, "synchronous_commit") == "off"

            await until(is_off)
        await asyncio.gather(*(store.count() for _ in range(8)))
        assert await promised(store) <= {"on", "local"}
    finally:
        own_server.set("synchronous_commit", None)
        await store.close()


async def test_two_stores_that_close_leave_no_session(url: str, connect: Connect) -> None:
    await asyncio.to_thread(migrate, url)
    looking = await connect()
    for _ in range(2):
        store = PostgresStore(url)
        await store.open()
        await asyncio.gather(store.append([query("a")]), store.count(), store.ping())
        await store.close()

    async def none_is_left() -> bool:
        return not await sessions(looking)

    await until(none_is_left)
