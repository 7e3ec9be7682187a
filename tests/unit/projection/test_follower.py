"""Following: answers hold all that was acknowledged before; whatever happens to the file, the copy ends up equal."""

import asyncio
import random
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import closing
from itertools import count
from pathlib import Path
from typing import Any

import duckdb
import pytest

from aura_analytics.errors import ProjectionOwned, ProjectionUnavailable, StoreUnavailable
from aura_analytics.events.records import Event
from aura_analytics.projection import Projection, Question, follower, rebuild
from aura_analytics.projection.columns import ColumnFile
from aura_analytics.projection.coverage import DAY_MS
from aura_analytics.store import Store
from aura_analytics.store.port import Changes, FeedPoint, Part, Surroundings, WideRow
from contract.making import LATER, LEASE_MS, NOW, conversion, outcome, query, verdicts
from unit.projection.running import (
    Projections,
    RawSql,
    Rebuilds,
    Stores,
    asking,
    assert_equal,
    phase,
    position,
    spoil,
    until,
)

COUNT_SQL = "SELECT count(*) FROM interactions"
COUNT = asking(COUNT_SQL)
# What is kept beside the rows, of the interactions below.
KEPT = Question(
    sql="SELECT (SELECT sum(queries) FROM {cells})::BIGINT, (SELECT sum(queries) FROM {texts})::BIGINT,"
    " (SELECT count(*) FROM sessions), (SELECT count(*) FROM attributions)",
    measures=("queries",),
)


def interactions(count: int, prefix: str = "q") -> list[Event]:
    """Queries, two thirds of them with an outcome."""
    asked: list[Event] = [query(f"{prefix}{n}", created_at=NOW - n, query_text=f"text {n}") for n in range(count)]
    return asked + [
        outcome(f"{prefix}{n}", latency_ms=n + 0.5, action_success=n % 2 == 0) for n in range(count) if n % 3
    ]


async def label_all(store: Store, limit: int = 10_000) -> None:
    claims = await store.claim_due(limit, now=LATER, lease_ms=LEASE_MS)
    await store.settle(verdicts(claims))


async def counted(projection: Projection) -> int:
    [(count,)] = await projection.ask(COUNT)
    return int(count)


def followers(file: Path) -> list[str]:
    with closing(sqlite3.connect(file)) as connection:
        return [name for (name,) in connection.execute("SELECT name FROM change_followers")]


# Following.


@pytest.mark.parametrize("kept", [True, False])
async def test_it_follows_appends_outcomes_and_verdicts(
    store: Store, columns: Path, projections: Projections, kept: bool
) -> None:
    projection = await projections.built(store, columns if kept else None)
    assert await assert_equal(store, projection) == 0
    await store.append([query("a"), query("b"), query("c")])
    assert await assert_equal(store, projection) == 3
    await store.append([outcome("b", answer_text="aisle 3 🍎", tool_calls=["x"]), outcome("orphan")])
    assert await assert_equal(store, projection) == 3
    await label_all(store)
    assert await assert_equal(store, projection) == 3
    await store.append([query("orphan"), outcome("c")])
    await label_all(store)
    assert await assert_equal(store, projection) == 4
    assert await projection.ask(asking("SELECT count(*) FROM interactions WHERE label = 'GOOD'")) == [(4,)]


async def test_an_answer_holds_all_that_was_acknowledged_before_the_question(
    store: Store, projections: Projections
) -> None:
    projection = await projections.built(store, None)
    for n in range(1, 31):
        await store.append([query(f"q{n}")])
        assert await counted(projection) == n
        await store.append([outcome(f"q{n}")])
        assert await projection.ask(asking(f"{COUNT_SQL} WHERE has_outcome")) == [(n,)]


async def test_an_answer_holds_what_another_server_acknowledged(
    stores: Stores, file: Path, store: Store, projections: Projections
) -> None:
    projection = await projections.built(store, None)
    other = await stores.open(file)
    for n in range(1, 6):
        await other.append([query(f"q{n}")])
        assert await counted(projection) == n


