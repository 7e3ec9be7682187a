"""Opening, asking for a sign of life, and closing: what was submitted is answered and kept, later calls are refused."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from structlog.testing import capture_logs

from aura_analytics.archive.opening import opened_archiver
from aura_analytics.errors import StoreUnavailable
from aura_analytics.events.records import Interaction
from aura_analytics.settings import Settings
from aura_analytics.store import Store, migrate
from aura_analytics.store.judging import Choice, Demand, JudgeBatch
from aura_analytics.store.port import Claim, FeedPoint, HourlySums
from contract.backends import Backend
from contract.making import LATER, LEASE_MS, NOW, Watch, conversion, outcome, query, verdict

CLAIM = Claim(interaction=Interaction(query=query("a")), lease="lease", attempts=1)
POINT = FeedPoint(position=0, moment=0)
HOUR = HourlySums(
    store_id="shop",
    hour_bucket=0,
    total_queries=1,
    successful_queries=1,
    failed_queries=0,
    total_latency_ms=1.0,
    unique_sessions=1,
    total_cost_usd=0.0,
)


DEMAND = Demand(model="m", requests=1, tokens=1, cost_usd=0.0, rpm=60, tpm=None, budget_usd=None)
BATCH = JudgeBatch(id="b", model="m", rubric="r", requests=1, made_at=NOW)


async def first_batch(batches: AsyncIterator[object]) -> None:
    async for _ in batches:
        break


CALLS: dict[str, Callable[[Store], Awaitable[object]]] = {
    "ping": lambda store: store.ping(),
    "append": lambda store: store.append([query("b")]),
    "keys": lambda store: store.keys.keys(),
    "sessions": lambda store: store.sessions.find("a", now=NOW),
    "persons": lambda store: store.persons.pseudonym("ann"),
    "alerts": lambda store: store.alerts.states(),
    "claim_due": lambda store: store.claim_due(1, now=LATER, lease_ms=LEASE_MS),
    "settle": lambda store: store.settle([(CLAIM, verdict("a"))]),
    "postpone": lambda store: store.postpone(CLAIM, error="busy", due_at=NOW),
    "give_up": lambda store: store.give_up(CLAIM, error="no", now=NOW),
    "claims": lambda store: store.claims("lease"),
    "previous_turns": lambda store: store.previous_turns([query("a", session_id="s")], 3),
    "postpone_all": lambda store: store.postpone_all([CLAIM], error="spent", due_at=NOW),
    "leave": lambda store: store.leave([CLAIM]),
    "note_calls": lambda store: store.note_calls([]),
    "reserve": lambda store: store.reserve(DEMAND, now=NOW),
    "judge_calls": lambda store: store.judge_calls(since=0, until=NOW, store_id=None),
    "answered_calls": lambda store: store.answered_calls(since=0, until=NOW, store_id=None),
    "spent_usd": lambda store: store.spent_usd(now=NOW),
    "requeue": lambda store: store.requeue(Choice(), now=NOW),
    "choose": lambda store: store.choose(Choice(), 1),
    "review": lambda store: store.review(verdict("a", evaluated_by="human")),
    "lease_reviews": lambda store: store.lease_reviews(["a"], reviewer="Ada", limit=1, now=NOW, until=LATER),
    "leased_reviews": lambda store: store.leased_reviews(now=NOW),
    "save_batch": lambda store: store.save_batch(BATCH),
    "hold_batch": lambda store: store.hold_batch("b", holder="one", now=NOW, until=LATER),
    "open_batches": lambda store: store.open_batches(),
    "release": lambda store: store.release([CLAIM], now=NOW),
    "prolong": lambda store: store.prolong([CLAIM], until=LATER),
    "failed_evaluations": lambda store: store.failed_evaluations(1),
    "retry_failed": lambda store: store.retry_failed(now=NOW),
    "surroundings": lambda store: store.surroundings(["a"], ["s"]),
    "parts": lambda store: store.parts(),
    "verdicts": lambda store: store.verdicts(["a"]),
    "automatic_verdicts": lambda store: store.automatic_verdicts(["a"]),
    "queue_depth": lambda store: store.queue_depth(now=NOW),
    "identity": lambda store: store.identity(),
    "feed_head": lambda store: store.feed_head(),
    "feed_start": lambda store: store.feed_start(),
    "knows": lambda store: store.knows(POINT),
    "changes": lambda store: store.changes(POINT, 1),
    "wide_rows": lambda store: store.wide_rows(["a"]),
    "snapshot": lambda store: first_batch(store.snapshot(10)),
    "count": lambda store: store.count(),
    "stores_of": lambda store: store.stores_of(["a"]),
    "conversion_rows": lambda store: store.conversion_rows(["a"]),
    "conversion_snapshot": lambda store: first_batch(store.conversion_snapshot(10)),
    "interaction": lambda store: store.interaction("a"),
    "save_hourly": lambda store: store.save_hourly([HOUR]),
    "acknowledge": lambda store: store.acknowledge("follower", POINT, now=NOW),
    "forget_follower": lambda store: store.forget_follower("follower"),
}


def test_every_method_has_its_call_here() -> None:
    methods = {name for name in vars(Store) if not name.startswith("_")}
    assert methods - {"open", "close", "on_commit"} == set(CALLS)


async def test_an_open_store_gives_a_sign_of_life(store: Store) -> None:
    await store.ping()


@pytest.mark.parametrize("method", CALLS)
async def test_after_the_close_a_call_is_refused(backend: Backend, database: str, watch: Watch, method: str) -> None:
    store = await backend.open(database, clock=watch)
    await store.append([query("a")])
    await store.count()
    await backend.close(store)
    with pytest.raises(StoreUnavailable):
        await CALLS[method](store)


async def test_what_was_submitted_before_the_close_is_answered_and_kept(
    backend: Backend, database: str, watch: Watch
) -> None:
    store = await backend.open(database, clock=watch)
    waiting = [asyncio.create_task(store.append([query(f"{n}-{k}") for k in range(20)])) for n in range(50)]
    await asyncio.sleep(0)  # each task has submitted its events
    await backend.close(store)
    assert await asyncio.gather(*waiting) == [[True] * 20] * 50
    reopened = await backend.open(database, clock=watch)
    assert await reopened.count() == 1_000


async def test_a_caller_that_goes_away_takes_nobody_with_it(store: Store) -> None:
    gone = asyncio.create_task(store.append([query("gone")]))
    stays = asyncio.create_task(store.append([query("stays")]))
    await asyncio.sleep(0)
    gone.cancel()
    assert await stays == [True]
    assert await store.append([query("later")]) == [True]
    assert "stays" in {row[0] for row in await store.wide_rows(["gone", "stays"])}


async def test_a_reopened_store_has_all_that_was_acknowledged(backend: Backend, database: str, watch: Watch) -> None:
    store = await backend.open(database, clock=watch)
    await store.append([query("a"), outcome("a"), query("b"), outcome("late"), conversion("c", query_id="late")])
    [claim] = await store.claim_due(1, now=NOW, lease_ms=LEASE_MS)
    await store.settle([(claim, verdict("a"))])
    rows, head = await store.wide_rows(["a", "b"]), await store.feed_head()
    conversions = await store.conversion_rows(["c"])
    await backend.close(store)

    reopened = await backend.open(database, clock=watch)
    assert sorted(await reopened.wide_rows(["a", "b"])) == sorted(rows)
    assert await reopened.conversion_rows(["c"]) == conversions != []
    assert await reopened.feed_head() == head
    assert await reopened.knows(head)
    assert await reopened.append([query("a"), outcome("late"), query("late"), conversion("c")]) == [
        False,
        False,
        True,
        False,
    ]


async def test_a_store_goes_on_when_another_one_of_the_same_database_is_closed(
    backend: Backend, store: Store, other_store: Store
) -> None:
    await other_store.append([query("a")])
    await backend.close(other_store)
    assert await store.append([query("a"), query("b")]) == [False, True]
    assert await store.count() == 2


async def test_a_database_that_a_later_version_has_used_is_told(store: Store, database: str) -> None:
    settings = Settings(aura_database_url=database)
    recorded = "INSERT INTO migration_metadata (version, applied_at, description) VALUES (999, 0, 'of then')"
    with opened_archiver(settings) as archiver:
        archiver.shelf.side._connection.execute(recorded)
    with capture_logs() as log:
        assert await asyncio.to_thread(migrate, settings) == []
    assert [(line["event"], line["migrations"]) for line in log] == [("database_of_a_later_version", [999])]
    assert await store.count() == 0
