"""Filling: whatever a database holds, streams give what rows give; and whatever ends the process that streams, all is filled."""

import asyncio
import sqlite3
import sys
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from aura_analytics.errors import SettingsError
from aura_analytics.projection import Projection, rebuild
from aura_analytics.projection.rebuild import Fill, Rebuild
from aura_analytics.store import Store
from aura_analytics.store.port import WIDE_COLUMNS, Part
from aura_analytics.store.sqlite import database
from contract.making import LATER, LEASE_MS, NOW, conversion, outcome, query, verdicts
from unit.projection.running import Projections, Stores, asking, assert_equal, phase, until

ASKED = "INSERT INTO voice_queries (id, store_id, created_at, query_text) VALUES"
MANY = 200


def fill(file: Path, *statements: str) -> None:
    with closing(sqlite3.connect(file)) as connection, connection:
        for statement in statements:
            connection.execute(statement)


async def everything(store: Store) -> None:
    """Interactions with all cells, and with as few as can be."""
    whole = {
        "session_id": "s",
        "user_id": "u",
        "query_source": "text",
        "transcription_conf": 0.5,
        "audio_duration_ms": 17,
        "intent": "search",
        "fast_path": True,
    }
    answered: dict[str, Any] = {
        "answer_text": "aisle 3 🍎",
        "model_name": "m",
        "latency_ms": 3,
        "tokens_prompt": 2**53 + 1,
        "tokens_completion": 1,
        "tokens_total": 2**63 - 1,
        "cost_usd": 0.1,
        "action_taken": "cart",
        "action_success": True,
        "error_flag": False,
        "error_message": "none",
        "tool_calls": [{"name": "x"}],
    }
    await store.append(
        [event for n in range(MANY) for event in (query(f"q{n:03}", **whole), outcome(f"q{n:03}", **answered))]
    )
    await store.append([query("bare", created_at=0), query("empty", query_text="", session_id=""), outcome("empty")])
    await store.settle(verdicts(await store.claim_due(MANY // 2, now=LATER, lease_ms=LEASE_MS)))


class Filled:
    """Which parts went by rows."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.by_rows: list[Part | None] = []
        filling = Rebuild.rows

        async def watched(self_: Rebuild, part: Part | None, fill: Fill) -> int:
            self.by_rows.append(part)
            return await filling(self_, part, fill)

        monkeypatch.setattr(Rebuild, "rows", watched)


@pytest.fixture
def went(monkeypatch: pytest.MonkeyPatch) -> Filled:
    return Filled(monkeypatch)


async def assert_verified(projection: Projection) -> int:
    found = await projection.verify()
    assert found.differences == []
    [(held,)] = await projection.ask(asking("SELECT count(*) FROM interactions"))
    assert held == found.interactions
    return found.interactions


# What a database may hold. Streamed: whether all of it goes in a stream.

BESIDE = f"UPDATE voice_queries SET {{}} WHERE rowid = {MANY // 2}"
ANSWER = "UPDATE voice_outcomes SET {} WHERE query_id = 'q017'"
HOLDINGS = {
    "nothing else": ([], True),
    "a text in a column of numbers": ([ANSWER.format("latency_ms = 'abc'")], False),
    "a number as a text": ([ANSWER.format("action_success = '1x'")], False),
    "a fraction in a column of whole numbers": ([ANSWER.format("tokens_prompt = 2.5")], None),
    "a fraction of a flag": ([ANSWER.format("error_flag = 0.5")], None),
    "a moment that is a text": ([BESIDE.format("created_at = 'yesterday'")], False),
    "a moment that is a fraction": ([BESIDE.format("created_at = 1760000000000.5")], None),
    "a number that no column holds": ([ANSWER.format("tokens_prompt = 1e300")], False),
    "a number beyond all": ([ANSWER.format("cost_usd = 9e999")], True),
    "another flag than 0 and 1": ([ANSWER.format("action_success = 7")], True),
    "a blob in a column of texts": ([BESIDE.format("intent = x'414243'")], None),
    "a blob of any bytes": ([BESIDE.format("user_id = x'00ff5c27226180'")], None),
    "a blob in a column of numbers": ([ANSWER.format("latency_ms = x'ff'")], False),
    "a text that is no UTF-8": ([BESIDE.format("query_text = CAST(x'61ff41' AS TEXT)")], None),
    "a text that is cut within a character": ([BESIDE.format("query_text = CAST(x'61c3' AS TEXT)")], None),
    "NUL characters": ([BESIDE.format("query_text = 'a' || char(0) || 'b', intent = char(0)")], None),
    "texts of a mebibyte": (
        [BESIDE.format("query_text = replace(hex(zeroblob(524288)), '00', 'xü')"), ANSWER.format("answer_text = hex(zeroblob(524288))")],
        True,
    ),
    "an id that is empty": ([f"{ASKED} ('', 's', 1, 't')"], True),
    "an id with quotes": ([f"{ASKED} ('it''s \"x\" \\ %s', 's', 1, 't')"], True),
    "whole numbers in columns of fractions": (
        ["UPDATE voice_outcomes SET cost_usd = 1, latency_ms = 2", "UPDATE voice_queries SET transcription_conf = 1"],
        True,
    ),
    "moments before the epoch and far away": (
        [f"{ASKED} ('past', 's', -1, 't'), ('far', 's', 9007199254740993, 't'), ('end', 's', 9223372036854775807, 't')"],
        True,
    ),
    "gaps": (["DELETE FROM voice_queries WHERE rowid % 3 = 0", "UPDATE voice_queries SET rowid = rowid + 1000 WHERE rowid > 100"], True),
    "nothing left of the first half": ([f"DELETE FROM voice_queries WHERE rowid < {MANY}"], True),
    "outcomes without a query": (["DELETE FROM voice_queries WHERE rowid > 9"], True),
    "nothing in most columns of the first rows": (
        [f"DELETE FROM voice_outcomes WHERE query_id < 'q1{MANY // 2 - 1}'", "UPDATE voice_queries SET intent = NULL, user_id = NULL, audio_duration_ms = NULL, transcription_conf = NULL, session_id = NULL WHERE rowid < 190"],
        True,
    ),
    "nothing in any column": (
        ["DELETE FROM voice_outcomes", "DELETE FROM voice_evaluations", "UPDATE voice_queries SET intent = NULL, user_id = NULL, audio_duration_ms = NULL, transcription_conf = NULL, session_id = NULL"],
        True,
    ),
}  # fmt: skip


@pytest.mark.parametrize("holding", HOLDINGS)
async def test_streams_give_what_rows_give(
    *, stores: Stores, file: Path, columns: Path, projections: Projections, went: Filled, holding: str
) -> None:
    statements, streamed = HOLDINGS[holding]
    store = await stores.open(file)
    await everything(store)
    fill(file, *statements)
    projection = await projections.built(store, columns)
    if streamed is not None:
        assert bool(went.by_rows) is not streamed
    by_rows = await projections.built(store, None)
    assert await assert_verified(by_rows) == await assert_verified(projection) > 0
    names = ", ".join(WIDE_COLUMNS)
    everything_held = asking(f"SELECT {names} FROM interactions ORDER BY id, created_at")
    assert await projection.ask(everything_held) == await by_rows.ask(everything_held)


async def test_a_database_without_rows_is_filled_with_none(
    store: Store, columns: Path, projections: Projections, went: Filled
) -> None:
    projection = await projections.built(store, columns)
    assert await assert_verified(projection) == 0
    assert went.by_rows == [None]
    await store.append([query("a")])
    assert await assert_equal(store, projection) == 1


# Parts.


@pytest.mark.parametrize("part_rows", [1, 7, 50, 10_000])
async def test_parts_of_any_size_make_up_all(
    *,
    store: Store,
    columns: Path,
    projections: Projections,
    went: Filled,
    monkeypatch: pytest.MonkeyPatch,
    part_rows: int,
) -> None:
    monkeypatch.setattr(database, "PART_ROWS", part_rows)
    await store.append([query(f"q{n}", created_at=NOW + n) for n in range(40)])
    projection = await projections.built(store, columns)
    assert went.by_rows == []
    assert await assert_equal(store, projection) == 40


async def test_only_the_part_that_cannot_be_streamed_goes_by_rows(
    *, store: Store, file: Path, columns: Path, projections: Projections, went: Filled, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "PART_ROWS", 10)
    await store.append([event for n in range(35) for event in (query(f"q{n:02}"), outcome(f"q{n:02}", latency_ms=n))])
    fill(file, "UPDATE voice_outcomes SET latency_ms = 'abc' WHERE query_id IN ('q13', 'q34')")
    projection = await projections.built(store, columns)
    assert [(part.after, part.upto) for part in went.by_rows if part] == [(10, 20), (30, 40)]
    assert await assert_verified(projection) == 35
    assert await projection.ask(asking("SELECT count(latency_ms), count(*) FROM interactions")) == [(33, 35)]


async def test_rows_and_batches_smaller_than_a_part_are_all_read(
    store: Store, columns: Path, projections: Projections, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first batch holds nothing in most columns; the types are known all the same."""
    monkeypatch.setattr(database, "MOST_ROWS", 4)
    monkeypatch.setattr(database, "FEWEST_ROWS", 4)
    await store.append([query(f"q{n:02}") for n in range(30)])
    await store.append([outcome(f"q{n}", latency_ms=n + 0.5, model_name="m") for n in range(20, 30)])
    projection = await projections.built(store, columns)
    assert await assert_verified(projection) == 30
    assert await projection.ask(asking("SELECT count(latency_ms), count(model_name) FROM interactions")) == [(10, 10)]


@pytest.mark.parametrize("name", ["a b.db", "100%.db", "a#b.db", "%41.db", "ä'\"&=;.db", "file:x.db"])
async def test_a_path_may_hold_any_character(
    stores: Stores, tmp_path: Path, projections: Projections, went: Filled, name: str
) -> None:
    folder = tmp_path / f"folder of {name}"
    folder.mkdir()
    store = await stores.open(folder / name)
    await store.append([query("a", session_id="s"), outcome("a"), conversion("c")])
    projection = await projections.built(store, folder / f"{name}.columns.duckdb")
    assert went.by_rows == []
    assert await assert_equal(store, projection) == 1
    assert await projection.ask(asking("SELECT query_id FROM attributions")) == [("a",)]
    assert {path.name.removeprefix(name) for path in folder.iterdir()} <= {
        *("", "-wal", "-shm", ".columns.duckdb", ".columns.duckdb.wal"),
    }


@pytest.mark.parametrize("name", ["what?.db", "who?/what.db"])
async def test_a_path_with_a_question_mark_works_or_is_refused(
    stores: Stores, tmp_path: Path, projections: Projections, name: str
) -> None:
    """DuckDB takes what follows one for something else."""
    (tmp_path / name).parent.mkdir(exist_ok=True)
    store = await stores.open(tmp_path / name)
    await store.append([query("a")])
    path = (tmp_path / name).with_suffix(".columns.duckdb")
    try:
        projection = await projections.built(store, path)
    except SettingsError:
        return
    assert await assert_equal(store, projection) == 1
    await projections.stop(projection)
    assert [file.name for file in path.parent.iterdir() if ".wal" in file.name] in ([], [f"{path.name}.wal"])


async def test_columns_in_memory_are_filled_by_rows(store: Store, projections: Projections, went: Filled) -> None:
    await everything(store)
    projection = await projections.built(store, None)
    assert went.by_rows == [None]
    assert await assert_verified(projection) == MANY + 2


# The process that streams.

# The filling, but it ends as it is told: after so many parts, and maybe in the middle of its report.
ENDING = """
import os, signal, sys
import msgspec
from aura_analytics.projection import filler
from aura_analytics.projection.filling import Filling
left = {parts}
def report(filled, told=filler._report):
    global left
    if left == 0:
        sys.stdout.buffer.write({said!r})
        sys.stdout.buffer.flush()
        {end}
    left -= 1
    told(filled)
filler._report = report
filler.fill(msgspec.json.decode(sys.stdin.buffer.read(), type=Filling))
"""
KILLED = "os.kill(os.getpid(), signal.SIGKILL)"


class Fillers:
    """Lets the first processes that fill end in a way of their own; counts them all."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.first: list[str] = []
        self.started: list[asyncio.subprocess.Process] = []
        starting = asyncio.create_subprocess_exec

        async def start(*arguments: str, **named: Any) -> asyncio.subprocess.Process:
            script = self.first.pop(0) if self.first else None
            command: Sequence[str] = arguments if script is None else (sys.executable, "-c", script)
            process = await starting(*command, **named)
            self.started.append(process)
            return process

        monkeypatch.setattr(asyncio, "create_subprocess_exec", start)


@pytest.fixture
def fillers(monkeypatch: pytest.MonkeyPatch) -> Fillers:
    monkeypatch.setattr(database, "PART_ROWS", 10)
    return Fillers(monkeypatch)


@pytest.mark.parametrize(
    ("parts", "said", "end"),
    [
        pytest.param(0, b"", KILLED, id="killed before anything was told"),
        pytest.param(2, b"", KILLED, id="killed in the middle"),
        pytest.param(1, b'{"part": 3, "err', KILLED, id="killed within a word"),
        pytest.param(1, b"", "sys.exit(3)", id="failed"),
    ],
)
async def test_a_filling_that_is_ended_is_done_anew(
    *, store: Store, columns: Path, projections: Projections, fillers: Fillers, parts: int, said: bytes, end: str
) -> None:
    await store.append([query(f"q{n}") for n in range(60)])
    fillers.first = [ENDING.format(parts=parts, said=said, end=end)] * 2
    projection = await projections.built(store, columns)
    assert await assert_equal(store, projection) == 60
    assert len(fillers.started) == 3
    assert all(process.returncode for process in fillers.started[:2])
    await store.append([query("after")])
    assert await assert_equal(store, projection) == 61


async def test_parts_that_are_never_told_of_go_by_rows(
    *, store: Store, columns: Path, projections: Projections, fillers: Fillers, went: Filled
) -> None:
    """What wasn't reported isn't known to be there, so it has to be filled; but it must not be there twice."""
    await store.append([query(f"q{n}") for n in range(60)])
    fillers.first = ["import sys; from aura_analytics.projection.filling import Filling; sys.stdin.buffer.read()"]
    projection = await projections.built(store, columns)
    assert [part.after for part in went.by_rows if part] == [0, 10, 20, 30, 40, 50]
    assert await assert_equal(store, projection) == 60


async def test_a_stop_ends_the_process_that_fills(
    *, store: Store, columns: Path, projections: Projections, fillers: Fillers
) -> None:
    await store.append([query(f"q{n}") for n in range(60)])
    hanging = ENDING.format(parts=1, said=b"", end="import time; time.sleep(600)")
    fillers.first = [hanging]
    projection = await projections.start(store, columns)

    async def begun() -> bool:
        return (await projection.status()).progress > 0

    await until(begun)
    assert await phase(projection) == "rebuilding"
    await projections.stop(projection)
    assert [process.returncode for process in fillers.started] == [-9]
    projection = await projections.built(store, columns)
    assert await assert_equal(store, projection) == 60


async def test_what_comes_while_rows_are_streamed_comes_over_the_feed(
    *, store: Store, columns: Path, projections: Projections, fillers: Fillers, monkeypatch: pytest.MonkeyPatch
) -> None:
    await store.append([query(f"q{n}") for n in range(60)])
    told = Rebuild.stream

    async def meanwhile(self: Rebuild) -> list[Part | None]:
        await store.append([query("before"), outcome("q5", latency_ms=5)])
        left = await told(self)
        await store.append([query("after"), outcome("q7", latency_ms=7), conversion("c", query_id="q5")])
        return left

    monkeypatch.setattr(rebuild.Rebuild, "stream", meanwhile)
    projection = await projections.built(store, columns)
    assert len(fillers.started) == 1
    assert await assert_equal(store, projection) == 62
    assert await projection.ask(asking("SELECT query_id FROM attributions")) == [("q5",)]
