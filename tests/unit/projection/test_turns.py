"""The rules over two turns: cases a person would agree with, and SQL against its twin on anything at all."""

from collections.abc import Iterator, Sequence
from typing import Any

import duckdb
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aura_analytics.projection import turns
from trying import tried
from unit.projection import turns_twin as twin
from unit.projection.turns_twin import Turn

TYPES = {
    "session_id": "VARCHAR",
    "created_at": "BIGINT",
    "query_text": "VARCHAR",
    "intent": "VARCHAR",
    "transcription_conf": "DOUBLE",
    "has_outcome": "BOOLEAN",
    "latency_ms": "DOUBLE",
    "action_taken": "VARCHAR",
    "action_success": "BOOLEAN",
    "error_flag": "BOOLEAN",
    "label": "VARCHAR",
    "reason": "VARCHAR",
    "next_text": "VARCHAR",
    "next_intent": "VARCHAR",
    "next_at": "BIGINT",
}
assert tuple(TYPES) == Turn.__struct_fields__

# Words that meet often, pieces that no word list knows, and any text at all.
PIECES = [
    "red",
    "shoes",
    "SHOES",
    "do you have",
    "show me",
    "ü",
    "Σ",
    "İ",
    "赤い",
    "靴",
    "أحذية",
    "،",
    "👟",
    "👩‍👧",
    "'",
    "  ",
    "\t",
    "\x00",
]
TEXTS = st.one_of(
    st.lists(st.sampled_from(["red", "shoes", "blue", "please"]), min_size=1, max_size=4).map(" ".join),
    st.lists(st.sampled_from(["red", "Shoes", "ä", "the", "👟"]), min_size=1, max_size=4).map(" ".join),
    st.lists(st.sampled_from(PIECES), max_size=6).map(" ".join),
    st.lists(st.sampled_from(PIECES), max_size=6).map("".join),
    st.text(st.characters(codec="utf-8"), max_size=40),
    st.sampled_from(["red shoes " * 200, "ä" * 511 + " b", "👟" * 512 + " red", ""]),
)
INTENTS = st.sampled_from([None, None, "", "unknown", "Fallback", "product_search", "cart_add"])
REASONS = st.sampled_from(
    [
        None,
        None,
        None,
        None,
        "poor_transcription",
        "query_too_short",
        "wrong_intent",
        "failed_action",
        "no_answer",
        "high_latency",
    ]
)
MAYBE = st.sampled_from([None, False, True])
TURNS = st.builds(
    Turn,
    session_id=st.sampled_from([None, "s", "s"]),
    query_text=TEXTS,
    intent=INTENTS,
    transcription_conf=st.sampled_from([None, None, 0.0, 0.79, turns.HEARD_WRONG_BELOW, 1.0]),
    has_outcome=st.booleans(),
    latency_ms=st.sampled_from([None, 10.0, float(turns.SLOW_MS), turns.SLOW_MS + 0.5]),
    action_taken=st.sampled_from([None, "FALLBACK", "CART_ADD"]),
    action_success=MAYBE,
    error_flag=MAYBE,
    label=st.sampled_from([None, "GOOD", "BAD", "REVIEW"]),
    reason=REASONS,
    next_text=TEXTS,
    next_intent=INTENTS,
    next_at=st.sampled_from([None, 0, 0, 0, turns.REPHRASE_GAP_MS, turns.REPHRASE_GAP_MS + 1]),
)


@pytest.fixture(scope="module")
def columns() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(config={"threads": "1"}) as connection:
        yield connection


def asked(columns: duckdb.DuckDBPyConnection, found: Sequence[Turn]) -> list[tuple[Any, ...]]:
    """Ask the SQL for everything that it says of turns."""
    cells = ", ".join(f"unnest(${name}::{kind}[]) AS {name}" for name, kind in TYPES.items())
    return columns.execute(
        f"""
        SELECT {turns.normalised("query_text")}, {turns.words(turns.normalised("query_text"))}, {turns.IS_REPEATED}, rephrased,
               {turns.CAUSE}
        FROM (SELECT *, {turns.IS_REPHRASED} AS rephrased FROM (SELECT {cells}))
        """,
        {name: [getattr(turn, name) for turn in found] for name in TYPES},
    ).fetchall()


