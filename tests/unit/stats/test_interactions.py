"""Pages of interactions: each one once, in an order that stays, whatever ties, what is absent, and what arrives meanwhile."""

import base64
from typing import Any

import msgspec
import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from aura_analytics.errors import ParameterError
from aura_analytics.stats.interactions import (
    ORDERS,
    SORTED_BY,
    SORTS,
    Interaction,
    Order,
    Page,
    Sort,
    interactions,
    read_cursor,
)
from aura_analytics.stats.scope import Scope
from contract.making import NOW
from trying import tried
from unit.stats.held import Held, Row, filters, histories, windows, within

UNREADABLE = [
    "",
    "abc",
    "!!!",
    "ä",
    base64.urlsafe_b64encode(b"{}").decode(),
    base64.urlsafe_b64encode(
        b'{"sort":"cost","order":"desc","value":"much","created_at":1,"id":"a"}',
    ).decode(),
    base64.urlsafe_b64encode(
        b'{"sort":"cost","order":"desc","value":null,"created_at":99999999999999999999,"id":"a"}',
    ).decode(),
]


def whole(id: str, **fields: Any) -> Row:
    """An interaction out of what a test is about."""
    return {
        "id": id,
        "store_id": "a",
        "created_at": NOW,
        "query_text": "red apples",
        "query_source": "voice",
        "fast_path": False,
        "has_outcome": False,
        **fields,
    }


async def pages(
    held: Held, scope: Scope, *, sort: Sort = "created_at", order: Order = "desc", limit: int
) -> list[list[Interaction]]:
    """All pages, the last one maybe shorter."""
    found, cursor = [], None
    while True:
        page = await interactions(held, scope, sort=sort, order=order, limit=limit, cursor=cursor)
        found.append(page.interactions)
        cursor = read_cursor(page.next_cursor, sort=sort, order=order)
        if cursor is None:
            return found


def ordered(rows: list[Row], sort: Sort, order: Order) -> list[str]:
    """The ids in the order that is promised."""
    column = SORTED_BY[sort]
    present = [row for row in rows if row.get(column) is not None]
    absent = [row for row in rows if row.get(column) is None]
    down = order == "desc"
    present.sort(key=lambda row: (row[column], row["created_at"], row["id"]), reverse=down)
    absent.sort(key=lambda row: (row["created_at"], row["id"]), reverse=down)
    return [row["id"] for row in present + absent]


@tried(10)
@given(
    rows=histories(),
    sort=st.sampled_from(SORTS),
    order=st.sampled_from(ORDERS),
    limit=st.sampled_from([1, 2, 5, 100]),
    window=windows,
    among=filters,
)
async def test_all_pages_together_are_every_interaction_once_in_order(
    *, rows: list[Row], sort: Sort, order: Order, limit: int, window: list[int | None], among: dict[str, Any]
) -> None:
    scope = Scope(start=window[0], end=window[1], **among)
    with Held() as held:
        found = await pages(held.fill(rows), scope, sort=sort, order=order, limit=limit)
    expected = ordered([row for row in rows if within(row, scope)], sort, order)
    event(f"pages: {min(len(found), 5)}")
    assert [one.id for page in found for one in page] == expected
    assert [len(page) for page in found[:-1]] == [limit] * (len(found) - 1)


@tried(10)
@given(
    rows=histories(),
    later=histories(most=10),
    sort=st.sampled_from(SORTS),
    order=st.sampled_from(ORDERS),
    limit=st.sampled_from([1, 3]),
)
async def test_what_arrives_meanwhile_moves_no_page(
    rows: list[Row], later: list[Row], sort: Sort, order: Order, limit: int
) -> None:
    with Held() as held:
        held.fill(rows)
        first = await interactions(held, Scope(), sort=sort, order=order, limit=limit, cursor=None)
        held.apply([{**row, "id": f"new {row['id']}"} for row in later])
        seen = list(first.interactions)
        page: Page = first
        while (cursor := read_cursor(page.next_cursor, sort=sort, order=order)) is not None:
            page = await interactions(held, Scope(), sort=sort, order=order, limit=limit, cursor=cursor)
            seen += page.interactions
    there = [one.id for one in seen if not one.id.startswith("new")]
    assert there[:limit] == ordered(rows, sort, order)[:limit]
    if first.next_cursor is not None:
        assert there == ordered(rows, sort, order)
    assert len({one.id for one in seen}) == len(seen)


