"""Interactions by what their rows say, where others have written the rows."""

import sqlite3
from collections.abc import Callable

from aura_analytics.store.judging import Choice
from aura_analytics.store.sqlite import SqliteStore
from contract.making import NOW, query

Raw = Callable[[], sqlite3.Connection]


async def test_a_row_without_a_key_is_passed_over_and_what_follows_is_found(store: SqliteStore, raw: Raw) -> None:
    await store.append([query("a")])
    for key in ("NULL", "x'ff'", "NULL"):
        raw().execute(f"INSERT INTO voice_queries (id, store_id, created_at, query_text) VALUES ({key}, 's', 1, 't')")
    await store.append([query("b")])
    assert sorted(one.query.id for one in await store.choose(Choice(), 9)) == ["a", "b"]
    assert await store.requeue(Choice(), now=NOW) == 2


async def test_a_moment_that_is_none_is_of_every_time_that_is_not_asked_for(store: SqliteStore, raw: Raw) -> None:
    await store.append([query("a")])
    raw().execute("UPDATE voice_queries SET created_at = 'yesterday'")
    assert [one.query.id for one in await store.choose(Choice(), 9)] == ["a"]
    assert await store.choose(Choice(until=NOW), 9) == []
