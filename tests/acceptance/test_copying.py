"""Moving to another database, between all kinds of them: all of it arrives, however often it is interrupted."""

import asyncio
import itertools
import json
import os
import re
import signal
import sqlite3
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import psycopg
import pytest

from acceptance.nursery import COMMAND
from acceptance.service import aura, clean_environment, until
from aura_analytics.errors import LoadError
from aura_analytics.settings import Settings
from aura_analytics.store import Store, make_store, migrate
from aura_analytics.store.copying import page as pages
from aura_analytics.terminal.copied import Copied
from aura_analytics.terminal.copying import Wanted, copy
from contract.making import LATER, LEASE_MS, NOW, conversion, outcome, query, verdict, verdicts
from postgres_server import PostgresServer

LABEL = (
    "query_id, label, reason, confidence_score, evaluated_at, evaluated_by, method, explanation, rubric, tokens_prompt, "
    "tokens_completion, cost_usd, duration_ms"
)
TABLES = {
    "voice_queries": "id, store_id, session_id, user_id, created_at, query_text, transcription_conf, intent, fast_path, "
    "query_source, audio_duration_ms, correlation_id, received_at, extra",
    "voice_outcomes": "query_id, answer_text, model_name, latency_ms, tokens_prompt, tokens_completion, cost_usd, "
    "action_taken, action_success, error_flag, tool_calls, error_message, tokens_total, occurred_at, received_at, "
    "correlation_id, extra",
    "voice_evaluations": LABEL,
    "voice_evaluation_history": LABEL,
    "evaluation_queue": "query_id, due_at, attempts, last_error, failed_at",
    "voice_conversions": "id, query_id, session_id, store_id, occurred_at, received_at, value, currency, order_id, "
    "correlation_id, extra",
}

# Any, throughout: what cells of a database can hold.
Content = dict[str, list[tuple[Any, ...]]]
Fresh = Callable[[str], str]


@pytest.fixture
def fresh(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Fresh]:
    """Makes migrated databases of a kind; gives their URLs."""
    number = itertools.count()
    made: list[str] = []

    def make(kind: str) -> str:
        url = f"sqlite:///{tmp_path}/{next(number)}.db"
        if kind == "sqlite":
            migrate(Settings(aura_database_url=url))
            return url
        server: PostgresServer = request.getfixturevalue("forgetful_postgres_server")
        made.append(server.create())
        migrate(Settings(aura_database_url=made[-1]))
        return made[-1]

    yield make
    for url in made:
        server: PostgresServer = request.getfixturevalue("forgetful_postgres_server")
        server.drop(url)


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[Store]:
    store = make_store(Settings(aura_database_url=url), clock=lambda: NOW)
    await store.open()
    try:
        yield store
    finally:
        await store.close()


def rows(url: str, statement: str) -> list[tuple[Any, ...]]:
    if url.startswith("sqlite"):
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as file:
            return file.execute(statement).fetchall()
    with closing(psycopg.connect(url)) as connection:
        return connection.execute(statement.encode()).fetchall()


def change(url: str, statement: str) -> None:
    if url.startswith("sqlite"):
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)) as file:
            file.execute(statement)
        return
    with closing(psycopg.connect(url, autocommit=True)) as connection:
        connection.execute(statement.encode())


def content(url: str) -> Content:
    """All that is copied, in an order of its own."""
    return {table: sorted(rows(url, f"SELECT {columns} FROM {table}"), key=repr) for table, columns in TABLES.items()}


def copied(source: str, target: str, **wanted: bool) -> Copied:
    """Copy in this process."""
    settings = Settings(aura_database_url=source), Settings(aura_database_url=target)
    return asyncio.run(copy(*settings, Wanted(**wanted)))


def counts(result: Copied, field: str = "copied") -> dict[str, int]:
    return {row["table"]: row[field] for row in result.tables if row[field]}


