"""The feed where transactions commit in another order than they begin: nothing is lost, and strangers don't matter."""

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from aura_analytics.store.port import FeedPoint
from aura_analytics.store.postgres import PostgresStore, feed, migrate
from aura_analytics.store.postgres.append import publish
from aura_analytics.store.postgres.feed import IDS_OF_32_BITS, _whole
from aura_analytics.store.queries import load
from contract.making import NOW, query
from trying import tried
from unit.store.postgres.conftest import Connect, Raw

SQL = load("feed", "postgres")
MANY = 1_000
BEGINNING = FeedPoint(position=0, moment=0)


async def begin(connection: Raw) -> None:
    """Begin as everyone does who may write to the feed."""
    await connection.execute("BEGIN")
    await connection.execute(SQL["announce"], {})


async def take_an_id(connection: Raw) -> None:
    await connection.execute("SELECT pg_current_xact_id()")


async def write(connection: Raw, id: str) -> None:
    await publish(connection, [id], now=NOW)


async def commit(connection: Raw) -> None:
    await connection.execute("COMMIT")


async def written(connection: Raw, id: str) -> None:
    await begin(connection)
    await write(connection, id)
    await commit(connection)


async def ids(store: PostgresStore, after: FeedPoint) -> list[str]:
    """What is told after a point, in as many looks as it takes."""
    told: list[str] = []
    while (changes := await store.changes(after, MANY)).upto != after:
        told += changes.query_ids
        after = changes.upto
    return told


async def test_what_is_written_and_not_committed_holds_back_what_comes_after_it(
    store: PostgresStore, connect: Connect
) -> None:
    slow, quick = await connect(), await connect()
    await begin(slow)
    await write(slow, "slow")
    await written(quick, "quick")
    assert await ids(store, BEGINNING) == []
    assert (await store.feed_head()).position > 0
    await commit(slow)
    assert await ids(store, BEGINNING) == ["slow", "quick"]


async def test_what_was_announced_holds_back_once_it_has_an_id(store: PostgresStore, connect: Connect) -> None:
    slow, quick = await connect(), await connect()
    await begin(slow)
    await written(quick, "before")
    assert await ids(store, BEGINNING) == ["before"], "it has no id yet, so that it comes later"
    await take_an_id(slow)
    await written(quick, "after")
    assert await ids(store, BEGINNING) == ["before"]
    await write(slow, "slow")
    await commit(slow)
    assert await ids(store, BEGINNING) == ["before", "slow", "after"]


async def test_what_is_taken_back_holds_nothing_back_any_more(store: PostgresStore, connect: Connect) -> None:
    slow, quick = await connect(), await connect()
    await begin(slow)
    await write(slow, "slow")
    await written(quick, "quick")
    await slow.execute("ROLLBACK")
    assert await ids(store, BEGINNING) == ["quick"]


@pytest.fixture
async def strangers(connect: Connect, raw: Raw, make_url: Callable[[], str]) -> AsyncIterator[list[Raw]]:
    """Transactions that have nothing to do with us, and have been open for long."""
    await raw.execute("CREATE TABLE a_strangers (x int)")
    opened = [await connect(), await connect(await asyncio.to_thread(make_url))]
    for each in opened:
        await each.execute("BEGIN")
        await take_an_id(each)
    await opened[0].execute("INSERT INTO a_strangers VALUES (1)")
    yield opened
    for each in opened:
        await each.execute("ROLLBACK")


@pytest.mark.usefixtures("strangers")
async def test_a_transaction_of_a_stranger_holds_nothing_back(store: PostgresStore) -> None:
    await store.append([query("a")])
    await store.append([query("b")])
    assert await ids(store, BEGINNING) == ["a", "b"]
    assert await store.feed_start() == await store.feed_head()


@pytest.mark.usefixtures("strangers")
async def test_our_own_transaction_holds_back_beside_that_of_a_stranger(store: PostgresStore, raw: Raw) -> None:
    await store.append([query("a")])
    start = await store.feed_head()
    await begin(raw)
    await write(raw, "slow")
    await store.append([query("b")])
    assert await ids(store, BEGINNING) == ["a"]
    assert await store.feed_start() == start
    await commit(raw)
    assert await ids(store, start) == ["slow", "b"]


