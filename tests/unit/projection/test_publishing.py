"""The hourly sums of the row database: those of a recount, soon, and whatever happens in between."""

import asyncio
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from aura_analytics.errors import StoreUnavailable
from aura_analytics.projection import Projection, follower
from aura_analytics.projection.coverage import HOUR_MS
from aura_analytics.projection.publishing import Publication
from aura_analytics.store import Store
from aura_analytics.store.port import FeedPoint, HourlySums
from contract.making import NOW, outcome, query
from unit.projection.filled import Filled, filled, point
from unit.projection.recount import Change, interaction, row
from unit.projection.running import Projections, RawSql, Stores, phase, until

HOUR = NOW // HOUR_MS
COLUMNS = (
    "total_queries",
    "successful_queries",
    "failed_queries",
    "total_latency_ms",
    "unique_sessions",
    "total_cost_usd",
)
Sums = dict[tuple[str, int], tuple[Any, ...]]

RECOUNT = """
SELECT q.store_id, q.created_at / 3600000 * 3600, count(*), count(*) FILTER (WHERE o.action_success = 1),
    count(*) FILTER (WHERE o.action_success = 0 OR o.error_flag = 1), coalesce(sum(o.latency_ms), 0),
    count(DISTINCT q.session_id), coalesce(sum(o.cost_usd), 0)
FROM voice_queries AS q LEFT JOIN voice_outcomes AS o ON o.query_id = q.id
GROUP BY 1, 2
"""


def sums(file: Path, sql: str) -> Sums:
    with closing(sqlite3.connect(file)) as connection:
        return {line[:2]: line[2:] for line in connection.execute(sql)}


def published(file: Path) -> Sums:
    return sums(file, f"SELECT store_id, hour_bucket, {', '.join(COLUMNS)} FROM voice_stats_hourly")


def recounted(file: Path) -> Sums:
    found = sums(file, RECOUNT)
    return {
        key: (*counts, round(latency), sessions, pytest.approx(cost))
        for key, (*counts, latency, sessions, cost) in found.items()
    }


async def assert_published(file: Path) -> Sums:
    """Wait until the sums are those of a recount."""

    async def right() -> bool:
        return await asyncio.to_thread(published, file) == await asyncio.to_thread(recounted, file)

    await until(right)
    return published(file)


@pytest.fixture(autouse=True)
def busy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Follow at once, and look after cubes and hours all the time."""
    monkeypatch.setattr(follower, "PACE_S", 0.01)
    monkeypatch.setattr(follower, "TEND_S", 0.01)


async def shopped(store: Store, prefix: str, *hours: int) -> None:
    """A few interactions of two stores in each of some hours, some with an outcome."""
    for hour in hours:
        asked = [
            query(f"{prefix}{hour}-{n}", store_id=f"shop{n % 2}", session_id=f"s{n % 3}", created_at=hour * HOUR_MS + n)
            for n in range(6)
        ]
        answered = [
            outcome(one.id, latency_ms=n + 0.25, cost_usd=0.001, action_success=n % 3 == 0, error_flag=n == 5)
            for n, one in enumerate(asked)
            if n > 1
        ]
        await store.append([*asked, *answered])


# While it follows.


async def test_changes_and_late_outcomes_are_written_back(
    store: Store, file: Path, columns: Path, projections: Projections
) -> None:
    await projections.built(store, columns)
    await shopped(store, "a", HOUR, HOUR - 1, HOUR - 800)
    assert len(await assert_published(file)) == 6
    before = published(file)
    await store.append([outcome(f"a{HOUR}-0", latency_ms=9_000, cost_usd=1, error_flag=True), query("b")])
    assert await assert_published(file) != before


async def test_columns_in_memory_write_nothing(store: Store, file: Path, projections: Projections) -> None:
    """They are a command's, which may run beside a server that does."""
    await shopped(store, "a", HOUR)
    projection = await projections.built(store, None)
    looked = asyncio.Event()
    stale = projection._columns.stale

    def looking(generation: int) -> tuple[list[int], list[int]]:
        loop.call_soon_threadsafe(looked.set)
        return stale(generation)

    loop = asyncio.get_running_loop()
    projection._columns.stale = looking  # type: ignore[method-assign]
    for id in ("b", "c"):  # the second look comes after what followed the first
        looked.clear()
        await shopped(store, id, HOUR)
        await looked.wait()
    assert published(file) == {}