async def test_an_interaction_is_told_with_all_its_fields() -> None:
    row = whole(
        "a",
        session_id="s",
        user_id="u",
        transcription_conf=0.9,
        intent="find",
        fast_path=True,
        has_outcome=True,
        answer_text="Aisle 3.",
        model_name="m",
        latency_ms=12.5,
        tokens_prompt=3,
        tokens_completion=4,
        cost_usd=0.01,
        action_taken="FIND",
        action_success=True,
        error_flag=False,
        error_message="none",
        tool_calls='["search",{"name":"x"}]',
        label="GOOD",
        reason="fast",
        confidence=0.8,
        evaluated_at=NOW + 1,
        evaluated_by="auto",
    )
    with Held() as held:
        page = await interactions(held.fill([row]), Scope(), limit=1, cursor=None)
    assert msgspec.to_builtins(page) == {
        "interactions": [
            {
                "id": "a",
                "storeId": "a",
                "sessionId": "s",
                "userId": "u",
                "createdAt": NOW,
                "queryText": "red apples",
                "querySource": "voice",
                "transcriptionConfidence": 0.9,
                "intent": "find",
                "fastPath": True,
                "answerText": "Aisle 3.",
                "modelName": "m",
                "latencyMs": 12.5,
                "tokens": 7,
                "costUsd": 0.01,
                "actionTaken": "FIND",
                "actionSuccess": True,
                "errorFlag": False,
                "errorMessage": "none",
                "toolCalls": ["search", {"name": "x"}],
                "label": "GOOD",
                "reason": "fast",
                "confidence": 0.8,
                "evaluatedAt": NOW + 1,
                "evaluatedBy": "auto",
            }
        ],
        "nextCursor": None,
    }


@pytest.mark.parametrize(
    ("parts", "tokens"),
    [
        ({}, None),
        ({"tokens_prompt": 3}, 3),
        ({"tokens_prompt": 3, "tokens_completion": 4, "tokens_total": 11}, 11),
        ({"tokens_total": 0}, 0),
        ({"tokens_prompt": 2**63 - 1, "tokens_completion": 1}, 2**63 - 1),
    ],
)
async def test_tokens_that_nobody_told_are_absent(parts: dict[str, int], tokens: int | None) -> None:
    with Held() as held:
        held.fill([whole("a", has_outcome=True, **parts)])
        [found] = (await interactions(held, Scope(), limit=1, cursor=None)).interactions
    assert found.tokens == tokens


@pytest.mark.parametrize(
    ("text", "calls"), [("no JSON", ["no JSON"]), ('{"a":1}', [{"a": 1}]), ("null", None), ("[" * 9_999, ["[" * 9_999])]
)
async def test_tool_calls_may_be_any_text(text: str, calls: list[Any] | None) -> None:
    with Held() as held:
        held.fill([whole("a", has_outcome=True, tool_calls=text)])
        [found] = (await interactions(held, Scope(), limit=1, cursor=None)).interactions
    assert found.tool_calls == calls


@pytest.mark.parametrize("order", ORDERS)
async def test_what_is_infinite_has_its_page_too(order: Order) -> None:
    rows = [whole(id, has_outcome=True, latency_ms=float("inf")) for id in "abc"]
    with Held() as held:
        found = await pages(held.fill([*rows, whole("d")]), Scope(), sort="latency", order=order, limit=1)
    assert [one.id for page in found for one in page] == (["c", "b", "a", "d"] if order == "desc" else list("abcd"))


@pytest.mark.parametrize("text", UNREADABLE)
def test_a_cursor_that_nobody_was_given_is_refused(text: str) -> None:
    with pytest.raises(ParameterError, match="nextCursor"):
        read_cursor(text, sort="cost", order="desc")


async def test_a_cursor_of_another_order_is_refused() -> None:
    with Held() as held:
        page = await interactions(held.fill([whole("a"), whole("b")]), Scope(), limit=1, cursor=None)
    with pytest.raises(ParameterError, match="another order"):
        read_cursor(page.next_cursor, sort="created_at", order="asc")
    with pytest.raises(ParameterError, match="another order"):
        read_cursor(page.next_cursor, sort="cost", order="desc")