async def test_what_another_server_wrote_is_found_without_a_question(
    stores: Stores, file: Path, store: Store, projections: Projections
) -> None:
    projection = await projections.built(store, None)
    other = await stores.open(file)
    await other.append([query("a")])
    head = await other.feed_head()

    async def there() -> bool:
        return await position(projection) == head.position

    await until(there)


async def test_questions_and_appends_at_once_never_miss_anything(store: Store, projections: Projections) -> None:
    projection = await projections.built(store, None)
    acknowledged = 0

    async def write(writer: int) -> None:
        nonlocal acknowledged
        for n in range(15):
            await store.append([query(f"{writer}-{n}"), outcome(f"{writer}-{n}")])
            acknowledged += 1

    async def read() -> None:
        while acknowledged < 45:
            before = acknowledged
            assert await counted(projection) >= before

    await asyncio.gather(*map(write, range(3)), read(), read())
    assert await counted(projection) == 45


async def test_more_than_one_transaction_of_the_columns_is_caught_up_with(
    store: Store, projections: Projections, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follower, "APPLY_IDS", 50)
    monkeypatch.setattr(rebuild, "FILL_ROWS", 70)
    await store.append(interactions(500, "old"))
    projection = await projections.built(store, None)
    for part in range(10):
        await store.append(interactions(40, f"{part}-"))
    assert await assert_equal(store, projection) == 900


@pytest.mark.parametrize("seed", range(3))
async def test_any_sequence_of_changes_ends_up_equal(
    store: Store, columns: Path, projections: Projections, seed: int
) -> None:
    """Moments far apart, ids that change often, restarts in between."""
    chance = random.Random(seed)
    projection = await projections.built(store, columns)
    for _ in range(40):
        ids = [f"q{chance.randrange(60)}" for _ in range(chance.randrange(1, 12))]
        moments = [NOW - chance.choice([0, 1, 10**6, 10**10]) for _ in ids]
        await store.append(
            [
                query(id, created_at=moment) if chance.random() < 0.5 else outcome(id, latency_ms=chance.random())
                for id, moment in zip(ids, moments, strict=True)
            ]
        )
        if chance.random() < 0.3:
            await label_all(store, chance.randrange(1, 20))
        if chance.random() < 0.2:
            await assert_equal(store, projection)
        if chance.random() < 0.05:
            await projections.stop(projection)
            projection = await projections.start(store, columns)
    await assert_equal(store, projection)


# What is kept beside the rows at once.
BESIDE = [
    "SELECT session_id, store_id, stores, first_at, last_at, turns, successes, failures, missed_at, open_at FROM sessions",
    "SELECT conversion_id, query_id, query_at, store_id, session_id, query_text, value FROM attributions",
    "SELECT query_id, query_at, store_id FROM converted",
    "SELECT query_text, folded FROM foldings",
]


