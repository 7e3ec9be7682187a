"""Migrating PostgreSQL: any number at once, nothing where nothing is to be done, and a new identity after a move."""

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from aura_analytics.errors import MigrationError, StoreUnavailable
from aura_analytics.store.migrations import UNKNOWN, available
from aura_analytics.store.port import FeedPoint, QueueDepth
from aura_analytics.store.postgres import PostgresStore, migrate, status
from contract.making import NOW, outcome, query
from own_postgres import OwnPostgres

ALL = available("postgres")
# The version that keeps what a label cost.
JUDGING = 6


def run(url: str, *statements: str) -> None:
    with closing(psycopg.connect(url, autocommit=True)) as connection:
        for statement in statements:
            connection.execute(statement.encode())


@pytest.fixture
def empty(make_url: Callable[[], str]) -> str:
    """A database that isn't migrated."""
    return make_url()


def test_ten_at_once_apply_each_once(empty: str) -> None:
    with ThreadPoolExecutor(10) as pool:
        applied = list(pool.map(migrate, [empty] * 10))
    assert sorted(one.version for each in applied for one in each) == [one.version for one in ALL]
    assert [one.version for one in max(applied, key=len)] == [one.version for one in ALL]


def test_the_status_tells_what_waits_and_what_was_applied_and_changes_nothing(empty: str) -> None:
    assert [(one.version, one.applied_at) for one in status(empty)] == [(one.version, None) for one in ALL]
    with closing(psycopg.connect(empty)) as connection:
        assert connection.execute("SELECT count(*) FROM pg_class WHERE relname = 'migration_metadata'").fetchone() == (
            0,
        )
    migrate(empty)
    assert [(one.version, one.name) for one in status(empty)] == [(one.version, one.name) for one in ALL]
    assert all(one.applied_at is not None for one in status(empty))


def test_a_migration_of_a_later_version_is_named_as_such(url: str) -> None:
    run(url, "INSERT INTO migration_metadata VALUES (900, 5, 'later')")
    last = status(url)[-1]
    assert (last.version, last.name, last.applied_at) == (900, UNKNOWN, 5)
    assert migrate(url) == []


@pytest.mark.parametrize(
    ("broken", "named"),
    [
        ("DROP TABLE voice_conversions", "voice_conversions"),
        ("ALTER TABLE evaluation_queue DROP COLUMN lease", "evaluation_queue lacks lease"),
        ("ALTER TABLE evaluation_queue DROP COLUMN waits_since", "evaluation_queue lacks waits_since"),
        ("ALTER TABLE voice_evaluation_history DROP COLUMN rubric", "voice_evaluation_history lacks rubric"),
        ("ALTER TABLE judge_calls DROP COLUMN cost_usd", "judge_calls lacks cost_usd"),
        ("DROP TABLE judge_allowance", "judge_allowance lacks at, level, name"),
        ("DROP TABLE review_leases", "review_leases"),
        ("DROP TABLE judge_batches", "judge_batches"),
        ("DROP TABLE api_keys", "api_keys"),
        ("DROP TABLE seen_signatures", "seen_signatures"),
        ("DROP TABLE audit_log", "audit_log"),
        ("DROP TABLE privacy_secret", "privacy_secret"),
        ("DROP TABLE forgotten", "forgotten"),
        ("DROP TABLE erasures", "erasures"),
        ("DROP TABLE alert_states", "alert_states"),
        ("DROP TABLE alert_messages", "alert_messages"),
        ("DROP TABLE alert_turn", "alert_turn"),
    ],
)
def test_what_is_recorded_and_not_there_is_named(url: str, broken: str, named: str) -> None:
    run(url, broken)
    with pytest.raises(MigrationError, match=named):
        migrate(url)


@pytest.fixture
def before_the_judge(empty: str) -> str:
    """A database of the version before the judge's costs were kept, with a label, an older one, and work that is claimed."""
    run(
        empty,
        "CREATE TABLE migration_metadata (version INTEGER PRIMARY KEY, applied_at BIGINT NOT NULL, description TEXT)",
        *(one.sql for one in ALL if one.version < JUDGING),
        f"INSERT INTO migration_metadata SELECT version, 5, '' FROM generate_series(1, {JUDGING - 1}) AS t (version)",
        f"INSERT INTO voice_queries (id, store_id, created_at, query_text) VALUES ('a', 'shop', {NOW}, 'apples')",
        f"INSERT INTO voice_evaluations VALUES ('a', 'GOOD', 'fine', 0.5, {NOW}, 'auto', 'gemini', 'well')",
        f"INSERT INTO voice_evaluation_history VALUES (1, 'a', 'BAD', 'odd', 0.25, {NOW - 5}, 'auto', 'rules', NULL)",
        f"INSERT INTO evaluation_queue VALUES ('a', {NOW}, 2, 'lease', 'no answer', NULL)",
    )
    return empty


