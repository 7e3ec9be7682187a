"""After somebody was erased, nothing of it is left in the columns, their file, or the sums that are written back."""

import asyncio
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from aura_analytics.privacy.persons import Persons
from aura_analytics.projection import Projection
from aura_analytics.projection.coverage import HOUR_MS
from aura_analytics.store import Store
from contract.making import NOW, conversion, outcome, query
from unit.projection.running import AT_MOST_S, Projections, Stores, asking

SECRET = "xyzzy"
HOUR = NOW // HOUR_MS * HOUR_MS
MINE = [
    query("a", user_id="ann", session_id="s", created_at=HOUR, query_text=f"häh {SECRET}"),
    query("b", session_id="s", created_at=HOUR + 1, query_text=f"and {SECRET}"),
    outcome("a", answer_text=f"the {SECRET}", error_message=f"no {SECRET}", action_success=True),
    conversion("k", query_id="a", order_id=f"order {SECRET}"),
    conversion("l", query_id=None, session_id="s", order_id=f"other {SECRET}"),
]
OTHERS = [
    query("x", user_id="bob", session_id="t", created_at=HOUR + HOUR_MS),
    outcome("x", action_success=True),
    conversion("m", query_id="x"),
]
LEFT = asking(
    "SELECT (SELECT count(*) FROM interactions), (SELECT count(*) FROM conversions), (SELECT count(*) FROM attributions),"
    " (SELECT count(*) FROM converted), (SELECT count(*) FROM sessions), (SELECT count(*) FROM foldings)"
)


@pytest.fixture(autouse=True)
def _in_no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aura_analytics.projection.follower.TEND_S", 0.02)


@pytest.fixture
async def projection(store: Store, projections: Projections, columns: Path) -> Projection:
    await store.append([*MINE, *OTHERS])
    return await projections.built(store, columns)


def published(file: Path) -> list[tuple[int, int]]:
    with closing(sqlite3.connect(file)) as connection:
        return connection.execute("SELECT hour_bucket, total_queries FROM voice_stats_hourly ORDER BY 1").fetchall()


async def until_published(file: Path, wanted: list[tuple[int, int]]) -> None:
    async with asyncio.timeout(AT_MOST_S):
        while published(file) != wanted:  # noqa: ASYNC110 (another task's doing, which announces nothing)
            await asyncio.sleep(0.02)


def number_of(path: Path) -> int:
    """Tell a file from the one that took its place."""
    return path.stat().st_ino


def holding(folder: Path) -> Iterator[str]:
    """Name the files that hold the secret."""
    for path in folder.iterdir():
        if SECRET.encode() in path.read_bytes():
            yield path.name


async def test_no_byte_of_it_is_left_in_any_file(
    store: Store, projections: Projections, projection: Projection, stores: Stores, tmp_path: Path
) -> None:
    await projection.caught_up()
    await projections.stop(projection)
    again = await projections.built(store, tmp_path / "aura.columns.duckdb")
    assert {"aura.db-wal", "aura.columns.duckdb"} & set(holding(tmp_path))
    receipt = await Persons(store).forget("ann", actor="test")
    await again.renew()
    assert receipt.remains == []
    assert receipt.places == {"rows": 7, "columns": 1, "log": 0}
    assert list(holding(tmp_path)) == []
    await projections.stop(again)
    await stores.close(store)
    assert list(holding(tmp_path)) == []


async def test_all_that_is_kept_beside_the_rows_follows(store: Store, projection: Projection) -> None:
    assert await projection.ask(LEFT) == [(3, 3, 3, 2, 2, 1)]
    await Persons(store).forget("ann", actor="test")
    assert await projection.ask(LEFT) == [(1, 1, 1, 1, 1, 0)]
    assert (await projection.verify()).differing == 0


async def test_a_text_that_somebody_else_said_too_keeps_its_spelling(store: Store, projection: Projection) -> None:
    await store.append([query("y", query_text=f"häh {SECRET}")])
    await Persons(store).forget("ann", actor="test")
    assert await projection.ask(asking("SELECT count(*) FROM foldings")) == [(1,)]


async def test_an_hour_with_nothing_left_is_removed_from_the_published_sums(
    store: Store, projection: Projection, file: Path
) -> None:
    first, second = HOUR // 1000, HOUR // 1000 + 3600
    await until_published(file, [(first, 2), (second, 1)])
    await Persons(store).forget("ann", actor="test")
    await projection.caught_up()
    await until_published(file, [(second, 1)])


async def test_the_file_is_written_anew_by_itself_and_questions_go_on(
    store: Store, projection: Projection, monkeypatch: pytest.MonkeyPatch, columns: Path
) -> None:
    monkeypatch.setattr("aura_analytics.projection.renewal.AFTER_S", 0.0)
    before = number_of(columns)
    await Persons(store).forget("ann", actor="test")
    async with asyncio.timeout(AT_MOST_S):
        while number_of(columns) == before:
            assert await projection.ask(asking("SELECT count(*) FROM interactions")) == [(1,)]
    assert await projection.ask(LEFT) == [(1, 1, 1, 1, 1, 0)]
    await store.append([query("z")])
    assert await projection.ask(asking("SELECT count(*) FROM interactions")) == [(2,)]


async def test_what_a_crash_kept_from_being_done_is_done_at_the_next_start(
    store: Store, projections: Projections, projection: Projection, monkeypatch: pytest.MonkeyPatch, columns: Path
) -> None:
    monkeypatch.setattr("aura_analytics.projection.renewal.AFTER_S", 1e9)
    await Persons(store).forget("ann", actor="test")
    await projection.caught_up()
    await projections.stop(projection)
    before = number_of(columns)
    again = await projections.built(store, columns)
    await again.renew()
    assert number_of(columns) != before
    await again.renew()
    after = number_of(columns)
    await again.renew()
    assert number_of(columns) == after
