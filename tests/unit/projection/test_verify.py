"""Verifying: every difference is found and named, and none is where none is, even while both sides change."""

import asyncio

import pytest

from aura_analytics.errors import ProjectionUnavailable
from aura_analytics.projection import Difference, Projection, Verification, follower
from aura_analytics.projection import verify as verifying
from aura_analytics.projection.verify import verify
from aura_analytics.store import Store
from contract.making import LATER, LEASE_MS, outcome, query, verdicts
from unit.projection.running import Projections, RawSql, spoil


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small batches, so that there are several, and short pauses."""
    monkeypatch.setattr(verifying, "BATCH_ROWS", 7)
    monkeypatch.setattr(verifying, "BETWEEN_LOOKS_S", 0.01)


@pytest.fixture
async def projection(store: Store, projections: Projections) -> Projection:
    """Columns of thirty interactions, all with an outcome and a label."""
    await store.append([event for n in range(30) for event in (query(f"q{n:02}"), outcome(f"q{n:02}", latency_ms=n))])
    await store.settle(verdicts(await store.claim_due(100, now=LATER, lease_ms=LEASE_MS)))
    return await projections.built(store, None)


async def test_nothing_is_said_where_all_is_equal(store: Store, projection: Projection) -> None:
    assert await verify(store, projection) == Verification(interactions=30, differing=0, differences=[])


async def test_nothing_is_said_of_an_empty_database(store: Store, projections: Projections) -> None:
    projection = await projections.built(store, None)
    assert await verify(store, projection) == Verification(interactions=0, differing=0, differences=[])


@pytest.mark.parametrize(
    ("change", "column", "in_rows", "in_columns"),
    [
        ("voice_queries SET query_text = 'other' WHERE id = 'q17'", "query_text", "other", "red apples"),
        ("voice_queries SET session_id = '' WHERE id = 'q17'", "session_id", "", None),
        ("voice_queries SET fast_path = 1 WHERE id = 'q17'", "fast_path", True, False),
        (
            "voice_queries SET created_at = created_at + 1 WHERE id = 'q17'",
            "created_at",
            1_760_000_000_001,
            1_760_000_000_000,
        ),
        ("voice_outcomes SET latency_ms = 17.25 WHERE query_id = 'q17'", "latency_ms", 17.25, 17.0),
        ("voice_outcomes SET latency_ms = NULL WHERE query_id = 'q17'", "latency_ms", None, 17.0),
        ("voice_outcomes SET latency_ms = 'abc' WHERE query_id = 'q17'", "latency_ms", None, 17.0),
        ("voice_outcomes SET action_success = 0 WHERE query_id = 'q17'", "action_success", False, None),
        ("voice_outcomes SET tool_calls = '[1]' WHERE query_id = 'q17'", "tool_calls", "[1]", None),
        ("voice_evaluations SET label = 'BAD' WHERE query_id = 'q17'", "label", "BAD", "GOOD"),
        ("voice_evaluations SET evaluated_by = 'human' WHERE query_id = 'q17'", "evaluated_by", "human", "auto"),
    ],
)
async def test_a_cell_that_was_changed_behind_the_feed_is_named(
    *, store: Store, projection: Projection, raw: RawSql, change: str, column: str, in_rows: object, in_columns: object
) -> None:
    raw(f"UPDATE {change}")
    assert await verify(store, projection) == Verification(
        interactions=30,
        differing=1,
        differences=[Difference(query_id="q17", column=column, in_rows=in_rows, in_columns=in_columns)],
    )


async def test_every_cell_of_an_interaction_is_named(store: Store, projection: Projection, raw: RawSql) -> None:
    raw("UPDATE voice_queries SET intent = 'x', user_id = 'y' WHERE id IN ('q03', 'q29')")
    found = await verify(store, projection)
    assert found.differing == 2
    assert [(difference.query_id, difference.column) for difference in found.differences] == [
        ("q03", "user_id"),
        ("q03", "intent"),
        ("q29", "user_id"),
        ("q29", "intent"),
    ]


async def test_an_outcome_that_vanished_is_named(store: Store, projection: Projection, raw: RawSql) -> None:
    raw("DELETE FROM voice_outcomes WHERE query_id = 'q05'")
    found = await verify(store, projection)
    assert [(difference.query_id, difference.column) for difference in found.differences] == [
        ("q05", "has_outcome"),
        ("q05", "latency_ms"),
    ]


@pytest.mark.parametrize("id", ["q00", "q14", "q29"])
async def test_a_row_that_the_columns_lack_is_named(store: Store, projection: Projection, id: str) -> None:
    spoil(projection, f"DELETE FROM interactions WHERE id = '{id}'")
    assert await verify(store, projection) == Verification(
        interactions=30, differing=1, differences=[Difference(query_id=id, column=None, in_rows=1, in_columns=0)]
    )


@pytest.mark.parametrize("id", ["q00", "q14", "q29"])
async def test_a_row_that_only_the_columns_have_is_named(
    store: Store, projection: Projection, raw: RawSql, id: str
) -> None:
    raw(f"DELETE FROM voice_queries WHERE id = '{id}'")
    assert await verify(store, projection) == Verification(
        interactions=29, differing=1, differences=[Difference(query_id=id, column=None, in_rows=0, in_columns=1)]
    )


async def test_a_row_that_the_columns_have_twice_is_named(store: Store, projection: Projection) -> None:
    spoil(projection, "INSERT INTO interactions SELECT * FROM interactions WHERE id = 'q14'")
    assert await verify(store, projection) == Verification(
        interactions=30, differing=1, differences=[Difference(query_id="q14", column=None, in_rows=1, in_columns=2)]
    )


async def test_one_row_too_many_and_one_too_few_are_both_named(
    store: Store, projection: Projection, raw: RawSql
) -> None:
    raw("UPDATE voice_queries SET id = 'q99' WHERE id = 'q00'")
    found = await verify(store, projection)
    assert found.differing == 2
    assert [(difference.query_id, difference.in_rows, difference.in_columns) for difference in found.differences] == [
        ("q00", 0, 1),
        ("q99", 1, 0),
    ]


@pytest.mark.parametrize(
    "change",
    [
        "voice_outcomes SET latency_ms = 'abc'",
        "voice_outcomes SET cost_usd = x'ff'",
        "voice_outcomes SET tokens_prompt = 1.5",
        "voice_outcomes SET tokens_prompt = 2.5",
        "voice_outcomes SET tokens_prompt = 1e300",
        "voice_outcomes SET action_success = 7",
        "voice_outcomes SET action_success = 0.5",
        "voice_queries SET intent = x'414243'",
        "voice_queries SET intent = x'00ff5c27226180'",
        "voice_queries SET intent = CAST(x'ff41' AS TEXT)",
        "voice_queries SET created_at = 'yesterday'",
        "voice_queries SET created_at = 1760000000000.5",
    ],
)
async def test_a_cell_that_is_no_value_of_its_column_is_no_difference(
    store: Store, projection: Projection, raw: RawSql, change: str
) -> None:
    key = "id" if "voice_queries" in change else "query_id"
    raw(f"UPDATE {change} WHERE {key} = 'q17'")
    await projection.rebuild()
    async with asyncio.timeout(20):
        await projection.built()
    assert await verify(store, projection) == Verification(interactions=30, differing=0, differences=[])


async def test_at_most_a_thousand_are_named_and_all_are_counted(
    store: Store, projection: Projection, raw: RawSql, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verifying, "MOST_NAMED", 10)
    raw("UPDATE voice_queries SET intent = 'x'")
    found = await verify(store, projection)
    assert [found.interactions, found.differing, len(found.differences)] == [30, 30, 10]


async def test_nothing_is_said_while_appends_and_verdicts_go_on(store: Store, projection: Projection) -> None:
    finished = asyncio.Event()

    async def go_on() -> None:
        n = 0
        while not finished.is_set():
            n += 1
            await store.append([query(f"a{n}"), query(f"r{n}"), outcome(f"r{n}"), outcome(f"a{n - 1}", latency_ms=n)])
            await store.settle(verdicts(await store.claim_due(3, now=LATER, lease_ms=LEASE_MS)))

    writing = asyncio.create_task(go_on())
    try:
        for _ in range(3):
            found = await verify(store, projection)
            assert found.differences == []
            assert found.interactions >= 30
    finally:
        finished.set()
        await writing


async def test_a_real_difference_is_found_while_appends_go_on(
    store: Store, projection: Projection, raw: RawSql
) -> None:
    raw("UPDATE voice_queries SET intent = 'x' WHERE id = 'q17'")
    finished = asyncio.Event()

    async def go_on() -> None:
        n = 0
        while not finished.is_set():
            n += 1
            await store.append([query(f"a{n}"), outcome(f"a{n - 1}", latency_ms=n)])

    writing = asyncio.create_task(go_on())
    try:
        found = await verify(store, projection)
    finally:
        finished.set()
        await writing
    assert [(difference.query_id, difference.column) for difference in found.differences] == [("q17", "intent")]


async def test_columns_that_are_being_rebuilt_cannot_be_verified(
    store: Store, projection: Projection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follower, "REBUILD_PATIENCE_S", 0)
    await projection.rebuild()
    with pytest.raises(ProjectionUnavailable):
        await verify(store, projection)


async def test_a_verification_can_build_the_columns_anew_first(
    store: Store, projection: Projection, raw: RawSql
) -> None:
    raw("UPDATE voice_queries SET intent = 'x' WHERE id = 'q17'")
    assert (await projection.verify()).differing == 1
    assert await projection.verify(rebuild=True) == Verification(interactions=30, differing=0, differences=[])
    assert await verify(store, projection) == Verification(interactions=30, differing=0, differences=[])