@pytest.mark.usefixtures("strangers")
async def test_a_follower_can_start_where_a_stranger_outlives_what_the_feed_remembers(store: PostgresStore) -> None:
    for id in "abc":
        await store.append([query(id)])
    await store.acknowledge("first", await store.feed_head(), now=NOW)
    assert not await store.knows(BEGINNING)
    start = await store.feed_start()
    assert await store.knows(start)
    await store.append([query("d")])
    assert await ids(store, start) == ["d"]


async def test_a_follower_that_starts_meanwhile_gets_what_was_in_flight(store: PostgresStore, raw: Raw) -> None:
    await store.append([query("a")])
    await begin(raw)
    await write(raw, "in flight")
    await store.append([query("b")])
    start = await store.feed_start()
    assert start != await store.feed_head()
    assert await store.knows(start)
    await commit(raw)
    assert await ids(store, start) == ["in flight", "b"]


async def test_a_long_feed_is_told_piece_by_piece(store: PostgresStore, raw: Raw) -> None:
    """More transactions than one look reads."""
    begun = await store.feed_head()
    async with raw.pipeline():
        for n in range(1_200):
            await written(raw, str(n))
    told: list[str] = []
    while (changes := await store.changes(begun, 10_000)).upto != begun:
        told += changes.query_ids
        begun = changes.upto
    assert told == [str(n) for n in range(1_200)]


async def test_two_that_trim_at_once_take_turns(store: PostgresStore, connect: Connect) -> None:
    for n in range(30):
        await store.append([query(str(n))])
    head = await store.feed_head()
    for round_ in range(5):
        await asyncio.gather(*(store.acknowledge(f"f{n}", head, now=NOW + round_) for n in range(8)))
    looking = await connect()
    assert await (await looking.execute("SELECT count(*) FROM change_feed")).fetchone() == (1,)
    assert await store.knows(head)
    assert not await store.knows(BEGINNING)


async def test_one_that_trims_does_not_wait_for_another(store: PostgresStore, connect: Connect) -> None:
    """What the other one holds is left to it; what was forgotten is noted, however it ends."""
    for n in range(10):
        await store.append([query(str(n))])
    head = await store.feed_head()
    await store.acknowledge("slow", BEGINNING, now=NOW)
    slow = await connect()
    await slow.execute("BEGIN")
    await slow.execute("SELECT 1 FROM change_feed ORDER BY xid LIMIT 5 FOR UPDATE")
    await store.forget_follower("slow")
    await store.acknowledge("quick", head, now=NOW)
    left = await connect()
    assert await (await left.execute("SELECT count(*) FROM change_feed")).fetchone() == (6,)
    assert not await store.knows(BEGINNING)
    await slow.execute("ROLLBACK")
    await store.acknowledge("quick", head, now=NOW)
    assert await (await left.execute("SELECT count(*) FROM change_feed")).fetchone() == (1,)


@given(st.integers(0, 2**62), st.integers(0, 2**31 - 1))
def test_the_rest_of_an_id_is_found_again(next_id: int, behind: int) -> None:
    whole = next_id - behind
    if whole >= 0:
        assert _whole(whole % IDS_OF_32_BITS, next_id) == whole


@given(st.integers(0, 2**62), st.integers(0, 2**31 - 1))
def test_an_id_that_is_not_given_out_yet_holds_nothing_back(next_id: int, ahead: int) -> None:
    assert _whole((next_id + ahead) % IDS_OF_32_BITS, next_id) == next_id


# Any order of what several sessions do.

STEPS = (begin, take_an_id, write, commit)
WRITERS = 3
SCHEDULE = st.lists(
    st.sampled_from([*range(WRITERS), *range(WRITERS), "look", "start", "trim"]), min_size=12, max_size=40
)


class Follower:
    """A follower as the columns are one: what it has read, from where it goes on."""

    def __init__(self, name: str, point: FeedPoint, seen: set[str]) -> None:
        self.name, self.point, self.seen = name, point, seen

    async def look(self, connection: Raw, committed: set[str]) -> None:
        assert await feed.knows(connection, self.point)
        changes = await feed.changes(connection, self.point, MANY)
        assert set(changes.query_ids) <= committed
        self.seen |= set(changes.query_ids)
        self.point = changes.upto

    async def acknowledge(self, connection: Raw) -> None:
        async with connection.transaction():
            await feed.acknowledge(connection, self.name, self.point, now=NOW)


