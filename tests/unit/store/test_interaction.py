"""An interaction whose cells others have written: read as far as it can be, never an error."""

import sqlite3
from collections.abc import Callable

import pytest

from aura_analytics.errors import StoreUnavailable
from aura_analytics.events.records import InteractionDetails
from aura_analytics.store.sqlite import SqliteStore
from contract.making import NOW, conversion, outcome, query

Raw = Callable[[], sqlite3.Connection]

# Per table, every column but its key and those that the schema checks.
COLUMNS = {
    "voice_queries": (
        "session_id user_id created_at query_text transcription_conf audio_duration_ms intent fast_path received_at "
        "correlation_id extra"
    ),
    "voice_outcomes": (
        "occurred_at received_at answer_text model_name latency_ms tokens_prompt tokens_completion tokens_total cost_usd "
        "action_taken action_success error_flag error_message tool_calls correlation_id extra"
    ),
    "voice_evaluations": (
        "reason confidence_score evaluated_at method explanation rubric tokens_prompt tokens_completion cost_usd "
        "duration_ms"
    ),
    "voice_conversions": ("session_id occurred_at received_at value currency order_id correlation_id extra"),
}
JUDGED = "INSERT INTO voice_evaluations (query_id, label, reason, evaluated_at) VALUES ('a', 'GOOD', 'fine', 1)"
LABELLED_BEFORE = "INSERT INTO voice_evaluation_history (query_id, label, evaluated_at) VALUES ('a', 'BAD', ?)"


async def details_of(store: SqliteStore) -> InteractionDetails:
    found = await store.interaction("a")
    assert found is not None
    return found


@pytest.fixture
async def full(store: SqliteStore, raw: Raw) -> SqliteStore:
    """`store` with one interaction that has one of each."""
    await store.append([query("a"), outcome("a"), conversion("c")])
    raw().execute(JUDGED)
    return store


@pytest.mark.parametrize("cell", ["'text'", "x'00ff'", "CAST(x'ff41' AS TEXT)", "1.5", "'[1]'", "'{'"])
@pytest.mark.parametrize("table", COLUMNS)
async def test_a_cell_may_be_of_any_type(full: SqliteStore, raw: Raw, table: str, cell: str) -> None:
    for column in COLUMNS[table].split():
        raw().execute(f"UPDATE {table} SET {column} = {cell}")
    found = await details_of(full)
    assert found.query.id == "a"
    assert found.outcome is not None
    assert found.verdict is not None
    assert [bought.id for bought in found.conversions] == ["c"]
    numbers = (found.query.created_at, found.outcome.occurred_at, found.verdict.confidence, found.verdict.cost_usd)
    numbers += (found.conversions[0].value, found.verdict.tokens_prompt, found.verdict.duration_ms)
    assert all(number is None or isinstance(number, int | float) for number in numbers)
    assert [found.query.extra, found.outcome.extra, found.conversions[0].extra] == [None] * 3


async def test_tool_calls_that_are_nested_too_deeply_are_a_text(full: SqliteStore, raw: Raw) -> None:
    nested = "[" * 100_000
    raw().execute("UPDATE voice_outcomes SET tool_calls = ?, extra = ?", (nested, nested))
    found = (await details_of(full)).outcome
    assert found is not None
    assert (found.tool_calls, found.extra) == ([nested], None)


async def test_what_an_older_version_did_not_note_is_that_of_the_query(full: SqliteStore, raw: Raw) -> None:
    raw().execute("UPDATE voice_queries SET received_at = NULL, created_at = ?", (NOW - 7,))
    raw().execute("UPDATE voice_outcomes SET received_at = NULL, occurred_at = NULL")
    found = await details_of(full)
    assert found.outcome is not None
    assert (found.query.received_at, found.outcome.received_at, found.outcome.occurred_at) == (NOW - 7,) * 3


async def test_a_label_of_an_older_version_names_no_method(full: SqliteStore) -> None:
    found = (await details_of(full)).verdict
    assert found is not None
    assert (found.label, found.reason, found.method, found.evaluated_by) == ("GOOD", "fine", "", "auto")


async def test_the_history_is_given_the_latest_first(full: SqliteStore, raw: Raw) -> None:
    for moment in (NOW + 2, NOW + 3, NOW + 1):
        raw().execute(LABELLED_BEFORE, (moment,))
    assert [old.evaluated_at for old in (await details_of(full)).history] == [NOW + 3, NOW + 2, NOW + 1]


async def test_a_reader_that_failed_can_read_again(full: SqliteStore, raw: Raw) -> None:
    """No transaction stays open behind an error."""
    raw().execute("ALTER TABLE voice_evaluation_history RENAME TO elsewhere")
    for _ in range(8):
        with pytest.raises(StoreUnavailable):
            await full.interaction("a")
    raw().execute("ALTER TABLE elsewhere RENAME TO voice_evaluation_history")
    assert (await details_of(full)).query.id == "a"
