"""The writing thread: one job's failure is its own, what the disk refuses is said, and nothing half is ever kept."""

import asyncio
import os
import sqlite3
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from aura_analytics.errors import StoreUnavailable
from aura_analytics.store.sqlite import SqliteStore, connection, migrate
from aura_analytics.store.sqlite.writer import GROUP_EVENTS, Writer
from contract.making import LEASE_MS, NOW, outcome, query

Raw = Callable[[], sqlite3.Connection]


class Mishap(Exception):
    """What goes wrong in a job."""


def fail(_: sqlite3.Connection) -> None:
    raise Mishap


@pytest.fixture
async def writer(store: SqliteStore) -> Writer:
    return store._write


@pytest.fixture
async def held(writer: Writer) -> AsyncIterator[threading.Event]:
    """Keeps the writer inside of a transaction until it is set, so that what is submitted meanwhile becomes one group."""
    inside, leave = threading.Event(), threading.Event()

    def wait(_: sqlite3.Connection) -> None:
        inside.set()
        leave.wait(timeout=60)

    holding = asyncio.create_task(writer.change(wait))
    await asyncio.to_thread(inside.wait, 60)
    yield leave
    leave.set()
    await holding


async def ids(store: SqliteStore, wanted: str) -> str:
    return "".join(sorted(row[0] for row in await store.wide_rows(list(wanted))))


async def test_a_job_that_raises_fails_alone(store: SqliteStore, writer: Writer, held: threading.Event) -> None:
    jobs = [
        asyncio.create_task(store.append([query("a")])),
        asyncio.create_task(writer.change(fail)),
        asyncio.create_task(store.append([query("b"), query("x", created_at=2**70)])),
        asyncio.create_task(writer.change(lambda connection: connection.execute("SELECT 17").fetchone()[0])),
        asyncio.create_task(store.append([query("c"), query("a")])),
    ]
    await asyncio.sleep(0)  # all of them are submitted
    held.set()
    first, failed, bad, answered, last = await asyncio.gather(*jobs, return_exceptions=True)
    assert [first, answered, last] == [[True], 17, [True, False]]
    assert isinstance(failed, Mishap)
    assert isinstance(bad, OverflowError)
    assert await ids(store, "abcx") == "ac"


async def test_what_a_failed_job_wrote_is_not_kept(store: SqliteStore, writer: Writer) -> None:
    def half(connection: sqlite3.Connection) -> None:
        connection.execute("DELETE FROM voice_queries")
        raise Mishap

    await store.append([query("a")])
    with pytest.raises(Mishap):
        await writer.change(half)
    assert await ids(store, "a") == "a"
    assert await store.append([query("b")]) == [True]


async def test_jobs_that_wait_are_one_transaction(store: SqliteStore, held: threading.Event) -> None:
    before = await store.feed_head()
    jobs = [asyncio.create_task(store.append([query(str(n))])) for n in range(20)]
    await asyncio.sleep(0)
    held.set()
    await asyncio.gather(*jobs)
    changes = await store.changes(before, 1)
    assert sorted(changes.query_ids) == sorted(str(n) for n in range(20))


