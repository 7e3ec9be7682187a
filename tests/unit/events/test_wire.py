"""The types of the wire against the contract's tables: names in both dialects, what is required, and every bound."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import msgspec
import pytest

from aura_analytics.events.wire import DOCUMENTED, OLDER, EventShape
from unit.events.dialects import DIALECTS, KINDS, REQUIRED, ROWS, TAGS, Dialect, Kind, event

SHAPES: dict[Dialect, dict[str, EventShape]] = {"documented": DOCUMENTED, "older": OLDER}
INT64_MAX = 2**63 - 1
LAST_MS = 253_402_300_799_999

# By the names of the documented dialect; those of the older one follow from the tables.
TAKEN: dict[Kind, dict[str, tuple[Any, ...]]] = {
    "query": {
        "query_id": ("x", "x" * 128, "é" * 128, "🛒" * 128, " "),
        "store_id": ("s", "s" * 10_000),
        "session_id": ("", "s"),
        "user_id": ("", "u"),
        "timestamp": (0, LAST_MS, "1970-01-01T00:00:00Z", "2024-02-29T23:59:59.999+05:30"),
        "query_text": ("", "a", "苹果在哪里"),
        "query_source": ("voice", "text", "test"),
        "transcription_confidence": (0, 0.0, 0.5, 1, 1.0),
        "audio_duration_ms": (0, INT64_MAX),
        "intent": ("", "find"),
        "fast_path": (True, False, 0, 1),
        "correlation_id": ("c", "c" * 256),
    },
    "outcome": {
        "query_id": ("x", "x" * 128),
        "timestamp": (0, LAST_MS, "2024-01-01T00:00:00-11:00"),
        "answer_text": ("", "In aisle 3."),
        "model_name": ("", "gemini"),
        "latency_ms": (0, 0.5, 8000, 1e300),
        "tokens_prompt": (0, INT64_MAX),
        "tokens_completion": (0, INT64_MAX),
        "tokens_used": (0, INT64_MAX),
        "cost_usd": (0, 0.000001, 1e300),
        "action_taken": ("PRODUCT_LOOKUP", "FAQ", "CART_ADD", "FALLBACK", "anything", "", True, False),
        "action_success": (True, False, 0, 1),
        "error_flag": (True, False, 0, 1),
        "error_message": ("", "out of memory"),
        "tools_used": ([], ["find", "price"]),
        "tool_calls": ([], ["find"], [{"name": "find", "arguments": {"of": ["apples"]}}, None, 1], "[]"),
        "correlation_id": ("c",),
    },
    "conversion": {
        "conversion_id": ("x", "x" * 128),
        "query_id": ("x", "x" * 128),
        "session_id": ("", "s"),
        "store_id": ("s", "s" * 10_000),
        "timestamp": (0, LAST_MS, "2024-01-01T00:00:00-11:00"),
        "value": (0, 0.01, 1_000, 1e300),
        "currency": ("EUR", "eur", "Usd"),
        "order_id": ("1", "x" * 128),
        "correlation_id": ("c", "c" * 256),
    },
}
REFUSED: dict[Kind, dict[str, tuple[Any, ...]]] = {
    "query": {
        "query_id": ("", "x" * 129, 5, True, ["x"], {"x": 1}),
        "store_id": ("", 5, None, ["s"]),
        "session_id": (5, True, ["s"]),
        "user_id": (5, {}),
        "timestamp": (-1, LAST_MS + 1, True, "2024-01-01T00:00:00", "yesterday", "", []),
        "query_text": (5, None, ["red"]),
        "query_source": ("phone", "Voice", "", 1),
        "transcription_confidence": (-0.000001, 1.000001, "0.5", True),
        "audio_duration_ms": (-1, 1.5, "1500", INT64_MAX + 1, True),
        "intent": (5, []),
        "fast_path": (2, -1, "true", "1", 0.5),
        "correlation_id": ("", "c" * 257, 5),
    },
    "outcome": {
        "query_id": ("", "x" * 129, 5, None),
        "timestamp": (-1, LAST_MS + 1, "2024-01-01"),
        "answer_text": (5,),
        "model_name": (5,),
        "latency_ms": (-0.1, "812", True, []),
        "tokens_prompt": (-1, 0.5, "1", INT64_MAX + 1),
        "tokens_completion": (-1, 0.5, "1", INT64_MAX + 1),
        "tokens_used": (-1, 0.5, "1", INT64_MAX + 1),
        "cost_usd": (-0.000001, "0.1"),
        "action_taken": (1, 0, [], {}),
        "action_success": (2, -1, "yes"),
        "error_flag": (2, -1, "no"),
        "error_message": (5, []),
        "tools_used": ("find", [1], [None], {}),
        "tool_calls": (5, {}, True),
        "correlation_id": ("", 5),
    },
    "conversion": {
        "conversion_id": ("", "x" * 129, 5),
        "query_id": ("", "x" * 129, 5, True),
        "session_id": (5, {}),
        "store_id": ("", 5, []),
        "timestamp": (-1, LAST_MS + 1, "2024-01-01"),
        "value": (-0.01, "49.90", True, []),
        "currency": ("", "EU", "EURO", "E1R", "€€€", "EUR\n", " EUR", 978),
        "order_id": ("", "x" * 129, 1001),
        "correlation_id": ("", "c" * 257, 5),
    },
}


def shape_of(kind: Kind, dialect: Dialect) -> EventShape:
    _, tags = TAGS[dialect]
    return SHAPES[dialect][tags[kind]]


def table_of(kind: Kind, dialect: Dialect) -> dict[str, str]:
    """The contract's names of a dialect, and the documented name of each; `tools_used` has no row of its own."""
    names = {row.documented if dialect == "documented" else row.older: row.documented for row in ROWS[kind]}
    tools = "tools_used" if dialect == "documented" else "toolsUsed"
    return names | ({tools: "tools_used"} if kind == "outcome" else {})


