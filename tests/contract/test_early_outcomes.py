"""An outcome that comes before its query, from who writes into some stores only, is theirs if the query is."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from aura_analytics.events.records import EarlyOutcome
from aura_analytics.store import Store
from contract.making import GRACE_MS, LATER, LEASE_MS, NOW, by_id, outcome, query, wide


def early(query_id: str, *stores: str, **fields: Any) -> EarlyOutcome:
    return EarlyOutcome(outcome=outcome(query_id, **fields), stores=tuple(sorted(stores)))


async def answers(store: Store, *ids: str) -> dict[str, str | None]:
    return {id: row["answer_text"] for id, row in by_id(await store.wide_rows(ids)).items()}


async def test_it_meets_a_query_of_its_sender_s_stores(store: Store) -> None:
    whole = {"answer_text": "aisle 3\0", "tool_calls": ["a", {"b": 1}], "extra": {"c": None}, "cost_usd": -0.0}
    sent = early("a", "shop", "other", **whole)
    assert await store.append([sent]) == [True]
    assert await store.append([sent]) == [False]
    assert await store.wide_rows(["a"]) == []
    asked = query("a")
    assert await store.append([asked]) == [True]
    found = by_id(await store.wide_rows(["a"]))["a"]
    assert found["answer_text"].replace("\ufffd", "\0") == "aisle 3\0"
    assert found | {"answer_text": None} == wide(asked, sent.outcome) | {"answer_text": None}
    assert (await store.interaction("a")).outcome.extra == {"c": None}  # type: ignore[union-attr]
    assert await store.append([sent, outcome("a")]) == [False, False]


async def test_it_never_meets_a_query_of_another_store_and_that_is_told(store: Store) -> None:
    assert await store.append([early("a", "elsewhere", answer_text="forged")]) == [True]
    with capture_logs() as log:
        assert await store.append([query("a", store_id="shop")]) == [True]
    assert [(line["event"], line["count"], line["query_ids"]) for line in log] == [("early_outcomes_dropped", 1, ["a"])]
    assert await answers(store, "a") == {"a": None}
    # Nothing of it is left, and it keeps nobody else's out.
    assert await store.append([early("a", "elsewhere", answer_text="again")]) == [False]
    assert await store.append([outcome("a", answer_text="real")]) == [True]
    assert await answers(store, "a") == {"a": "real"}


@pytest.mark.parametrize("own_first", [True, False])
async def test_somebody_else_s_keeps_the_right_one_from_nothing(store: Store, own_first: bool) -> None:
    real, forged = early("a", "shop", answer_text="real"), early("a", "elsewhere", answer_text="forged")
    for sent in (real, forged) if own_first else (forged, real):
        assert await store.append([sent]) == [True]
    await store.append([query("a", store_id="shop")])
    assert await answers(store, "a") == {"a": "real"}


async def test_of_several_that_fit_the_first_one_wins(store: Store) -> None:
    await store.append([early("a", "shop", answer_text="first")])
    await store.append([early("a", "elsewhere", "shop", answer_text="second")])
    await store.append([query("a", store_id="shop")])
    assert await answers(store, "a") == {"a": "first"}


async def test_one_of_who_writes_into_all_stores_stands(store: Store) -> None:
    await store.append([early("a", "shop", answer_text="of some"), outcome("a", answer_text="of all")])
    await store.append([query("a", store_id="shop")])
    assert await answers(store, "a") == {"a": "of all"}


@pytest.mark.parametrize("query_first", [True, False])
async def test_in_one_call_with_its_query_it_meets_it_at_once(store: Store, query_first: bool) -> None:
    asked, sent, foreign = query("a"), early("a", "shop", answer_text="x"), early("b", "shop", answer_text="forged")
    assert await store.append([asked, sent] if query_first else [sent, asked]) == [True, True]
    assert await store.append([query("b", store_id="elsewhere"), foreign]) == [True, False]
    assert await answers(store, "a", "b") == {"a": "x", "b": None}


async def test_the_query_that_stands_counts_and_not_the_one_that_came_along(store: Store) -> None:
    """A guessed id isn't made one's own by a query of that id, which changes nothing."""
    await store.append([query("a", store_id="shop")])
    mine, sent = query("a", store_id="elsewhere"), early("a", "elsewhere", answer_text="forged")
    assert await store.append([mine, sent]) == [False, False]
    assert await answers(store, "a") == {"a": None}


async def test_what_met_is_due_at_once_and_what_was_forged_hastens_nothing(store: Store) -> None:
    await store.append([early("a", "shop"), early("b", "elsewhere"), early("c", "shop")])
    assert await store.claim_due(9, now=LATER, lease_ms=LEASE_MS) == []
    await store.append([query("a"), query("b")])
    assert [one.query_id for one in await store.claim_due(9, now=NOW, lease_ms=2 * GRACE_MS)] == ["a"]
    assert [one.query_id for one in await store.claim_due(9, now=NOW + GRACE_MS, lease_ms=LEASE_MS)] == ["b"]


async def test_one_that_comes_late_makes_its_query_due(store: Store) -> None:
    await store.append([query("a")])
    assert await store.append([early("a", "shop", answer_text="late")]) == [True]
    assert [one.query_id for one in await store.claim_due(9, now=NOW, lease_ms=LEASE_MS)] == ["a"]


async def test_what_was_erased_isn_t_waited_for(store: Store) -> None:
    await store.append([query("a", user_id="ada")])
    begun = await store.persons.begin("ada", id="e", actor="test", blocks=False, now=NOW)
    await store.persons.erase("ada", begun, now=NOW)
    assert await store.append([early("a", "shop", answer_text="hers")]) == [False]
    await store.append([query("a")])
    assert await store.wide_rows(["a"]) == []


async def test_two_servers_at_once_bring_together_what_belongs_together_and_nothing_else(
    store: Store, other_store: Store
) -> None:
    ids = [f"q{n}" for n in range(60)]

    async def ask() -> None:
        for id in ids:
            await store.append([query(id, store_id="shop")])

    async def answer() -> None:
        for id in ids:
            await other_store.append([early(id, "elsewhere", answer_text="forged"), early(id, "shop", answer_text=id)])

    await asyncio.gather(ask(), answer())
    assert await answers(store, *ids) == {id: id for id in ids}
    claims = [one.query_id for one in await store.claim_due(99, now=NOW, lease_ms=LEASE_MS)]
    assert sorted(claims) == sorted(ids)


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
async def test_what_met_leaves_no_byte_where_it_waited(store: Store, database: str) -> None:
    await store.append([early("a", "elsewhere", answer_text="xyzzy" * 2_000)])
    await store.append([query("a", store_id="shop")])
    assert await store.persons.bring_home()
    content = await asyncio.to_thread(Path(database.removeprefix("sqlite:///")).read_bytes)
    assert b"xyzzy" not in content