async def test_what_was_there_before_the_columns_is_written_when_they_are_built(
    store: Store, file: Path, columns: Path, projections: Projections, raw: RawSql
) -> None:
    await shopped(store, "a", *range(HOUR - 20, HOUR))
    raw("INSERT INTO voice_stats_hourly (store_id, hour_bucket, total_queries) VALUES ('shop0', 0, 17)")
    raw(f"INSERT INTO voice_stats_hourly (store_id, hour_bucket) VALUES ('shop0', {(HOUR - 1) * 3600})")
    await projections.built(store, columns)

    async def right() -> bool:
        return published(file).items() >= recounted(file).items()

    await until(right)
    assert published(file)["shop0", 0][0] == 17  # of a time whose events are gone


async def test_a_restart_writes_what_was_left_and_not_all_of_it_again(
    *, store: Store, file: Path, columns: Path, projections: Projections, monkeypatch: pytest.MonkeyPatch
) -> None:
    projection = await projections.built(store, columns)
    await shopped(store, "a", HOUR, HOUR - 5)
    await assert_published(file)
    saved: list[int] = []
    saving = store.save_hourly

    async def unreachable(_: object) -> None:
        raise StoreUnavailable("not now")

    async def watched(rows: list[HourlySums]) -> None:
        saved.extend(sums.hour_bucket // 3600 for sums in rows)
        await saving(rows)

    monkeypatch.setattr(store, "save_hourly", unreachable)
    await shopped(store, "b", HOUR)
    await projection.caught_up()
    await projections.stop(projection)
    assert published(file) != recounted(file)
    monkeypatch.setattr(store, "save_hourly", watched)
    await projections.built(store, columns)
    await assert_published(file)
    assert set(saved) == {HOUR}


async def test_a_rebuild_mends_what_others_have_changed(
    *, store: Store, file: Path, columns: Path, projections: Projections, raw: RawSql
) -> None:
    projection = await projections.built(store, columns)
    await shopped(store, "a", HOUR, HOUR - 1)
    await assert_published(file)
    raw("UPDATE voice_stats_hourly SET total_queries = 1000")
    raw("UPDATE voice_outcomes SET action_success = 1")
    await projection.rebuild()
    await projection.built()
    assert await phase(projection) == "following"
    await assert_published(file)


async def test_two_servers_agree(stores: Stores, file: Path, tmp_path: Path, projections: Projections) -> None:
    first, second = await stores.open(file), await stores.open(file)
    await projections.built(first, tmp_path / "first.duckdb")
    await projections.built(second, tmp_path / "second.duckdb")
    for n in range(3):
        await shopped(first, f"a{n}", HOUR)
        await shopped(second, f"b{n}", HOUR - 1)
    await assert_published(file)


async def test_columns_that_fall_behind_in_the_middle_are_right_in_the_end(
    store: Store, file: Path, columns: Path, projections: Projections, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Steps of few ids, each of which may come between the sums and the note that they are written."""
    monkeypatch.setattr(follower, "FIRST_STEP", 1)
    monkeypatch.setattr(follower, "APPLY_IDS", 16)
    await projections.built(store, columns)
    for n in range(12):
        await asyncio.gather(shopped(store, f"a{n}", HOUR, HOUR - 1), shopped(store, f"b{n}", *range(HOUR - 9, HOUR)))
    await assert_published(file)


@pytest.mark.parametrize(
    "figures",
    [
        pytest.param([{"latency_ms": 1e300}], id="more than 64 bits"),
        pytest.param([{"latency_ms": 1e308, "cost_usd": 1e308}] * 2, id="infinite sums"),
        pytest.param([{"tokens_prompt": 2**63 - 1, "tokens_completion": 2**63 - 1}] * 2, id="tokens"),
    ],
)
async def test_numbers_that_nobody_expects_stop_nothing(
    *, store: Store, file: Path, columns: Path, projections: Projections, figures: list[dict[str, Any]]
) -> None:
    projection = await projections.built(store, columns)
    events = [(query(f"q{n}"), outcome(f"q{n}", **fields)) for n, fields in enumerate(figures)]
    await store.append([event for both in events for event in both])

    async def there() -> bool:
        return bool(published(file).get(("shop", HOUR * 3600), (0,))[0] == len(figures))

    await until(there)
    await store.append([query("other", created_at=0)])

    async def others_too() -> bool:
        return ("shop", 0) in published(file)

    await until(others_too)
    assert all(not task.done() for task in projection._tasks)


# When it ends between the two.


@pytest.fixture
def held(columns: Path) -> Iterator[Filled]:
    with filled(columns, rows=[interaction("a", session_id="s"), interaction("b", created_at=HOUR_MS)]) as made:
        yield made


def due(columns: Filled) -> Publication:
    return columns.file.publication(columns.file.generation)


def note(columns: Filled, publication: Publication) -> None:
    columns.file.published(columns.file.generation, publication)


async def test_a_crash_after_the_sums_were_saved_writes_them_again(store: Store, file: Path, held: Filled) -> None:
    first = due(held)
    assert first.hours == [0, 1]
    await store.save_hourly(first.sums)
    before = published(file)
    assert before == {("a", 0): (1, 0, 0, 0, 1, 0.0), ("a", 3600): (1, 0, 0, 0, 0, 0.0)}
    held.file.close()
    assert held.file.open()
    again = due(held)
    assert again == first
    await store.save_hourly(again.sums)
    note(held, again)
    assert due(held).hours == []
    assert published(file) == before
    held.file.close()
    assert held.file.open()
    assert due(held).hours == []


Interrupt = Callable[[Filled], object]


@pytest.mark.parametrize(
    "interrupt",
    [
        pytest.param(lambda held: held.apply(Change([interaction("c")])), id="a change"),
        pytest.param(lambda held: held.apply(Change([], ["a"])), id="one that is gone"),
        pytest.param(
            lambda held: held.file.apply(["c"], [row(interaction("c"))], point(held.position)),
            id="the first of two steps",
        ),
    ],
)
def test_what_changes_between_the_sums_and_the_note_stays_due(held: Filled, interrupt: Interrupt) -> None:
    publication = due(held)
    interrupt(held)
    note(held, publication)
    assert due(held).hours == [0]
    note(held, due(held))
    assert due(held).hours == []


def test_only_what_was_added_up_is_noted_where_it_is_too_much_for_once() -> None:
    rows = [interaction(f"q{n}", created_at=n * HOUR_MS) for n in range(1_010)]
    with filled(rows=rows) as columns:
        first = due(columns)
        assert first.hours == list(range(1_000))
        assert len(first.sums) == 1_000
        note(columns, first)
        assert due(columns).hours == list(range(1_000, 1_010))


def by_hour(columns: Filled) -> list[HourlySums]:
    return sorted(due(columns).sums, key=lambda sums: sums.hour_bucket)


def test_settled_or_not_the_sums_are_the_same(held: Filled) -> None:
    before = by_hour(held)
    held.settle_all()
    assert by_hour(held) == before
    held.apply(Change([interaction("c", session_id="s", created_at=5, has_outcome=True, error_flag=True)]))
    [first, second] = by_hour(held)
    assert (first.total_queries, first.failed_queries, first.unique_sessions) == (2, 1, 1)
    assert second.total_queries == 1


def test_moments_that_no_clock_shows_are_not_written(held: Filled) -> None:
    held.apply(Change([interaction("past", created_at=-1), interaction("far", created_at=2**61)]))
    publication = due(held)
    assert publication.hours == [0, 1]
    note(held, publication)
    assert due(held).hours == []


async def test_a_note_that_cannot_be_made_is_made_later(
    *, store: Store, file: Path, columns: Path, projections: Projections, monkeypatch: pytest.MonkeyPatch
) -> None:
    projection: Projection = await projections.built(store, columns)
    noting = projection._columns.published
    failed = 0

    def fails_at_first(generation: int, publication: Publication) -> None:
        nonlocal failed
        if failed < 2:
            failed += 1
            raise StoreUnavailable("not now")
        noting(generation, publication)

    monkeypatch.setattr(projection._columns, "published", fails_at_first)
    await shopped(store, "a", HOUR)

    async def noted() -> bool:
        return failed == 2 and not await asyncio.to_thread(lambda: due_of(projection).hours)

    await until(noted)
    await assert_published(file)
    assert await store.knows(FeedPoint(position=0, moment=0))


def due_of(projection: Projection) -> Publication:
    return projection._columns.publication(projection._columns.generation)