def decode(kind: Kind, dialect: Dialect, changes: dict[str, Any]) -> Any:
    text = msgspec.json.encode(event(kind, dialect) | changes)
    return msgspec.json.decode(text, type=shape_of(kind, dialect))


def cases(values: dict[Kind, dict[str, tuple[Any, ...]]]) -> list[Any]:
    """Each value of each field in each dialect."""
    return [
        pytest.param(kind, dialect, name, value, id=f"{dialect}-{name}-{str(value)[:24]}-{type(value).__name__}")
        for kind in KINDS
        for dialect in DIALECTS
        for name, documented in table_of(kind, dialect).items()
        for value in values[kind][documented]
    ]


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("kind", KINDS)
def test_the_names_on_the_wire_are_those_of_the_contract(kind: Kind, dialect: Dialect) -> None:
    names = {field.encode_name for field in msgspec.structs.fields(shape_of(kind, dialect))}

    assert names == set(table_of(kind, dialect))


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_required_but_what_the_contract_requires(kind: Kind, dialect: Dialect) -> None:
    required = {field.name for field in msgspec.structs.fields(shape_of(kind, dialect)) if field.required}

    assert required == (set() if kind == "conversion" else set(REQUIRED[kind]))


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("kind", KINDS)
def test_an_event_says_what_it_is_in_the_words_of_its_dialect(kind: Kind, dialect: Dialect) -> None:
    config = shape_of(kind, dialect).__struct_config__
    field, tags = TAGS[dialect]

    assert (config.tag_field, config.tag) == (field, tags[kind])


def test_there_are_no_other_events() -> None:
    assert (set(DOCUMENTED), set(OLDER)) == (
        {"voice_query", "voice_outcome", "voice_conversion"},
        {"query", "outcome", "conversion"},
    )


@pytest.mark.parametrize("kind", KINDS)
def test_every_field_of_the_tables_has_values_in_these_tests(kind: Kind) -> None:
    assert set(TAKEN[kind]) == set(REFUSED[kind]) == set(table_of(kind, "documented"))


@pytest.mark.parametrize(("kind", "dialect", "name", "value"), cases(TAKEN))
def test_a_value_within_its_bounds_is_taken(kind: Kind, dialect: Dialect, name: str, value: object) -> None:
    found = decode(kind, dialect, {name: value})
    (field,) = (field.name for field in msgspec.structs.fields(type(found)) if field.encode_name == name)
    kept = getattr(found, field)

    assert kept == (datetime.fromisoformat(value) if isinstance(kept, datetime) and isinstance(value, str) else value)


@pytest.mark.parametrize(("kind", "dialect", "name", "value"), cases(REFUSED))
def test_a_value_out_of_its_bounds_is_refused(kind: Kind, dialect: Dialect, name: str, value: object) -> None:
    with pytest.raises(msgspec.ValidationError, match=name):
        decode(kind, dialect, {name: value})


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("dialect", "other"), [("documented", "older"), ("older", "documented")])
def test_a_name_of_the_other_dialect_is_no_field(kind: Kind, dialect: Dialect, other: Dialect) -> None:
    strangers = set(table_of(kind, other)) - set(table_of(kind, dialect))

    assert strangers
    for name in strangers:
        with pytest.raises(msgspec.ValidationError, match="unknown field"):
            decode(kind, dialect, {name: "x"})


def test_a_moment_keeps_its_offset() -> None:
    found = decode("query", "documented", {"timestamp": "2024-01-01T12:00:00+05:30"})

    assert found.created_at == datetime(2024, 1, 1, 6, 30, tzinfo=UTC)
    assert found.created_at.utcoffset() == timezone(timedelta(hours=5, minutes=30)).utcoffset(None)


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("kind", KINDS)
def test_what_is_decoded_can_not_be_changed(kind: Kind, dialect: Dialect) -> None:
    found = decode(kind, dialect, {})

    with pytest.raises(AttributeError):
        found.created_at = 1