async def test_what_was_labelled_and_queued_before_costs_were_kept_stays(before_the_judge: str) -> None:
    assert (await asyncio.to_thread(migrate, before_the_judge))[0].version == JUDGING
    store = PostgresStore(before_the_judge)
    await store.open()
    try:
        [held] = await store.claims("lease")
        assert held.attempts == 2
        found = await store.interaction("a")
        assert found is not None
        assert found.verdict is not None
        assert [(one.label, one.method, one.rubric, one.cost_usd) for one in (found.verdict, *found.history)] == [
            ("GOOD", "gemini", None, None),
            ("BAD", "rules", None, None),
        ]
        assert await store.queue_depth(now=NOW + 9) == QueueDepth(due=1, waiting=0, failed=0, since=NOW)
    finally:
        await store.close()


@pytest.fixture
def unprivileged(make_url: Callable[[], str]) -> str:
    """An empty database whose user may make no tables."""
    url = make_url()
    run(url, "REVOKE CREATE ON SCHEMA public FROM pg_database_owner, PUBLIC")
    return url


def test_who_may_make_no_tables_is_told_so(unprivileged: str) -> None:
    with pytest.raises(StoreUnavailable, match="doesn't let its user do") as caught:
        migrate(unprivileged)
    assert caught.value.trouble == "away"


def test_where_nothing_is_to_be_done_nobody_needs_to_make_or_write_anything(url: str) -> None:
    name = conninfo_to_dict(url)["dbname"]
    run(
        url,
        "REVOKE CREATE ON SCHEMA public FROM pg_database_owner, PUBLIC",
        f"ALTER DATABASE {name} SET default_transaction_read_only = on",
    )
    assert migrate(url) == []
    assert all(one.applied_at for one in status(url))


def test_a_database_that_takes_no_changes_cannot_be_migrated_now(empty: str) -> None:
    name = conninfo_to_dict(empty)["dbname"]
    run(empty, f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    with pytest.raises(StoreUnavailable, match="takes no changes") as caught:
        migrate(empty)
    assert caught.value.trouble == "read-only"


def test_one_that_migrates_waits_for_another(empty: str) -> None:
    """Whoever waits finds nothing to be done."""
    with ThreadPoolExecutor(1) as pool, closing(psycopg.connect(empty, autocommit=True)) as other:
        other.execute("SELECT pg_advisory_lock(%s)", [0x61757261])
        waiting = pool.submit(migrate, empty)
        with closing(psycopg.connect(empty, autocommit=True)) as looking:
            while not looking.execute("SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted").fetchone():
                assert not waiting.done()
        other.execute("SELECT pg_advisory_unlock_all()")
        assert len(waiting.result(30)) == len(ALL)


# A database that was restored into another server.

# Each of its blocks is a transaction within, with an id of its own.
HURRY = """
DO $$ BEGIN
    CREATE TEMP TABLE hurried ON COMMIT DROP AS SELECT 1 AS x;
    FOR n IN 1..5000 LOOP
        BEGIN
            INSERT INTO hurried VALUES (n);
            RAISE EXCEPTION 'on';
        EXCEPTION WHEN OTHERS THEN NULL;
        END;
    END LOOP;
END $$
"""


@pytest.fixture
def restored(own_server: OwnPostgres) -> Iterator[Callable[[str], str]]:
    """Dumps a database and restores it into the test's own server; gives the URL there."""
    made: list[str] = []

    def restore(url: str) -> str:
        dump = own_server.run("pg_dump", "--no-owner", "--dbname", url)
        own_server.create("restored")
        made.append("restored")
        there = own_server.url("restored", "aura")
        own_server.run("psql", "--quiet", "--set=ON_ERROR_STOP=1", "--dbname", there, stdin=dump)
        return there

    yield restore
    for name in made:
        own_server.execute(f"DROP DATABASE {name} WITH (FORCE)")


async def test_a_database_that_was_moved_begins_a_feed_of_its_own(
    url: str, store: PostgresStore, own_server: OwnPostgres, restored: Callable[[str], str]
) -> None:
    [(there_next,)] = own_server.execute("SELECT CAST(CAST(pg_current_xact_id() AS text) AS bigint)")
    while (await store.feed_head()).position < there_next + 3_000:
        await asyncio.to_thread(run, url, HURRY)
        await store.append([query(f"q{(await store.feed_head()).position}")])
    await store.append([query("a"), outcome("a")])
    head, identity = await store.feed_head(), await store.identity()
    await store.acknowledge("columns", head, now=NOW)
    there = await asyncio.to_thread(restored, url)
    assert await asyncio.to_thread(migrate, there) == []
    moved = PostgresStore(there)
    await moved.open()
    try:
        assert await moved.identity() != identity
        assert not await moved.knows(head)
        assert not await moved.knows(FeedPoint(position=0, moment=0))
        start = await moved.feed_start()
        assert await moved.knows(start)
        assert start == await moved.feed_head()
        assert (await moved.changes(FeedPoint(position=0, moment=0), 100)).query_ids == []
        assert await moved.append([query("a"), query("b")]) == [False, True]
        assert (await moved.changes(start, 100)).query_ids == ["b"]
        again = await moved.identity()
        assert await asyncio.to_thread(migrate, there) == []
        assert await moved.identity() == again
    finally:
        await moved.close()
    assert own_server.execute("SELECT count(*) FROM change_followers", "restored") == [(0,)]