class Sessions:
    """Some sessions that write, and one that looks."""

    def __init__(self, looking: Raw, writing: list[Raw]) -> None:
        self.looking, self.writing = looking, writing
        self.at = [0] * len(writing)
        self.made = 0
        self.pending = [""] * len(writing)
        self.committed: set[str] = set()
        self.followers: list[Follower] = []

    async def go(self, number: int) -> None:
        """Let one that writes take its next step."""
        step, connection = STEPS[self.at[number] % len(STEPS)], self.writing[number]
        self.at[number] += 1
        if step is write:
            self.made += 1
            self.pending[number] = f"{number}-{self.made}"
            await write(connection, self.pending[number])
        elif step is commit:
            await commit(connection)
            self.committed.add(self.pending[number])
        else:
            await step(connection)  # type: ignore[call-arg] # `write`, which takes more, is dealt with above

    async def start(self) -> None:
        """Let a follower start: the point first, and the rows afterwards."""
        point = await feed.feed_start(self.looking)
        follower = Follower(f"f{len(self.followers)}", point, set(self.committed))
        await follower.acknowledge(self.looking)
        self.followers.append(follower)

    async def do(self, what: int | str) -> None:
        if isinstance(what, int):
            await self.go(what)
        elif what == "start":
            await self.start()
        else:
            for follower in self.followers:
                await (
                    follower.look(self.looking, self.committed)
                    if what == "look"
                    else follower.acknowledge(self.looking)
                )

    async def finish(self) -> None:
        """Let everything come to its end."""
        for number in range(len(self.writing)):
            while self.at[number] % len(STEPS):
                await self.go(number)


@pytest.fixture
async def opened(connect: Connect) -> list[Raw]:
    """One that looks, and those that write."""
    return [await connect() for _ in range(WRITERS + 1)]


@pytest.mark.usefixtures("strangers")
@tried(25, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(schedule=SCHEDULE)
async def test_nothing_is_lost_in_any_order(opened: list[Raw], schedule: list[int | str]) -> None:
    for each in opened:
        await each.rollback()
    await opened[0].execute("DELETE FROM change_feed")
    await opened[0].execute("DELETE FROM change_followers")
    await opened[0].execute("UPDATE database_identity SET trimmed = 0")
    sessions = Sessions(opened[0], opened[1:])
    await sessions.start()
    for what in schedule:
        await sessions.do(what)
    await sessions.finish()
    for follower in sessions.followers:
        for _ in range(2):  # what a stranger of another test holds back comes with the second look
            await follower.look(sessions.looking, sessions.committed)
        assert follower.seen == sessions.committed
        assert follower.point == await feed.feed_head(sessions.looking)


# A database that was restored from another server's dump under a server that runs.


async def test_the_rows_of_another_server_are_no_points(store: PostgresStore, raw: Raw) -> None:
    for id in "abc":
        await store.append([query(id)])
    head = await store.feed_head()
    await store.acknowledge("columns", head, now=NOW)
    far = 1_000_000_000
    moved = f"UPDATE change_feed SET xid = CAST(CAST(CAST(CAST(xid AS text) AS bigint) + {far} AS text) AS xid8)"
    await raw.execute(moved.encode())
    await raw.execute(f"UPDATE database_identity SET trimmed = trimmed + {far}".encode())
    await raw.execute("DELETE FROM change_followers")
    there = FeedPoint(position=head.position + far, moment=head.moment)
    assert [await store.knows(point) for point in (head, there)] == [False, False]
    start = await store.feed_start()
    assert await store.knows(start)
    await store.append([query("d")])
    assert await ids(store, start) == ["d"]


async def test_ids_that_another_server_has_given_out_are_no_hindrance(store: PostgresStore, raw: Raw) -> None:
    await raw.execute(
        "INSERT INTO change_feed (xid, changed_at, query_ids) "
        "SELECT CAST(CAST(CAST(CAST(pg_current_xact_id() AS text) AS bigint) + n AS text) AS xid8), 1, array['stale'] "
        "FROM generate_series(1, 50) AS n"
    )
    for n in range(30):
        await store.append([query(str(n))])
    assert {str(n) for n in range(30)} <= set(await ids(store, BEGINNING))


async def test_a_database_of_one_feed_only_is_migrated_twice_without_a_change(url: str, store: PostgresStore) -> None:
    await store.append([query("a")])
    before = await store.identity(), await store.feed_head()
    assert await asyncio.to_thread(migrate, url) == []
    assert (await store.identity(), await store.feed_head()) == before