async def fill(store: Store, prefix: str = "") -> None:
    """Bring about a row of each kind, in every state that it can be in."""
    whole = query(f"{prefix}whole", session_id="s", user_id="ü", transcription_conf=0.1, intent="find", fast_path=True)
    told = outcome(
        f"{prefix}whole", latency_ms=12.5, cost_usd=1e-300, tokens_prompt=2**62, action_success=True, tool_calls=["a", {"b": 1}],
        extra={"n": "\u2028"}, answer_text='line\nanother\ttab \\N "quoted" 🍎',
    )  # fmt: skip
    others = [query(f"{prefix}{name}") for name in ("waiting", "postponed", "failed", "claimed", "late")]
    await store.append([whole, told, *others, outcome(f"{prefix}stray", latency_ms=1e308)])
    await store.append([conversion(f"{prefix}c", value=0.1, currency="EUR"), conversion(f"{prefix}d", query_id=None)])
    claims = {
        claim.query_id.removeprefix(prefix): claim for claim in await store.claim_due(99, now=LATER, lease_ms=LEASE_MS)
    }
    took = {
        "rubric": "default:1f",
        "tokens_prompt": 2**62,
        "tokens_completion": 0,
        "cost_usd": 1e-300,
        "duration_ms": 0.1,
    }
    await store.settle(verdicts([claims["whole"], claims["late"]], **took))
    await store.postpone(claims["postponed"], error="no time", due_at=NOW + 5)
    await store.give_up(claims["failed"], error="never", now=NOW)
    await store.release([claims["waiting"]], now=NOW)
    await store.append([outcome(f"{prefix}late", answer_text="later")])
    [again] = [
        claim for claim in await store.claim_due(99, now=NOW, lease_ms=LEASE_MS) if claim.query_id.endswith("late")
    ]
    await store.settle([(again, verdict(f"{prefix}late", "BAD", evaluated_at=NOW + 1))])


@pytest.mark.parametrize(("kind", "other"), [("sqlite", "sqlite"), ("sqlite", "postgres"), ("postgres", "postgres")])
async def test_there_and_back_every_table_is_what_it_was(fresh: Fresh, kind: str, other: str) -> None:
    first, there, back = fresh(kind), fresh(other), fresh(kind)
    async with opened(first) as store:
        await fill(store)
    before = content(first)
    assert all(before.values())
    for source, target in ((first, there), (there, back)):
        result = await copy(Settings(aura_database_url=source), Settings(aura_database_url=target), Wanted())
        assert counts(result) == {table: len(rows) for table, rows in before.items()}
        assert (result.differing, result.changed_cells, result.left_rows, result.source_went_on) == (0, [], {}, False)
        assert all(row["source_checksum"] == row["target_checksum"] for row in result.tables)
    assert content(back) == before
    assert content(first) == before


@pytest.mark.parametrize(("kind", "other"), [("sqlite", "postgres"), ("postgres", "sqlite")])
async def test_what_changes_after_a_copy_arrives_with_the_next_one_and_nothing_else_is_copied(
    fresh: Fresh, kind: str, other: str
) -> None:
    first, there = fresh(kind), fresh(other)
    settings = Settings(aura_database_url=first), Settings(aura_database_url=there)
    async with opened(first) as store:
        await fill(store)
        await copy(*settings, Wanted())
        assert counts(await copy(*settings, Wanted())) == {}
        await store.append([query("new"), outcome("stray"), query("stray"), conversion("e")])
        await store.retry_failed(now=NOW)
        claims = {claim.query_id: claim for claim in await store.claim_due(99, now=LATER, lease_ms=1)}
        await store.settle([(claims["waiting"], verdict("waiting")), (claims["failed"], verdict("failed", "BAD"))])
        result = await copy(*settings, Wanted())
        assert (result.differing, counts(result)["voice_queries"], counts(result)["voice_conversions"]) == (0, 2, 1)
    assert {table: len(rows) for table, rows in content(there).items()} == {
        table: len(rows) for table, rows in content(first).items()
    }
    assert [row[0] for row in content(there)["evaluation_queue"]] == [
        row[0] for row in content(first)["evaluation_queue"]
    ]