async def test_a_flood_is_cut_into_several_transactions(store: SqliteStore, held: threading.Event) -> None:
    before = await store.feed_head()
    jobs = []
    for job in range(5):
        jobs.append(asyncio.create_task(store.append([query(f"{job}-{n}") for n in range(GROUP_EVENTS // 2 + 1)])))
        await asyncio.sleep(0)
        await asyncio.sleep(0)  # each is submitted in a turn of its own
    held.set()
    await asyncio.gather(*jobs)
    changes = await store.changes(before, 1)
    assert len(changes.query_ids) < 2 * GROUP_EVENTS
    assert changes.upto != await store.feed_head()


async def test_the_callers_own_fields_are_kept_as_json(store: SqliteStore, raw: Raw) -> None:
    own = {"own": [1, None, {"deep": "🍎"}], "big": 2**53 + 1}
    await store.append(
        [query("a", extra=own, correlation_id="c", received_at=NOW + 1), outcome("a", extra=own, occurred_at=NOW + 2)]
    )
    await store.append([query("b"), outcome("b")])
    of_query = raw().execute("SELECT extra, correlation_id, received_at FROM voice_queries ORDER BY id").fetchall()
    of_outcome = raw().execute("SELECT extra, occurred_at FROM voice_outcomes ORDER BY query_id").fetchall()
    assert [msgspec.json.decode(of_query[0][0]), *of_query[0][1:]] == [own, "c", NOW + 1]
    assert [msgspec.json.decode(of_outcome[0][0]), *of_outcome[0][1:]] == [own, NOW + 2]
    assert of_query[1] == (None, None, NOW)
    assert of_outcome[1] == (None, NOW)


async def test_every_commit_is_flushed_to_the_disk(writer: Writer) -> None:
    def pragmas(connection: sqlite3.Connection) -> tuple[str, int]:
        return connection.execute("PRAGMA journal_mode").fetchone()[0], connection.execute(
            "PRAGMA synchronous"
        ).fetchone()[0]

    assert await writer.change(pragmas) == ("wal", 2)


async def test_after_the_close_the_file_alone_is_whole(url: str, file: Path, tmp_path: Path) -> None:
    migrate(url)
    store = SqliteStore(url)
    await store.open()
    await store.append([query("a"), outcome("a")])
    await store.count()
    await store.close()
    assert ids_in_a_copy_of_it_alone(file, tmp_path / "copy.db") == [("a",)]


def ids_in_a_copy_of_it_alone(file: Path, copy: Path) -> list[tuple[str]]:
    copy.write_bytes(file.read_bytes())
    with closing(sqlite3.connect(copy)) as connection:
        return connection.execute("SELECT id FROM voice_queries").fetchall()


# What the disk or another process refuses.


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waits for another's lock only for a moment."""
    monkeypatch.setattr(connection, "BUSY_TIMEOUT_S", 0.05)


@pytest.mark.usefixtures("impatient")
async def test_a_database_locked_for_too_long_is_said_and_nothing_is_stored(url: str, raw: Raw) -> None:
    migrate(url)
    store = SqliteStore(url)
    await store.open()
    try:
        other = raw()
        other.execute("BEGIN IMMEDIATE")
        calls = [store.append([query("a")]), store.claim_due(1, now=NOW, lease_ms=LEASE_MS)]
        refused = await asyncio.gather(*calls, return_exceptions=True)
        assert [type(error) for error in refused] == [StoreUnavailable, StoreUnavailable]
        assert await store.count() == 0  # reading goes on
        other.execute("ROLLBACK")
        assert await store.append([query("a")]) == [True]
    finally:
        await store.close()


async def test_a_write_waits_for_the_lock_of_another(store: SqliteStore, raw: Raw) -> None:
    other = raw()
    other.execute("BEGIN IMMEDIATE")
    waiting = asyncio.create_task(store.append([query("a")]))
    assert await store.count() == 0
    assert not waiting.done()
    other.execute("COMMIT")
    assert await waiting == [True]


@pytest.mark.usefixtures("impatient")
def test_a_locked_database_cannot_be_migrated_now(url: str, raw: Raw) -> None:
    raw().execute("BEGIN EXCLUSIVE")
    with pytest.raises(StoreUnavailable):
        migrate(url)


@pytest.fixture
def letter(file: Path) -> bytes:
    """What lies where the database should."""
    content = b"a letter, and no database at all. " * 200
    file.write_bytes(content)
    return content


async def test_a_file_that_is_no_database_is_not_opened_and_left_as_it_is(url: str, file: Path, letter: bytes) -> None:
    store = SqliteStore(url)
    with pytest.raises(StoreUnavailable):
        await store.open()
    await store.close()
    assert await asyncio.to_thread(file.read_bytes) == letter


@pytest.mark.parametrize("path", ["", "missing/aura.db"])
async def test_a_path_that_cannot_be_opened_is_said_without_its_name(tmp_path: Path, path: str) -> None:
    url = f"sqlite:///{tmp_path}/{path}"
    store = SqliteStore(url)
    with pytest.raises(StoreUnavailable) as caught:
        await store.open()
    assert str(tmp_path) not in str(caught.value)
    await store.close()


async def opened_and_written(store: SqliteStore) -> None:
    await store.open()
    await store.append([query("a")])


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write to what is read-only")
@pytest.mark.parametrize("what", ["the file", "the folder"])
async def test_what_may_only_be_read_is_said(url: str, file: Path, what: str) -> None:
    migrate(url)
    locked = file if what == "the file" else file.parent
    before = os.stat(locked).st_mode  # noqa: PTH116 (a moment)
    os.chmod(locked, 0o500)  # noqa: PTH101 (as above)
    store = SqliteStore(url)
    try:
        with pytest.raises(StoreUnavailable):
            await opened_and_written(store)
    finally:
        await store.close()
        os.chmod(locked, before)  # noqa: PTH101 (as above)


async def test_a_disk_that_is_full_is_said_and_nothing_half_is_kept(store: SqliteStore, writer: Writer) -> None:
    def allow(pages: int) -> Callable[[sqlite3.Connection], object]:
        # The pragma stands for the disk's end: SQLite refuses to grow the file, with the same error as a full disk.
        return lambda connection: connection.execute(f"PRAGMA max_page_count = {pages}").fetchone()

    await store.append([query("a")])
    await writer.change(allow(1))
    flood = [query(f"q{n}", query_text="x" * 10_000) for n in range(200)]
    small = asyncio.create_task(store.append([query("b"), *flood]))
    with pytest.raises(StoreUnavailable):
        await small
    assert await store.count() == 1
    await writer.change(allow(1_000_000))
    assert await store.append([query("b")]) == [True]


def spoil_all_but_the_first_page(file: Path) -> None:
    with file.open("r+b") as opened:
        opened.seek(4096)
        opened.write(b"\xa5" * (file.stat().st_size - 4096))


async def test_a_file_that_is_damaged_inside_is_said(url: str, file: Path) -> None:
    migrate(url)
    store = SqliteStore(url)
    await store.open()
    await store.append([query(f"q{n}") for n in range(500)])
    await store.close()
    spoil_all_but_the_first_page(file)
    store = SqliteStore(url)
    with pytest.raises(StoreUnavailable):
        await opened_and_written(store)
    with pytest.raises(StoreUnavailable):
        await store.count()
    await store.close()


async def test_an_unopened_store_says_so() -> None:
    store = SqliteStore("sqlite:///nowhere/at/all.db")
    for call in (store.ping(), store.append([]), store.count()):
        with pytest.raises(StoreUnavailable):
            await call
    await store.close()


async def test_the_thread_ends_with_the_store(url: str) -> None:
    migrate(url)
    store = SqliteStore(url)
    await store.open()
    writer = store._write
    assert writer.is_alive()
    await store.close()
    assert not writer.is_alive()
    await store.close()