@tried(25)
@given(found=st.lists(TURNS, min_size=1, max_size=12))
def test_sql_and_its_twin_agree(found: list[Turn]) -> None:
    expected = [
        (
            twin.normalised(turn.query_text),
            twin.words(turn.query_text),
            twin.is_repeated(turn),
            twin.is_rephrased(turn),
            twin.cause(turn),
        )
        for turn in found
    ]
    with duckdb.connect(config={"threads": "1"}) as columns:
        assert asked(columns, found) == expected


@pytest.mark.parametrize(
    ("said", "then", "rephrased"),
    [
        ("do you have red shoes", "show me red sneakers", True),
        ("do you have red shoes", "no i said red shoes size nine", True),
        ("haben sie rote Schuhe?", "ich suche rote schuhe in 42", True),
        ("where is my order", "when will my order arrive", True),
        ("do you have red shoes", "and in blue", False),
        ("red shoes", "add them to my cart", False),
        ("red shoes", "how much is it", False),
        ("do you have it", "can i get it", False),
        ("red shoes", "Red shoes!", False),
    ],
)
def test_the_same_wish_in_other_words(
    columns: duckdb.DuckDBPyConnection, said: str, then: str, rephrased: bool
) -> None:
    turn = Turn(query_text=said, next_text=then, next_at=20_000)
    assert asked(columns, [turn])[0][3] is rephrased


@pytest.mark.parametrize(
    ("change", "rephrased"),
    [
        ({}, True),
        ({"next_at": turns.REPHRASE_GAP_MS}, True),
        ({"next_at": turns.REPHRASE_GAP_MS + 1}, False),
        ({"session_id": None}, False),
        ({"next_intent": "cart_add"}, False),
        ({"next_intent": "unknown"}, True),
        ({"intent": None}, True),
        ({"next_text": None, "next_intent": None, "next_at": None}, False),
    ],
)
def test_soon_and_about_the_same(columns: duckdb.DuckDBPyConnection, change: dict[str, Any], rephrased: bool) -> None:
    turn = Turn(
        query_text="oat milk", intent="search", next_text="do you sell oat milk", next_intent="search", next_at=1
    )
    assert asked(columns, [msgspec.structs.replace(turn, **change)])[0][3] is rephrased


def test_the_same_words_again_are_repeated_whatever_the_intent(columns: duckdb.DuckDBPyConnection) -> None:
    turn = Turn(query_text="What's this?", intent="search", next_text="what 's this", next_intent="unknown", next_at=1)
    assert asked(columns, [turn, msgspec.structs.replace(turn, query_text="…", next_text="?")]) == [
        ("what s this", [], True, False, "answered_badly"),
        ("", [], False, False, "answered_badly"),
    ]


@pytest.mark.parametrize(
    ("facts", "cause"),
    [
        ({"transcription_conf": 0.79, "intent": "unknown", "error_flag": True}, "heard_wrong"),
        ({"reason": "poor_transcription", "transcription_conf": 0.9}, "heard_wrong"),
        ({"intent": "Unknown", "error_flag": True}, "understood_wrong"),
        ({"action_taken": "FALLBACK", "action_success": False}, "understood_wrong"),
        (
            {"query_text": "oat milk", "next_text": "oat milk please sir", "next_intent": "find", "next_at": 1},
            "understood_wrong",
        ),
        ({"error_flag": True, "latency_ms": 9_000}, "did_wrong"),
        ({"action_success": False, "label": "REVIEW", "reason": "action_failed"}, "did_wrong"),
        ({"latency_ms": 8_001, "label": "REVIEW", "reason": "high_latency"}, "too_slow"),
        ({"has_outcome": False, "label": "REVIEW", "reason": "no_judge_configured"}, "no_answer"),
        ({"label": "BAD", "reason": "wrong_answer", "latency_ms": 8_000}, "answered_badly"),
    ],
)
def test_where_it_broke(columns: duckdb.DuckDBPyConnection, facts: dict[str, Any], cause: str) -> None:
    assert asked(columns, [Turn(**facts)])[0][4] == cause
    assert cause in turns.CAUSES