@pytest.mark.parametrize("seed", range(2))
async def test_what_is_kept_beside_the_rows_is_what_a_rebuild_makes_of_them(
    *, store: Store, columns: Path, projections: Projections, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    """Sessions over days, conversions before and after what they name, small steps, restarts in between."""
    monkeypatch.setattr(follower, "FIRST_STEP", 2)
    chance = random.Random(seed)
    projection = await projections.built(store, columns)
    for change in range(30):
        events: list[Event] = []
        for _ in range(chance.randrange(1, 6)):
            moment = NOW - chance.choice([0, 1, 5, 10**6, 3 * 10**8])
            session = chance.choice([None, "s", "t", f"s{change // 5}"])
            id, shop = f"q{chance.randrange(40)}", chance.choice(["a", "b"])
            asked = query(id, store_id=shop, session_id=session, created_at=moment, query_text=chance.choice("äbü"))
            answered = outcome(id, action_success=chance.random() < 0.7, error_flag=chance.random() < 0.2)
            bought = conversion(f"c{change}", query_id=chance.choice([None, id]), session_id="s", occurred_at=moment)
            events += chance.sample([asked, asked, answered, bought], k=2)
        await store.append(events)
        if chance.random() < 0.2:
            await label_all(store, 5)
        if chance.random() < 0.3:
            await projection.caught_up()
        if chance.random() < 0.07:
            await projections.stop(projection)
            projection = await projections.start(store, columns)
    await assert_equal(store, projection)
    rebuilt = await projections.built(store, None)
    for sql in BESIDE:
        found = await projection.ask(asking(sql))
        assert found
        assert sorted(found, key=repr) == sorted(await rebuilt.ask(asking(sql)), key=repr)


# Going on after a restart.


async def test_a_restart_goes_on_from_its_point_without_a_rebuild(
    store: Store, columns: Path, projections: Projections, rebuilds: Rebuilds
) -> None:
    await store.append(interactions(50))
    await projections.stop(await projections.built(store, columns))
    assert rebuilds.begun == 1
    await store.append(interactions(20, "later"))
    await label_all(store, 10)
    projection = await projections.built(store, columns)
    assert await counted(projection) == 70
    assert rebuilds.begun == 1
    assert await assert_equal(store, projection) == 70


async def test_a_restart_on_a_database_without_any_change_yet_needs_no_rebuild(
    store: Store, columns: Path, projections: Projections, rebuilds: Rebuilds
) -> None:
    await projections.stop(await projections.built(store, columns))
    await store.append([query("a")])
    assert await counted(await projections.built(store, columns)) == 1
    assert rebuilds.begun == 1


async def test_a_kept_copy_is_waited_for_and_one_in_memory_is_not(
    store: Store, file: Path, columns: Path, projections: Projections
) -> None:
    in_memory = await projections.built(store, None)
    kept = await projections.built(store, columns)
    await store.append([query("a")])
    assert len(followers(file)) == 2
    await projections.stop(in_memory)
    await projections.stop(kept)
    assert len(followers(file)) == 1


async def test_two_copies_of_one_database_are_both_right(
    store: Store, tmp_path: Path, projections: Projections, rebuilds: Rebuilds
) -> None:
    first = await projections.built(store, tmp_path / "first.duckdb")
    second = await projections.built(store, tmp_path / "second.duckdb")
    await store.append(interactions(10))
    assert await counted(first) == await counted(second) == 10
    await projections.stop(second)
    await store.append(interactions(10, "more"))
    await projections.stop(first)
    taken = rebuilds.begun
    second = await projections.built(store, tmp_path / "second.duckdb")
    assert rebuilds.begun == taken
    assert await assert_equal(store, second) == 20


# Whatever became of the file.


async def no_parts() -> list[Part]:
    """Nothing that can be streamed, so that all of it goes row by row."""
    return []


@pytest.fixture
async def copied(store: Store, columns: Path, projections: Projections, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file of a whole copy of 2,000 interactions, which nobody has open."""
    await store.append(interactions(2_000))
    with monkeypatch.context() as patched:
        patched.setattr(store, "parts", no_parts)
        await projections.stop(await projections.built(store, columns))
    return columns


async def assert_rebuilt(store: Store, columns: Path, projections: Projections, rebuilds: Rebuilds) -> None:
    """Start on what is there: the copy is built anew, is equal, follows, and goes on after a restart."""
    taken = rebuilds.begun
    projection = await projections.built(store, columns)
    assert rebuilds.begun == taken + 1
    await assert_equal(store, projection)
    await store.append([query("after")])
    await assert_equal(store, projection)
    await projections.stop(projection)
    taken = rebuilds.begun
    projection = await projections.built(store, columns)
    assert rebuilds.begun == taken
    await assert_equal(store, projection)
    await projections.stop(projection)


def truncate(file: Path, left: float) -> None:
    """Leave so many bytes; less than one is a share of all, less than none is that much taken from the end."""
    data = file.read_bytes()
    file.write_bytes(data[: round(len(data) * left) if 0 < left < 1 else int(left)])


def write_rubbish(file: Path) -> None:
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(random.Random(1).randbytes(50_000))


def scribble(file: Path, tenth: int) -> None:
    """Write rubbish over two blocks' worth of a file."""
    with file.open("r+b") as opened:
        opened.seek(file.stat().st_size * tenth // 10)
        opened.write(random.Random(1).randbytes(8_192))


async def test_a_lost_file_is_rebuilt(store: Store, copied: Path, projections: Projections, rebuilds: Rebuilds) -> None:
    await asyncio.to_thread(copied.unlink)
    await assert_rebuilt(store, copied, projections, rebuilds)


@pytest.mark.parametrize("left", [0, 1, 4_096, 12_288, 0.3])
async def test_a_truncated_file_is_rebuilt(
    store: Store,
    copied: Path,
    projections: Projections,
    rebuilds: Rebuilds,
    left: float,
) -> None:
    truncate(copied, left)
    await assert_rebuilt(store, copied, projections, rebuilds)


@pytest.mark.parametrize("name", ["aura.columns.duckdb", "locks/blocked.duckdb"])
async def test_a_file_of_rubbish_is_rebuilt_wherever_it_lies(
    store: Store, copied: Path, projections: Projections, rebuilds: Rebuilds, name: str
) -> None:
    rubbish = copied.parent / name
    write_rubbish(rubbish)
    await assert_rebuilt(store, rubbish, projections, rebuilds)


@pytest.mark.parametrize("tenth", range(10))
async def test_a_file_with_rubbish_inside_is_rebuilt_or_whole(
    store: Store, copied: Path, projections: Projections, tenth: int
) -> None:
    scribble(copied, tenth)
    await assert_whole(store, copied, projections)


@pytest.mark.parametrize("left", [0.5, 0.7, 0.9, -1])
async def test_a_file_that_lost_its_end_is_rebuilt_or_whole(
    store: Store, copied: Path, projections: Projections, left: float
) -> None:
    """Its last blocks may be free ones."""
    truncate(copied, left)
    await assert_whole(store, copied, projections)


async def assert_whole(store: Store, copied: Path, projections: Projections) -> None:
    """Start on what is there: every cell is right, or the copy is being rebuilt and right after that; cubes as well."""
    projection = await projections.built(store, copied)
    async with asyncio.timeout(30):
        while True:
            try:
                assert await assert_equal(store, projection) == 2_000
                assert await projection.ask(KEPT) == [(2_000, 2_000, 0, 0)]
                break
            except ProjectionUnavailable:  # the damage showed only now
                await projection.built()


async def test_a_file_with_a_broken_log_is_rebuilt_or_whole(
    store: Store, copied: Path, projections: Projections
) -> None:
    write_rubbish(copied.with_name(copied.name + ".wal"))
    projection = await projections.built(store, copied)
    assert await assert_equal(store, projection) == 2_000


async def test_the_copy_of_another_database_is_rebuilt(
    *,
    stores: Stores,
    store: Store,
    copied: Path,
    tmp_path: Path,
    projections: Projections,
    rebuilds: Rebuilds,
) -> None:
    other = await stores.open(tmp_path / "other.db")
    await other.append(interactions(2_000, "other"))
    foreign = tmp_path / "other.duckdb"
    await projections.stop(await projections.built(other, foreign))
    shutil.copy(foreign, copied)
    await assert_rebuilt(store, copied, projections, rebuilds)


async def test_the_copy_of_another_database_whose_feed_stands_at_the_same_point_is_rebuilt(
    *, stores: Stores, store: Store, raw: RawSql, tmp_path: Path, projections: Projections, rebuilds: Rebuilds
) -> None:
    """As of databases that others have filled: their feeds are empty, and only the databases' identities differ."""
    foreign = tmp_path / "other.duckdb"
    await projections.stop(await projections.built(await stores.open(tmp_path / "other.db"), foreign))
    raw("INSERT INTO voice_queries (id, store_id, created_at, query_text) VALUES ('a', 's', 1, 't')")
    projection = await projections.built(store, foreign)
    assert await assert_equal(store, projection) == 1
    assert rebuilds.begun == 1


@pytest.mark.parametrize("appended_since", [0, 1, 5])
async def test_an_older_copy_of_the_database_put_back_is_noticed(
    stores: Stores,
    tmp_path: Path,
    columns: Path,
    projections: Projections,
    appended_since: int,
) -> None:
    live, backup = tmp_path / "live.db", tmp_path / "backup.db"
    store = await stores.open(live)
    await store.append(interactions(30))
    await stores.close(store)
    shutil.copy(live, backup)
    store = await stores.open(live)
    for n in range(3):
        await store.append([query(f"lost{n}"), outcome(f"q{n * 3}")])
    await projections.stop(await projections.built(store, columns))
    await stores.close(store)

    shutil.copy(backup, live)
    store = await stores.open(live)
    for n in range(appended_since):
        await store.append([query(f"other{n}")])
    projection = await projections.built(store, columns)
    assert await assert_equal(store, projection) == 30 + appended_since


async def test_a_copy_put_back_while_changes_were_half_taken_is_noticed(
    stores: Stores, tmp_path: Path, columns: Path, projections: Projections, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is half taken moves no point, and the point before it is one that the copy knows."""
    live, backup = tmp_path / "live.db", tmp_path / "backup.db"
    store = await stores.open(live)
    await store.append(interactions(30))
    await projections.stop(await projections.built(store, columns))
    await stores.close(store)
    shutil.copy(live, backup)

    store = await stores.open(live)
    projection = await projections.built(store, columns)
    surroundings, steps, halted = store.surroundings, count(1), asyncio.Event()

    async def halting(*asked: Sequence[str]) -> Surroundings:
        if next(steps) == 2:
            halted.set()
            await asyncio.Event().wait()
        return await surroundings(*asked)

    monkeypatch.setattr(store, "surroundings", halting)
    await store.append([query(f"lost{n}") for n in range(2_000)])
    await asyncio.wait_for(halted.wait(), 10)
    await projections.stop(projection)
    await stores.close(store)

    shutil.copy(backup, live)
    store = await stores.open(live)
    assert await assert_equal(store, await projections.built(store, columns)) == 30


async def test_a_copy_that_stood_still_for_too_long_is_rebuilt(
    *,
    store: Store,
    file: Path,
    copied: Path,
    tmp_path: Path,
    projections: Projections,
    rebuilds: Rebuilds,
) -> None:
    [name] = followers(file)
    await store.forget_follower(name)
    for n in range(3):
        await store.append([query(f"later{n}")])
    await projections.stop(await projections.built(store, tmp_path / "other.duckdb"))
    assert await store.changes(FeedPoint(position=0, moment=0), 10) != Changes(
        query_ids=[], upto=FeedPoint(position=0, moment=0)
    )
    await assert_rebuilt(store, copied, projections, rebuilds)


async def test_a_copy_that_never_became_whole_is_rebuilt(
    store: Store, columns: Path, projections: Projections, rebuilds: Rebuilds
) -> None:
    """As a process leaves it that was killed in the middle of a rebuild."""
    await store.append(interactions(100))
    half = ColumnFile(columns, memory_mb=256, threads=1, attribution_ms=DAY_MS)
    half.open()
    half.begin(await store.identity(), "killed", await store.feed_head())
    half.fill(await store.wide_rows([f"q{n}" for n in range(40)]))
    half.close()
    await assert_rebuilt(store, columns, projections, rebuilds)


async def test_a_stop_in_the_middle_of_a_rebuild_leaves_nothing_that_is_trusted(
    store: Store,
    columns: Path,
    projections: Projections,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    await store.append(interactions(100))
    snapshot = store.snapshot
    begun = asyncio.Event()

    async def stuck(_: int, part: Part | None = None) -> AsyncIterator[list[WideRow]]:
        async for batch in snapshot(10, part):
            yield batch
            begun.set()
            await asyncio.Event().wait()

    with monkeypatch.context() as patched:
        patched.setattr(store, "snapshot", stuck)
        patched.setattr(store, "parts", no_parts)
        projection = await projections.start(store, columns)
        await begun.wait()
        await projections.stop(projection)
    projection = await projections.built(store, columns)
    assert await assert_equal(store, projection) == 100


# Rebuilding on demand.


async def test_a_rebuild_mends_what_is_wrong(store: Store, columns: Path, projections: Projections) -> None:
    await store.append(interactions(30))
    projection = await projections.built(store, columns)
    spoil(projection, "DELETE FROM interactions WHERE id = 'q7'")
    assert await counted(projection) == 29
    await projection.rebuild()
    await projection.built()
    assert await assert_equal(store, projection) == 30


async def test_a_rebuild_while_appends_go_on_ends_up_equal(
    store: Store,
    columns: Path,
    projections: Projections,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(rebuild, "FILL_ROWS", 20)
    await store.append(interactions(400))
    projection = await projections.built(store, columns)
    await projection.rebuild()
    while await phase(projection) == "rebuilding":
        n = (await store.feed_head()).position
        await store.append([query(f"during{n}"), outcome(f"during{n}"), outcome(f"q{n % 100 * 3}", latency_ms=n)])
        await label_all(store, 3)
    assert await assert_equal(store, projection) > 400


async def test_a_rebuild_asked_for_right_after_the_start_is_done(
    store: Store, copied: Path, projections: Projections, rebuilds: Rebuilds
) -> None:
    taken = rebuilds.begun
    projection = await projections.start(store, copied)
    await projection.rebuild()
    await projection.built()
    assert await counted(projection) == 2_000
    assert rebuilds.begun == taken + 1


async def test_a_rebuild_asked_for_while_changes_come_in_is_done(
    store: Store, projections: Projections, rebuilds: Rebuilds
) -> None:
    projection = await projections.built(store, None)
    taken = rebuilds.begun
    before = await position(projection)

    async def moved() -> bool:
        return await position(projection) > before

    async with projection._moved:  # readers are just being told of an earlier move
        await store.append([query("a")])
        await until(moved)
        await projection.rebuild()
    await projection.built()
    assert await counted(projection) == 1
    assert rebuilds.begun == taken + 1


async def test_readers_during_a_rebuild_get_whole_answers_or_none(
    store: Store, projections: Projections, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rebuild, "FILL_ROWS", 20)
    monkeypatch.setattr(follower, "REBUILD_PATIENCE_S", 0.001)
    await store.append(interactions(600))
    projection = await projections.built(store, None)
    await projection.rebuild()
    refused = 0
    while await phase(projection) == "rebuilding":
        try:
            assert await counted(projection) == 600
        except ProjectionUnavailable:
            refused += 1
    assert refused
    assert await counted(projection) == 600


# Waiting.


async def test_a_reader_of_a_long_rebuild_is_told_to_come_back(
    store: Store, projections: Projections, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follower, "REBUILD_PATIENCE_S", 0.02)
    await store.append(interactions(30))
    snapshot = store.snapshot
    go_on = asyncio.Event()

    async def slow(batch: int, part: Part | None = None) -> AsyncIterator[list[WideRow]]:
        await go_on.wait()
        async for rows in snapshot(batch, part):
            yield rows

    monkeypatch.setattr(store, "snapshot", slow)
    projection = await projections.start(store, None)
    with pytest.raises(ProjectionUnavailable, match="rebuilt") as caught:
        await projection.ask(COUNT)
    assert caught.value.retry_after_s >= 1
    with pytest.raises(ProjectionUnavailable):
        await projection.ask_now(COUNT)
    go_on.set()
    await projection.built()
    assert await counted(projection) == 30


async def test_a_reader_of_columns_that_do_not_keep_up_is_told_so(
    store: Store, projections: Projections, monkeypatch: pytest.MonkeyPatch
) -> None:
    projection = await projections.built(store, None)
    monkeypatch.setattr(follower, "PATIENCE_S", 0.02)
    changes = store.changes
    go_on = asyncio.Event()

    async def slow(after: FeedPoint, limit: int) -> Changes:
        await go_on.wait()
        return await changes(after, limit)

    monkeypatch.setattr(store, "changes", slow)
    await store.append([query("a")])
    with pytest.raises(ProjectionUnavailable, match="keep up"):
        await projection.ask(COUNT)
    # Whoever can do with columns that were whole a moment ago has an answer all the same.
    assert await projection.ask(COUNT, staleness_ms=600_000) == [(0,)]
    go_on.set()
    monkeypatch.setattr(follower, "PATIENCE_S", 30)
    assert await counted(projection) == 1


async def test_progress_is_told_until_the_end(
    store: Store, projections: Projections, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rebuild, "FILL_ROWS", 10)
    await store.append(interactions(50))
    projection = await projections.start(store, None)
    told: list[float] = []
    await projection.built(told.append)
    assert told == sorted(told)
    assert all(0 <= share <= 1 for share in told)
    status = await projection.status()
    assert (status.phase, status.progress) == ("following", 1)


async def test_a_stopped_projection_answers_no_more(
    store: Store, projections: Projections, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follower, "REBUILD_PATIENCE_S", 0.02)
    projection = await projections.built(store, None)
    await projections.stop(projection)
    assert await phase(projection) == "stopped"
    with pytest.raises(ProjectionUnavailable):
        await projection.ask(COUNT)


# What else can go wrong.


@pytest.mark.parametrize("method", ["changes", "wide_rows", "acknowledge"])
async def test_a_database_out_of_reach_for_a_moment_costs_no_rebuild(
    *,
    store: Store,
    columns: Path,
    projections: Projections,
    rebuilds: Rebuilds,
    monkeypatch: pytest.MonkeyPatch,
    method: str,
) -> None:
    """As when another process holds the lock of the file for too long."""
    monkeypatch.setattr(follower, "ACKNOWLEDGE_S", 0)
    projection = await projections.built(store, columns)
    taken = rebuilds.begun
    works = getattr(store, method)
    failed = asyncio.Event()

    async def fails_once(*_: Any, **__: Any) -> Any:
        monkeypatch.setattr(store, method, works)
        failed.set()
        raise StoreUnavailable("not now")

    monkeypatch.setattr(store, method, fails_once)
    await store.append([query("a")])
    await failed.wait()
    await store.append([query("b")])
    await projection.built()
    assert await counted(projection) == 2
    assert rebuilds.begun == taken


async def test_a_database_out_of_reach_at_the_start_is_waited_for(
    store: Store, copied: Path, projections: Projections, monkeypatch: pytest.MonkeyPatch
) -> None:
    works = store.identity
    failed = asyncio.Event()

    async def fails_once() -> str:
        monkeypatch.setattr(store, "identity", works)
        failed.set()
        raise StoreUnavailable("not now")

    monkeypatch.setattr(store, "identity", fails_once)
    projection = await projections.start(store, copied)
    await failed.wait()
    await projection.built()
    assert await assert_equal(store, projection) == 2_000


@pytest.mark.parametrize(
    "damage",
    [
        duckdb.IOException("Could not read from file"),
        duckdb.FatalException("the database has been invalidated"),
        duckdb.Error("Corrupt database file: computed checksum 1 does not match stored checksum 2 in block"),
    ],
)
async def test_damage_that_a_question_runs_into_is_repaired(
    store: Store, projections: Projections, monkeypatch: pytest.MonkeyPatch, damage: Exception
) -> None:
    """The error is made up: which block of a file a question really reads from the disk can't be chosen."""
    await store.append(interactions(30))
    projection = await projections.built(store, None)

    def broken(*_: object) -> list[tuple[Any, ...]]:
        raise damage

    with monkeypatch.context() as patched:
        patched.setattr(projection._columns, "ask", broken)
        with pytest.raises(ProjectionUnavailable):
            await projection.ask(COUNT)
    await projection.built()
    assert await assert_equal(store, projection) == 30


async def test_a_question_that_is_wrong_is_no_damage(
    store: Store, projections: Projections, rebuilds: Rebuilds
) -> None:
    projection = await projections.built(store, None)
    taken = rebuilds.begun
    with pytest.raises(duckdb.ProgrammingError):
        await projection.ask(asking("SELECT nothing FROM nowhere"))
    assert await counted(projection) == 0
    assert rebuilds.begun == taken


HOLD = """
import sys
import duckdb
connection = duckdb.connect(sys.argv[1])
print("held", flush=True)
sys.stdin.readline()
"""


@pytest.fixture
def held_elsewhere(copied: Path) -> Iterator[Callable[[], None]]:
    """Another process has the file open, until this is called or the test ends."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(copied)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout
        assert holder.stdout.readline() == "held\n"

        def end() -> None:
            holder.kill()
            holder.wait()

        yield end
        end()


async def test_a_file_that_another_process_follows_into_is_not_taken_before_that_one_is_gone(
    store: Store,
    copied: Path,
    projections: Projections,
    rebuilds: Rebuilds,
    held_elsewhere: Callable[[], None],
) -> None:
    refused = Projection(store, copied, memory_mb=256, threads=1)
    with pytest.raises(ProjectionOwned):
        await refused.start()
    await refused.stop()
    await asyncio.to_thread(held_elsewhere)
    projection = await projections.built(store, copied)
    assert await assert_equal(store, projection) == 2_000
    assert rebuilds.begun == 0  # the refusal left the file as it was


# Cells that are no value of their column.


@pytest.mark.parametrize("when", ["before the copy", "while it follows"])
@pytest.mark.parametrize(
    ("table", "key", "column", "cell", "becomes"),
    [
        ("voice_outcomes", "query_id", "latency_ms", "'abc'", None),
        ("voice_outcomes", "query_id", "tokens_prompt", "1e300", None),
        ("voice_outcomes", "query_id", "cost_usd", "x'ff00'", None),
        ("voice_queries", "id", "created_at", "'2025-10-09T08:53:20Z'", None),
        ("voice_queries", "id", "intent", "x'414243'", ...),
        ("voice_queries", "id", "user_id", "CAST(x'ff41' AS TEXT)", ...),
    ],
)
async def test_a_cell_of_the_wrong_type_does_not_stop_the_feed(
    *,
    store: Store,
    raw: RawSql,
    projections: Projections,
    rebuilds: Rebuilds,
    when: str,
    table: str,
    key: str,
    column: str,
    cell: str,
    becomes: object,
) -> None:
    await store.append([query("a"), outcome("a", latency_ms=1), query("b"), outcome("b", latency_ms=2)])
    change = f"UPDATE {table} SET {column} = {cell} WHERE {key} = 'a'"
    if when == "before the copy":
        raw(change)
    projection = await projections.built(store, None)
    if when != "before the copy":
        raw(change)
    taken = rebuilds.begun
    for round_number in range(2):  # the spoilt row changes, is labelled, and others come
        await label_all(store)
        await store.append([query(f"c{round_number}")])
        found = await projection.ask(asking(f"SELECT id, {column} FROM interactions ORDER BY id"))
        assert [id for id, _ in found] == ["a", "b", *(f"c{n}" for n in range(round_number + 1))]
        assert becomes is ... or found[0][1] == becomes
    assert await projection.ask(asking(f"{COUNT_SQL} WHERE label = 'GOOD'")) == [(3,)]
    assert rebuilds.begun == taken