async def test_a_later_label_of_the_source_arrives_and_a_persons_is_never_overwritten(fresh: Fresh) -> None:
    first, there = fresh("sqlite"), fresh("postgres")
    settings = Settings(aura_database_url=first), Settings(aura_database_url=there)
    async with opened(first) as store, opened(there) as target:
        await store.append([query("a"), query("b"), outcome("a"), outcome("b")])
        await store.settle(verdicts(await store.claim_due(9, now=LATER, lease_ms=1)))
        await copy(*settings, Wanted())
        change(there, "UPDATE voice_evaluations SET label = 'BAD', evaluated_by = 'human' WHERE query_id = 'b'")
        for id in ("a", "b"):
            change(first, f"INSERT INTO evaluation_queue (query_id, due_at) VALUES ('{id}', 0)")
        claims = await store.claim_due(9, now=LATER, lease_ms=1)
        await store.settle(verdicts(claims, "REVIEW", evaluated_at=NOW + 9))
        result = await copy(*settings, Wanted())
        assert result.differing == 0
        labels = {
            id: (found.verdict.label, len(found.history))
            for id in "ab"
            if (found := await target.interaction(id)) and found.verdict
        }
    assert labels == {"a": ("REVIEW", 1), "b": ("BAD", 1)}


async def test_databases_can_be_merged_and_what_is_there_already_stays(fresh: Fresh) -> None:
    first, second, there = fresh("sqlite"), fresh("postgres"), fresh("postgres")
    async with opened(first) as one, opened(second) as two, opened(there) as target:
        await fill(one, "1-")
        await fill(two, "2-")
        await one.append([query("both", query_text="theirs"), query("halves")])
        await two.append([outcome("halves", answer_text="the other half")])
        await target.append([query("both", query_text="its own", received_at=NOW + 1)])
        kept = [
            counts(await copy(Settings(aura_database_url=source), Settings(aura_database_url=there), Wanted()), "kept")
            for source in (first, second)
        ]
        assert kept[0] == {"voice_queries": 1, "evaluation_queue": 1}
        assert kept[1].keys() <= {"evaluation_queue"}  # a half may wait at its source; here the whole does
        both, halves = await target.interaction("both"), await target.interaction("halves")
        assert both is not None
        assert halves is not None
        assert both.query.query_text == "its own"
        assert halves.outcome is not None
        assert halves.outcome.answer_text == "the other half"
        [(due_at,)] = rows(there, "SELECT due_at FROM evaluation_queue WHERE query_id = 'halves'")
        assert due_at > NOW + 10_000  # queued anew, by the real clock
    found = content(there)
    assert len(found["voice_queries"]) == 2 * 6 + 2
    assert len(found["voice_outcomes"]) == 2 * 3 + 1


async def test_servers_that_run_on_the_target_are_told_of_what_is_copied(fresh: Fresh) -> None:
    first, there = fresh("sqlite"), fresh("postgres")
    async with opened(first) as store, opened(there) as target:
        await fill(store)
        before = await target.feed_start()
        await copy(Settings(aura_database_url=first), Settings(aura_database_url=there), Wanted())
        told = await target.changes(before, 999)
    assert set(told.query_ids) == {"whole", "waiting", "postponed", "failed", "claimed", "late", "stray"}
    assert set(told.conversion_ids) == {"c", "d"}


async def fill_much(url: str) -> None:
    async with opened(url) as store:
        await fill(store)
        for start in range(0, 16_000, 8_000):
            await store.append([query(f"q{n}") for n in range(start, start + 8_000)])


