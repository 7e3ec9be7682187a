"""The joined rows: their columns in order, all of them in batches, and how many there are."""

import pytest

from aura_analytics.store import Store
from aura_analytics.store.port import WIDE_COLUMNS, WideRow
from contract.following import settled
from contract.making import GRACE_MS, LEASE_MS, NOW, by_id, outcome, query, verdict, wide


async def test_a_wide_row_has_its_columns_in_order(store: Store) -> None:
    asked = query(
        "a",
        store_id="s",
        session_id="session",
        user_id="user",
        created_at=NOW - 1,
        received_at=NOW,
        query_text="text",
        query_source="test",
        transcription_conf=0.25,
        audio_duration_ms=17,
        intent="intent",
        fast_path=True,
    )
    done = outcome(
        "a",
        answer_text="answer",
        model_name="model",
        latency_ms=812.5,
        tokens_prompt=1,
        tokens_completion=2,
        tokens_total=4,
        cost_usd=0.125,
        action_taken="CART_ADD",
        action_success=True,
        error_flag=False,
        error_message="message",
        tool_calls=[],
    )
    await store.append([asked, done])
    [claim] = await store.claim_due(1, now=NOW, lease_ms=LEASE_MS)
    judged = verdict("a", "REVIEW", reason="reason", confidence=0.5, evaluated_at=NOW + 9, evaluated_by="human")
    await store.settle([(claim, judged)])
    assert await store.wide_rows(["a"]) == [
        (
            *("a", "s", "session", "user", NOW - 1, "text", "test", 0.25, 17, "intent", True),
            *(True, "answer", "model", 812.5, 1, 2, 4, 0.125, "CART_ADD", True, False, "message", "[]"),
            *("REVIEW", "reason", 0.5, NOW + 9, "human"),
        )
    ]
    assert [row async for batch in store.snapshot(10) for row in batch] == await store.wide_rows(["a"])


async def test_an_id_that_is_not_there_has_no_row(store: Store) -> None:
    await store.append([query("a"), query("b")])
    assert await store.wide_rows([]) == []
    assert await store.wide_rows(["nobody"]) == []
    assert by_id(await store.wide_rows(["b", "nobody", "a"])) == {"a": wide(query("a")), "b": wide(query("b"))}


@pytest.mark.parametrize("id", ["", "'", '"], ["', "🍎", "a b", "A", "\\", "%", "null", "1"])
async def test_an_id_is_found_by_exactly_its_characters(store: Store, id: str) -> None:
    await store.append([query(id), query("a"), query("1.0")])
    assert by_id(await store.wide_rows([id])) == {id: wide(query(id))}


async def snapshot(store: Store, batch: int) -> list[WideRow]:
    """All rows of a snapshot whose batches are no larger than asked for."""
    rows: list[WideRow] = []
    async for part in store.snapshot(batch):
        assert 0 < len(part) <= batch
        rows += part
    return rows


async def test_the_snapshot_of_nothing_is_empty(store: Store) -> None:
    await store.append([outcome("orphan")])
    assert await snapshot(store, 10) == []


@pytest.mark.parametrize("batch", [1, 7, 30, 1_000])
async def test_a_snapshot_has_every_row_once_in_the_order_of_arrival(store: Store, batch: int) -> None:
    ids = [f"{n * 7 % 30:02}" for n in range(30)]
    for start in range(0, 30, 10):
        await store.append([query(id, created_at=NOW - int(id)) for id in ids[start : start + 10]])
    await store.append([outcome(id, latency_ms=int(id)) for id in ids[::3]])
    rows = await snapshot(store, batch)
    assert [row[0] for row in rows] == ids
    assert sorted(rows, key=lambda row: row[0]) == sorted(await store.wide_rows(ids), key=lambda row: row[0])


async def test_what_comes_during_a_snapshot_is_in_it_or_in_the_feed_from_before(store: Store) -> None:
    ids = [f"old{n}" for n in range(20)]
    await store.append([query(id) for id in ids])
    before = await store.feed_head()
    copy: dict[str, WideRow] = {}
    number = 0
    async for batch in store.snapshot(4):
        copy |= {row[0]: row for row in batch}
        number += 1
        if number <= 5:  # each batch is read while an interaction comes, another one changes, and a third is labelled
            await store.append([query(f"new{number}"), outcome(f"old{number}"), outcome(f"old{20 - number}")])
            [claim] = await store.claim_due(1, now=NOW + GRACE_MS, lease_ms=LEASE_MS)
            await store.settle([(claim, verdict(claim.query_id))])
    await settled(store)
    while (changes := await store.changes(before, 3)).upto != before:
        copy |= {row[0]: row for row in await store.wide_rows(changes.query_ids)}
        before = changes.upto
    ids += [f"new{n}" for n in range(1, 6)]
    assert copy == {row[0]: row for row in await store.wide_rows(ids)}
    assert sorted(copy) == sorted(ids)


async def test_only_interactions_are_counted(store: Store) -> None:
    assert await store.count() == 0
    await store.append([query("a"), outcome("a"), outcome("orphan"), query("b"), query("b")])
    assert await store.count() == 2
    await store.append([query("orphan")])
    assert await store.count() == 3


def test_the_columns_are_named_once() -> None:
    assert len(set(WIDE_COLUMNS)) == len(WIDE_COLUMNS)