def test_a_copy_that_is_killed_goes_on_where_it_was(fresh: Fresh, tmp_path: Path) -> None:
    first, there = fresh("sqlite"), fresh("postgres")
    asyncio.run(fill_much(first))
    arguments = ["copy", "--from", first, "--to", there, "--json"]
    with subprocess.Popen(
        [COMMAND, *arguments], cwd=tmp_path, env=clean_environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as killed:
        until(lambda: rows(there, "SELECT count(*) FROM voice_queries")[0][0] > 0)
        os.kill(killed.pid, signal.SIGKILL)
    [(already,)] = rows(there, "SELECT count(*) FROM voice_queries")
    assert 0 < already < 16_006
    ran = aura(*arguments, folder=tmp_path)
    assert ran.returncode == 0, ran
    told = json.loads(ran.stdout)
    assert {row["table"]: row["copied"] for row in told["tables"]}["voice_queries"] == 16_006 - already
    assert told["differing"] == 0
    assert content(there)["voice_queries"] == content(first)["voice_queries"]


STRANGE = """
INSERT INTO voice_queries (id, store_id, created_at, query_text, transcription_conf, audio_duration_ms, fast_path, extra)
VALUES ('odd', x'00', 1.5, 'a' || char(0) || 'b', 'much', 2.5, 7, CAST(x'61ff' AS TEXT));
INSERT INTO voice_queries (id, store_id, created_at, query_text) VALUES (x'01', 'shop', 0, 'a blob for a key');
INSERT INTO voice_outcomes (query_id, latency_ms, tokens_prompt, cost_usd, action_success, error_flag)
VALUES ('odd', 9e999, 'none', -9e999, 0.5, 99999);
"""


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_a_cell_that_is_no_value_of_its_column_is_read_as_everywhere_and_told_of(fresh: Fresh, kind: str) -> None:
    first, there = fresh("sqlite"), fresh(kind)
    for statement in STRANGE.strip().split(";\n"):
        change(first, statement)
    result = copied(first, there)
    assert result.differing == 0
    assert result.left_rows == {"voice_queries": 1}
    changed = {(one["table"], one["column"]) for one in result.changed_cells}
    [found] = rows(there, "SELECT * FROM voice_queries WHERE id = 'odd'")
    if kind == "sqlite":
        assert changed == {("voice_queries", "extra")}
        assert found[:9] == ("odd", b"\x00", None, None, 1.5, "a\0b", "much", None, 7)
        return
    assert changed == {
        *(("voice_queries", name) for name in ("store_id", "created_at", "query_text", "transcription_conf", "audio_duration_ms", "extra")),
        *(("voice_outcomes", name) for name in ("tokens_prompt", "action_success", "error_flag")),
    }  # fmt: skip
    names = "store_id, created_at, query_text, transcription_conf, audio_duration_ms, fast_path, extra"
    assert rows(there, f"SELECT {names} FROM voice_queries") == [("", 2, "a\ufffdb", None, 2, 7, "a\ufffd")]
    names = "latency_ms, tokens_prompt, cost_usd, action_success, error_flag"
    assert rows(there, f"SELECT {names} FROM voice_outcomes") == [(float("inf"), None, float("-inf"), 1, 1)]


def test_numbers_that_sqlite_cannot_keep_are_told_of(fresh: Fresh) -> None:
    first, there, back = fresh("postgres"), fresh("postgres"), fresh("sqlite")
    change(
        first,
        "INSERT INTO voice_outcomes (query_id, latency_ms, cost_usd) VALUES ('z', '-0', 'NaN'), ('n', '1e308', '5e-324')",
    )
    assert copied(first, there).changed_cells == []
    assert repr(content(there)) == repr(content(first))
    result = copied(there, back)
    assert result.differing == 0
    assert {(one["column"], one["cells"]) for one in result.changed_cells} == {("latency_ms", 1), ("cost_usd", 1)}


def test_long_texts_are_copied_in_smaller_pages(fresh: Fresh, monkeypatch: pytest.MonkeyPatch) -> None:
    first, there = fresh("sqlite"), fresh("postgres")
    monkeypatch.setattr(pages, "PAGE_TEXT", 1_000)
    for n in range(30):
        change(first, f"INSERT INTO voice_queries (id, store_id, created_at, query_text) VALUES ('q{n}', 's', 0, printf('%.*c', {n * 20}, 'x'))")  # fmt: skip
    assert copied(first, there).differing == 0
    assert len(rows(there, "SELECT xid FROM change_feed")) > 3 + 1
    assert [id for (id,) in rows(there, "SELECT id FROM voice_queries ORDER BY rowid")] == [f"q{n}" for n in range(30)]


def test_a_row_that_was_changed_at_the_target_is_named(fresh: Fresh, tmp_path: Path) -> None:
    first, there = fresh("sqlite"), fresh("postgres")
    change(
        first,
        "INSERT INTO voice_queries (id, store_id, created_at, query_text) VALUES ('a', 's', 0, 'x'), ('b', 's', 0, 'y')",
    )
    copied(first, there)
    change(there, "UPDATE voice_queries SET query_text = 'z' WHERE id = 'b'")
    for option in ("--verify-only", "--verify"):
        ran = aura("copy", "--from", first, "--to", there, option, folder=tmp_path)
        assert ran.returncode == 1
        assert "voice_queries: 1 rows differ, such as b" in ran.stdout.decode()


def test_a_feed_that_was_trimmed_and_a_finished_copy_begin_anew(fresh: Fresh, tmp_path: Path) -> None:
    first, there = fresh("sqlite"), fresh("sqlite")
    change(first, "INSERT INTO voice_queries (id, store_id, created_at, query_text) VALUES ('a', 's', 0, 'x')")
    change(first, "INSERT INTO change_feed (changed_at, query_ids) VALUES (1, '[\"a\"]')")
    assert copied(first, there, finishes=True).finished
    assert rows(first, "SELECT * FROM change_followers") == []
    change(first, "DELETE FROM change_feed")
    change(first, "INSERT INTO change_feed (changed_at, query_ids) VALUES (2, '[]')")
    change(first, "INSERT INTO voice_queries (id, store_id, created_at, query_text) VALUES ('b', 's', 0, 'x')")
    ran = aura("copy", "--from", first, "--to", there, folder=tmp_path)
    assert (ran.returncode, ran.stderr.decode().count("all is gone through anew")) == (0, 1)
    assert len(content(there)["voice_queries"]) == 2


def test_only_one_copy_at_a_time_goes_into_a_database(fresh: Fresh) -> None:
    first, there = fresh("sqlite"), fresh("postgres")
    with closing(psycopg.connect(there)) as other:
        other.execute("SELECT pg_advisory_lock(%s)", [0x636F7079])
        with pytest.raises(LoadError, match="another copy"):
            copied(first, there)
    assert copied(first, there).differing == 0


@pytest.mark.parametrize(
    ("source", "target", "said"),
    [
        ("sqlite:///none.db", "sqlite:///x.db", "--from: there is no such file"),
        ("sqlite:///old.db", "sqlite:///x.db", "--from: the database isn't of this version's shape yet"),
        ("sqlite:///a.db", "sqlite:///./a.db", "--from and --to are the same database"),
        ("sqlite:///a.db", "sqlite:///twin.db", "--from and --to are the same database, or one is a copy"),
        ("mysql://me:secret@host/db", "sqlite:///x.db", "--from is “mysql://…@host/db”; it takes"),
        ("sqlite:///a.db", "postgresql://me:secret@localhost:1/db", "--to: the database can't be reached"),
    ],
)
def test_what_cannot_be_copied_is_refused_with_one_line(source: str, target: str, said: str, tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "old.db")) as old:
        old.execute("CREATE TABLE t (a)")
    migrate(Settings(aura_database_url=f"sqlite:///{tmp_path}/a.db"))
    (tmp_path / "twin.db").write_bytes((tmp_path / "a.db").read_bytes())
    ran = aura("copy", "--from", source, "--to", target, folder=tmp_path)
    text = ran.stderr.decode()
    assert ran.returncode == 1
    assert re.fullmatch(rf"error: {re.escape(said)}.*\n", text), text
    assert "secret" not in text
    assert not (tmp_path / "x.db").exists()


async def test_a_source_that_goes_on_changing_is_copied_as_far_as_it_has_come(fresh: Fresh) -> None:
    first, there = fresh("sqlite"), fresh("postgres")
    settings = Settings(aura_database_url=first), Settings(aura_database_url=there)
    async with opened(first) as store:
        await fill(store)
        going_on = asyncio.Event()

        async def ingest() -> int:
            for n in itertools.count():
                if going_on.is_set():
                    return n
                await store.append([query(f"q{n}"), outcome(f"q{n}")])
            raise AssertionError

        task = asyncio.create_task(ingest())
        result = await copy(*settings, Wanted())
        going_on.set()
        assert await task > 0
        assert result.differing == 0
        last = await copy(*settings, Wanted(finishes=True))
        assert (last.differing, last.source_went_on, last.changing) == (0, False, 0)
    assert content(there)["voice_outcomes"] == content(first)["voice_outcomes"]
