"""From bytes to records: the contract's section 2, field by field, and what holds for every event that there can be."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from msgspec import Raw
from ulid import ULID

from aura_analytics.errors import MalformedBody, Rejection
from aura_analytics.events.decode import (
    Decoded,
    Limits,
    decode_events,
    split_json,
    split_lines,
)
from aura_analytics.events.records import Event, VoiceConversion, VoiceOutcome, VoiceQuery
from aura_analytics.events.texts import mend_surrogates
from unit.events.dialects import (
    DIALECTS,
    KINDS,
    LIMITS,
    NOON,
    NOON_ISO,
    NOW,
    ROWS,
    TAGS,
    Dialect,
    Kind,
    Row,
    event,
    outcome_of,
    record_of,
    rejection_of,
    spelled,
    text_of,
    wire_name,
)

FAR_TOO_DEEP = 100_000
REPLACEMENT = "\ufffd"

# Any, throughout: what JSON can hold.
rows = pytest.mark.parametrize(
    ("kind", "row"), [pytest.param(kind, row, id=f"{kind}-{row.field}") for kind in KINDS for row in ROWS[kind]]
)
kinds = pytest.mark.parametrize("kind", KINDS)
dialects = pytest.mark.parametrize("dialect", DIALECTS)
# The second one makes an event take the patient way.
ways = pytest.mark.parametrize("own", [{}, {"own": 1}], ids=["at once", "patiently"])


def name_of(row: Row, dialect: Dialect) -> str:
    return row.documented if dialect == "documented" else row.older


def decode(*events: object) -> Decoded:
    raws = [Raw(text_of(event)) for event in events]
    return decode_events(raws, limits=LIMITS, clock=lambda: NOW)


def without_extra(record: Event) -> Event:
    return msgspec.structs.replace(record, extra=None)


class TestFields:
    @rows
    @dialects
    @ways
    def test_a_field_is_kept_under_the_name_of_the_record(
        self, kind: Kind, row: Row, dialect: Dialect, own: dict[str, Any]
    ) -> None:
        record = record_of(event(kind, dialect, **{row.field: row.value}) | own)

        assert getattr(record, row.field) == row.kept
        assert record.extra == (own or None)

    @rows
    @dialects
    def test_null_is_absence(self, kind: Kind, row: Row, dialect: Dialect) -> None:
        absent = event(kind, dialect, **({"id": "q-1"} if kind == "query" else {}))
        name = name_of(row, dialect)
        absent.pop(name, None)

        assert minted_aside(outcome_of(absent | {name: None})) == minted_aside(outcome_of(absent))

    @pytest.mark.parametrize(
        ("kind", "field"), [("query", "store_id"), ("query", "query_text"), ("outcome", "query_id")]
    )
    @dialects
    @ways
    def test_a_required_field_is_named_when_it_lacks(
        self, kind: Kind, field: str, dialect: Dialect, own: dict[str, Any]
    ) -> None:
        lacking = event(kind, dialect) | own
        name = wire_name(kind, dialect, field)
        del lacking[name]

        rejection = rejection_of(lacking)

        assert (rejection.code, rejection.field) == ("missing_field", name)
        assert name in rejection.message

    @dialects
    def test_a_query_that_says_nothing_more_has_the_defaults(self, dialect: Dialect) -> None:
        record = record_of(event("query", dialect, id="q-1"))

        assert record == VoiceQuery(
            id="q-1", store_id="shop", query_text="red apples", created_at=NOW, received_at=NOW, query_source="voice"
        )
        assert record.fast_path is False

    @dialects
    def test_an_outcome_that_says_nothing_more_has_no_values(self, dialect: Dialect) -> None:
        assert record_of(event("outcome", dialect)) == VoiceOutcome(query_id="q-1", occurred_at=NOW, received_at=NOW)

    def test_the_event_of_the_guide_is_taken(self) -> None:
        guide = {
            "event_type": "voice_outcome",
            "timestamp": NOON_ISO,
            "query_id": "q-1",
            "answer_text": "In aisle 3.",
            "latency_ms": 812,
            "tokens_used": 150,
            "action_taken": "PRODUCT_LOOKUP",
            "action_success": True,
            "tools_used": ["find"],
        }

        record = record_of(guide)

        assert (record.tokens_total, record.tool_calls, record.occurred_at) == (150, ["find"], NOON)

    @pytest.mark.parametrize(
        ("kind", "field", "value", "code"),
        [
            ("query", "id", "", "out_of_range"),
            ("query", "id", "x" * 129, "out_of_range"),
            ("query", "id", 5, "invalid_type"),
            ("query", "store_id", "", "out_of_range"),
            ("query", "store_id", ["s"], "invalid_type"),
            ("query", "session_id", 5, "invalid_type"),
            ("query", "user_id", {}, "invalid_type"),
            ("query", "created_at", "yesterday", "invalid_value"),
            ("query", "created_at", "2024-01-01T00:00:00", "invalid_value"),
            ("query", "created_at", -1, "out_of_range"),
            ("query", "created_at", True, "invalid_type"),
            ("query", "created_at", 0.5, "invalid_type"),
            ("query", "created_at", "1969-12-31T23:59:59.999Z", "out_of_range"),
            ("query", "query_text", 5, "invalid_type"),
            ("query", "query_source", "phone", "invalid_value"),
            ("query", "transcription_conf", 1.01, "out_of_range"),
            ("query", "transcription_conf", "0.5", "invalid_type"),
            ("query", "audio_duration_ms", -1, "out_of_range"),
            ("query", "audio_duration_ms", 0.5, "invalid_type"),
            ("query", "intent", False, "invalid_type"),
            ("query", "fast_path", 2, "out_of_range"),
            ("query", "fast_path", "true", "invalid_type"),
            ("query", "correlation_id", "", "out_of_range"),
            ("outcome", "query_id", "x" * 129, "out_of_range"),
            ("outcome", "occurred_at", "1969-12-31T23:59:59.999Z", "out_of_range"),
            ("outcome", "answer_text", 5, "invalid_type"),
            ("outcome", "latency_ms", -0.001, "out_of_range"),
            ("outcome", "latency_ms", "812", "invalid_type"),
            ("outcome", "tokens_prompt", -1, "out_of_range"),
            ("outcome", "tokens_completion", 0.5, "invalid_type"),
            ("outcome", "tokens_total", 2**63, "out_of_range"),
            ("outcome", "tokens_total", 10**30, "out_of_range"),
            ("outcome", "cost_usd", -1, "out_of_range"),
            ("outcome", "action_taken", 1, "invalid_type"),
            ("outcome", "action_success", 2, "out_of_range"),
            ("outcome", "error_flag", "no", "invalid_type"),
            ("outcome", "error_message", [], "invalid_type"),
            ("outcome", "tool_calls", 5, "invalid_type"),
            ("outcome", "tool_calls", "find", "invalid_value"),
            ("outcome", "tool_calls", '{"name": "find"}', "invalid_value"),
            ("conversion", "id", "", "out_of_range"),
            ("conversion", "query_id", "x" * 129, "out_of_range"),
            ("conversion", "session_id", 5, "invalid_type"),
            ("conversion", "store_id", "", "out_of_range"),
            ("conversion", "occurred_at", "yesterday", "invalid_value"),
            ("conversion", "occurred_at", "1969-12-31T23:59:59.999Z", "out_of_range"),
            ("conversion", "value", -0.01, "out_of_range"),
            ("conversion", "value", "49.90", "invalid_type"),
            ("conversion", "currency", "EURO", "invalid_value"),
            ("conversion", "currency", "€", "invalid_value"),
            ("conversion", "currency", 978, "invalid_type"),
            ("conversion", "order_id", "x" * 129, "out_of_range"),
            ("conversion", "order_id", 1001, "invalid_type"),
        ],
    )
    @dialects
    @ways
    def test_a_wrong_value_is_named_as_it_stands_on_the_wire(
        self, *, kind: Kind, field: str, value: object, code: str, dialect: Dialect, own: dict[str, Any]
    ) -> None:
        rejection = rejection_of(event(kind, dialect, **{field: value}) | own)

        assert (rejection.code, rejection.field) == (code, wire_name(kind, dialect, field))
        assert rejection.message
        assert "\n" not in rejection.message

    @pytest.mark.parametrize("value", [True, False, 1, 0, 1.0, 0.0])
    @pytest.mark.parametrize(
        ("kind", "field"), [("query", "fast_path"), ("outcome", "action_success"), ("outcome", "error_flag")]
    )
    @dialects
    def test_a_flag_is_a_boolean_or_0_or_1(self, kind: Kind, field: str, value: float, dialect: Dialect) -> None:
        assert getattr(record_of(event(kind, dialect, **{field: value})), field) is bool(value)

    @pytest.mark.parametrize(("action", "kept"), [(True, "true"), (False, "false"), ("FAQ", "FAQ"), ("", "")])
    @dialects
    def test_an_action_may_be_a_boolean(self, action: str | bool, kept: str, dialect: Dialect) -> None:
        record = record_of(event("outcome", dialect, action_taken=action))

        assert record.action_taken == kept
        assert record.action_was_taken is bool(action)

    @pytest.mark.parametrize(
        ("kind", "field"),
        [
            ("query", "created_at"),
            ("query", "audio_duration_ms"),
            ("conversion", "occurred_at"),
            ("outcome", "occurred_at"),
            ("outcome", "tokens_prompt"),
            ("outcome", "tokens_completion"),
            ("outcome", "tokens_total"),
        ],
    )
    @dialects
    def test_a_whole_number_may_be_written_with_a_fraction_of_nothing(
        self, kind: Kind, field: str, dialect: Dialect
    ) -> None:
        found = getattr(record_of(event(kind, dialect, **{field: 5.0})), field)

        assert (found, type(found)) == (5, int)

    @pytest.mark.parametrize(
        ("kind", "field"),
        [("query", "transcription_conf"), ("outcome", "latency_ms"), ("outcome", "cost_usd"), ("conversion", "value")],
    )
    @ways
    def test_a_number_may_be_written_without_a_fraction(self, kind: Kind, field: str, own: dict[str, Any]) -> None:
        found = getattr(record_of(event(kind, **{field: 1}) | own), field)

        assert (found, type(found)) == (1.0, float)


class TestConversions:
    @dialects
    @ways
    def test_one_that_names_neither_a_query_nor_a_session_is_rejected(
        self, dialect: Dialect, own: dict[str, Any]
    ) -> None:
        for nowhere in ({}, {"query_id": None}, {"session_id": ""}, {"query_id": None, "session_id": None}):
            rejection = rejection_of(spelled("conversion", dialect, nowhere) | own)

            query, session = (wire_name("conversion", dialect, field) for field in ("query_id", "session_id"))
            assert (rejection.code, rejection.field) == ("missing_field", query)
            assert rejection.message == f"{query} or {session} is required"

    @dialects
    @ways
    def test_either_of_the_two_is_enough(self, dialect: Dialect, own: dict[str, Any]) -> None:
        of_query = record_of(spelled("conversion", dialect, {"id": "c", "query_id": "q"}) | own)
        of_session = record_of(spelled("conversion", dialect, {"id": "c", "session_id": "s"}) | own)

        whole: dict[str, Any] = {"id": "c", "occurred_at": NOW, "received_at": NOW, "extra": own or None}
        assert of_query == VoiceConversion(query_id="q", **whole)
        assert of_session == VoiceConversion(session_id="s", **whole)

    @dialects
    @ways
    def test_a_currency_is_kept_in_capitals(self, dialect: Dialect, own: dict[str, Any]) -> None:
        assert record_of(event("conversion", dialect, currency="chf") | own).currency == "CHF"

    def test_a_wrong_currency_is_told_what_would_do(self) -> None:
        assert rejection_of(event("conversion", currency="Euro")).message == "a currency is three letters, such as EUR"


class TestMoments:
    @pytest.mark.parametrize(
        ("moment", "kept"),
        [
            (NOON, NOON),
            (0, 0),
            (253_402_300_799_999, 253_402_300_799_999),
            (float(NOON), NOON),
            ("2024-01-01T12:00:00Z", NOON),
            ("2024-01-01T12:00:00.000Z", NOON),
            ("2024-01-01T12:00:00.5Z", NOON + 500),
            ("2024-01-01T12:00:00.123456Z", NOON + 123),
            ("2024-01-01T12:00:00.1239Z", NOON + 123),
            ("2024-01-01T12:00:00+00:00", NOON),
            ("2024-01-01T12:00:00-00:00", NOON),
            ("2024-01-01T17:30:00+05:30", NOON),
            ("2024-01-01T04:00:00-08:00", NOON),
            ("2024-01-02T02:00:00+14:00", NOON),
            ("2024-01-01T17:30:00+0530", NOON),
            ("2024-01-01T17:00:00+05", NOON),
            ("2024-01-01 12:00:00Z", NOON),
            ("2024-01-01T12:00Z", NOON),
            ("2024-01-01T12Z", NOON),
            ("20240101T120000Z", NOON),
            ("20240101T120000.250Z", NOON + 250),
            ("20240101T173000+0530", NOON),
            ("2024-W01-1T12:00:00Z", NOON),
            ("2024-01-01T12:00:00,5Z", NOON + 500),
            (" 2024-01-01T12:00:00Z ", NOON),
            ("1970-01-01T00:00:00Z", 0),
            ("1969-12-31T19:00:00-05:00", 0),
            ("9999-12-31T23:59:59.999Z", 253_402_300_799_999),
        ],
    )
    @kinds
    @dialects
    @ways
    def test_a_moment_is_read(
        self, moment: object, kept: int, kind: Kind, dialect: Dialect, own: dict[str, Any]
    ) -> None:
        field = "created_at" if kind == "query" else "occurred_at"

        assert getattr(record_of(event(kind, dialect, **{field: moment}) | own), field) == kept

    @pytest.mark.parametrize("moment", ["2024-01-01t12:00:00z", "2024-01-01T12:00:00z", "2024-01-01t12:00:00+00:00"])
    @ways
    def test_small_letters_do_as_well(self, moment: str, own: dict[str, Any]) -> None:
        assert record_of(event("query", created_at=moment) | own).created_at == NOON

    @pytest.mark.parametrize("fraction", ["1234567", "9999999", "0009996", "123456789", "999999999", "123999999999"])
    def test_what_is_finer_than_a_microsecond_is_at_most_a_millisecond_off_and_always_the_same(
        self, fraction: str
    ) -> None:
        written = event("query", created_at=f"2024-01-01T12:00:00.{fraction}Z")
        whole = NOON + int(fraction[:3])

        kept = record_of(written).created_at

        assert kept in (whole, whole + 1)
        assert record_of(written | {"own": 1}).created_at == kept

    @pytest.mark.parametrize(
        "moment",
        [
            "2024-01-01T12:00:00",
            "2024-01-01 12:00",
            "2024-01-01",
            "20240101T120000",
            "12:00:00Z",
            "2024-13-01T12:00:00Z",
            "2023-02-29T12:00:00Z",
            "2024-01-01T25:00:00Z",
            "2024-01-01T23:59:60Z",
            "2024-01-01T12:00:00+24:00",
            "Mon, 01 Jan 2024 12:00:00 GMT",
            "1704110400000",
            "now",
            "Z",
            "",
            " ",
            "\0",
        ],
    )
    @dialects
    def test_a_text_that_names_no_moment_is_rejected(self, moment: str, dialect: Dialect) -> None:
        rejection = rejection_of(event("query", dialect, created_at=moment))

        assert (rejection.code, rejection.field) == ("invalid_value", wire_name("query", dialect, "created_at"))

    @pytest.mark.parametrize(
        "moment",
        [
            -1,
            -NOON,
            253_402_300_800_000,
            10**30,
            "1969-12-31T23:59:59.999Z",
            "1970-01-01T00:59:59+01:00",
            "1969-12-31T23:59:59.999999Z",
            "0001-01-01T00:00:00Z",
            "0001-01-01T00:00:00+23:59",
            "9999-12-31T23:59:59-23:59",
            "9999-12-31T23:59:59.999-00:01",
        ],
    )
    @dialects
    @ways
    def test_a_moment_before_1970_or_after_9999_is_rejected(
        self, moment: object, dialect: Dialect, own: dict[str, Any]
    ) -> None:
        rejection = rejection_of(event("query", dialect, created_at=moment) | own)

        assert (rejection.code, rejection.field) == ("out_of_range", wire_name("query", dialect, "created_at"))

    @dialects
    @kinds
    def test_an_event_that_names_no_moment_happened_when_it_was_received(self, dialect: Dialect, kind: Kind) -> None:
        record = record_of(event(kind, dialect))

        assert (record.created_at if kind == "query" else record.occurred_at, record.received_at) == (NOW, NOW)

    @settings(max_examples=150, deadline=None)
    @given(
        moment=st.datetimes(min_value=datetime(1970, 1, 2), max_value=datetime(9999, 12, 30)),  # noqa: DTZ001 (the strategy's own way)
        offset=st.integers(-(23 * 60 + 59), 23 * 60 + 59),
        own=st.sampled_from([{}, {"own": 1}]),
        dialect=st.sampled_from(DIALECTS),
    )
    def test_every_offset_means_the_same_moment(
        self, moment: datetime, offset: int, own: dict[str, Any], dialect: Dialect
    ) -> None:
        aware = moment.replace(tzinfo=timezone(timedelta(minutes=offset)))
        milliseconds = (aware - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)

        found = record_of(event("query", dialect, created_at=aware.isoformat()) | own)

        assert found.created_at == milliseconds


class TestTools:
    @pytest.mark.parametrize(
        "calls",
        [
            [],
            ["find"],
            [{"name": "find", "arguments": {"of": "apples", "deep": [[1.5, None, True]]}}],
            [1, "two", None],
            ['quoted "and" \\ escaped', "🛒"],
        ],
    )
    @dialects
    @ways
    def test_tool_calls_may_be_a_list_or_the_same_list_as_json(
        self, calls: list[Any], dialect: Dialect, own: dict[str, Any]
    ) -> None:
        for written in (calls, json.dumps(calls), json.dumps(calls, ensure_ascii=False, indent=2)):
            assert record_of(event("outcome", dialect, tool_calls=written) | own).tool_calls == calls

    @ways
    def test_the_names_of_tools_are_tool_calls(self, own: dict[str, Any]) -> None:
        record = record_of(event("outcome") | {"tools_used": ["find", "price"]} | own)

        assert record.tool_calls == ["find", "price"]
        assert record.extra == (own or None)

    def test_where_an_event_holds_both_the_calls_win_and_the_names_stay_with_the_record(self) -> None:
        record = record_of(event("outcome", tool_calls=[{"name": "find"}]) | {"tools_used": ["find"], "own": 1})

        assert record.tool_calls == [{"name": "find"}]
        assert record.extra == {"tools_used": ["find"], "own": 1}

    @pytest.mark.parametrize("absent", [None, "null"])
    def test_calls_that_are_absent_leave_the_names(self, absent: str | None) -> None:
        record = record_of(event("outcome") | {"tools_used": ["find"], "tool_calls": absent})

        assert (record.tool_calls, record.extra) == (["find"], None)

    @pytest.mark.parametrize(
        "written",
        ["", "find", "[", '["find"', '"find"', '{"name": "find"}', "5", "true", "[1] [2]", "[" * FAR_TOO_DEEP],
    )
    @dialects
    def test_a_text_that_is_no_list_is_rejected(self, written: str, dialect: Dialect) -> None:
        rejection = rejection_of(event("outcome", dialect, tool_calls=written))

        assert rejection.code in ("invalid_value", "nested_too_deeply")
        assert rejection.field == wire_name("outcome", dialect, "tool_calls")

    @pytest.mark.parametrize(
        ("written", "kept"),
        [
            (r'["cut off \ud83d"]', ["cut off \ufffd"]),
            (r'["\udc00 and \ud83d\ude00"]', ["\ufffd and 😀"]),
            (r'[{"\ud83d": 1}]', [{REPLACEMENT: 1}]),
            (r'["nul \u0000"]', ["nul \ufffd"]),
            (r'[{"\u0000": {"in": "\u0000"}}]', [{REPLACEMENT: {"in": REPLACEMENT}}]),
        ],
    )
    def test_half_characters_and_nul_inside_of_the_text_are_replaced(self, written: str, kept: list[Any]) -> None:
        assert record_of(event("outcome", "older", tool_calls=written)).tool_calls == kept

    @pytest.mark.parametrize("written", ["[NaN]", "[Infinity]", "[-Infinity]", "[1e999]"])
    def test_what_is_no_number_of_json_never_gets_into_a_record(self, written: str) -> None:
        found = outcome_of(event("outcome", "older", tool_calls=written))

        if isinstance(found, Rejection):
            assert found.field == "toolCalls"
        else:
            assert isinstance(found, VoiceOutcome)
            assert json.loads(json.dumps(found.tool_calls, allow_nan=False)) == found.tool_calls


class TestOwnFields:
    @pytest.mark.parametrize(
        "value", [1, 1.5, True, False, "", "text", [], {}, [1, [2, {"three": None}]], {"a": {"b": [None]}}, 10**30]
    )
    @kinds
    @dialects
    def test_a_field_that_is_not_in_the_tables_is_kept(self, value: object, kind: Kind, dialect: Dialect) -> None:
        assert record_of(event(kind, dialect) | {"own": value}).extra == {"own": value}

    @pytest.mark.parametrize("name", ["", " ", "a.b", "$", "`", "x[0]", "storeID", "é", "__proto__", "event_type "])
    def test_it_may_have_any_name(self, name: str) -> None:
        assert record_of(event("query") | {name: 1}).extra == {name: 1}

    def test_null_is_absence_there_too(self) -> None:
        assert record_of(event("query") | {"own": None, "other": None}).extra is None

    @pytest.mark.parametrize(("dialect", "other"), [("documented", "older"), ("older", "documented")])
    @kinds
    def test_a_name_of_the_other_dialect_is_the_callers_own(self, dialect: Dialect, other: Dialect, kind: Kind) -> None:
        strange = {
            name_of(row, other): row.value
            for row in ROWS[kind]
            if name_of(row, other) not in {name_of(known, dialect) for known in ROWS[kind]}
            and row.field != "correlation_id"
        }

        assert record_of(event(kind, dialect) | strange).extra == strange

    def test_the_other_dialects_discriminator_is_the_callers_own(self) -> None:
        assert record_of(event("query") | {"type": "outcome"}).extra == {"type": "outcome"}

    @pytest.mark.parametrize("own", [{"own": "x" * 100}, {"a": "ä" * 40, "b": [1, 2, 3]}, {"a": {"b": "c"}}])
    @kinds
    @dialects
    def test_own_fields_are_taken_up_to_the_limit_and_rejected_above_it(
        self, own: dict[str, Any], kind: Kind, dialect: Dialect
    ) -> None:
        size = len(msgspec.json.encode(own))
        written = event(kind, dialect) | own

        assert record_of(written, limits=Limits(extra_bytes=size)).extra == own
        rejection = rejection_of(written, limits=Limits(extra_bytes=size - 1))
        assert (rejection.code, rejection.field) == ("extra_too_large", next(iter(own)))
        assert str(size - 1) in rejection.message

    def test_the_limit_is_8_kib(self) -> None:
        fits = "x" * (8 * 1024 - len(b'{"own":""}'))

        assert record_of(event("query") | {"own": fits}).extra == {"own": fits}
        assert rejection_of(event("query") | {"own": fits + "x"}).code == "extra_too_large"

    def test_known_fields_do_not_count(self) -> None:
        record = record_of(event("query", query_text="x" * 100_000) | {"own": 1})

        assert (len(record.query_text), record.extra) == (100_000, {"own": 1})

    def test_the_largest_of_the_fields_is_named(self) -> None:
        own = {"small": 1, "large": "x" * 9_000, "middle": "x" * 100}

        assert rejection_of(event("query") | own).field == "large"


class TestIdentifiers:
    @pytest.mark.parametrize("id", ["x", "x" * 128, "ü" * 128, "🛒" * 128, "a/b?c=d", " ", "0", "-"])
    @kinds
    @dialects
    def test_an_id_of_1_to_128_characters_is_kept(self, id: str, kind: Kind, dialect: Dialect) -> None:
        field = "query_id" if kind == "outcome" else "id"

        assert getattr(record_of(event(kind, dialect, **{field: id})), field) == id

    @pytest.mark.parametrize("absent", [{}, {"id": None}])
    @dialects
    @ways
    def test_without_one_a_ulid_is_minted(self, absent: dict[str, Any], dialect: Dialect, own: dict[str, Any]) -> None:
        record = record_of(event("query", dialect, **absent) | own)

        assert str(ULID.from_str(record.id)) == record.id
        assert len(record.id) == 26

    def test_minted_ids_are_unique(self) -> None:
        decoded = decode(*[event("query")] * 2_000)

        assert len({record.id for record in decoded.events if isinstance(record, VoiceQuery)}) == 2_000

    @pytest.mark.parametrize("name", ["correlation_id", "correlationId"])
    @kinds
    @dialects
    def test_a_correlation_id_is_known_by_both_its_names_in_both_dialects(
        self, name: str, kind: Kind, dialect: Dialect
    ) -> None:
        record = record_of(event(kind, dialect) | {name: "c-1"}, correlation_id="of the request")

        assert (record.correlation_id, record.extra) == ("c-1", None)

    @kinds
    @dialects
    def test_the_correlation_id_of_the_request_is_every_events_without_its_own(
        self, kind: Kind, dialect: Dialect
    ) -> None:
        assert record_of(event(kind, dialect), correlation_id="of the request").correlation_id == "of the request"
        assert record_of(event(kind, dialect)).correlation_id is None

    @pytest.mark.parametrize("dialect", DIALECTS)
    def test_of_two_correlation_ids_the_one_of_the_dialect_wins_wherever_it_stands(self, dialect: Dialect) -> None:
        own = wire_name("query", dialect, "correlation_id")
        other = "correlationId" if own == "correlation_id" else "correlation_id"

        for written in ({own: "right", other: "wrong"}, {other: "wrong", own: "right"}):
            assert record_of(event("query", dialect) | written).correlation_id == "right"


class TestTexts:
    @pytest.mark.parametrize("field", ["id", "store_id", "session_id", "query_text", "intent", "correlation_id"])
    @dialects
    def test_nul_is_replaced(self, field: str, dialect: Dialect) -> None:
        assert getattr(record_of(event("query", dialect, **{field: "a\0b"})), field) == f"a{REPLACEMENT}b"

    def test_nul_is_replaced_in_own_fields_and_their_names(self) -> None:
        record = record_of(event("query") | {"a\0": ["\0", {"\0": "\0"}]})

        assert record.extra == {f"a{REPLACEMENT}": [REPLACEMENT, {REPLACEMENT: REPLACEMENT}]}

    def test_nul_is_replaced_in_tool_calls(self) -> None:
        assert record_of(event("outcome", tool_calls=[{"name": "\0"}])).tool_calls == [{"name": REPLACEMENT}]

    def test_the_text_of_an_escape_is_no_escape(self) -> None:
        assert record_of(event("query", query_text=r"\u0000 \ud83d")).query_text == r"\u0000 \ud83d"

    @pytest.mark.parametrize(
        ("escaped", "kept"),
        [
            (rb"cut off \ud83d", "cut off \ufffd"),
            (rb"cut off \uD83D", "cut off \ufffd"),
            (rb"\ude00 begins", "\ufffd begins"),
            (rb"\ud83d\ud83d\ude00", "\ufffd😀"),
            (rb"\ud83d\ude00\ude00", "😀\ufffd"),
            (rb"\ud83d\u0041", "\ufffdA"),
            (rb"\ud83dA", "\ufffdA"),
            (rb"\ud83d\n", "\ufffd\n"),
            (rb"\\ud83d \ud83d", "\\ud83d \ufffd"),
            (rb"\ud83d\u0000", "\ufffd\ufffd"),
        ],
    )
    @pytest.mark.parametrize("form", [b'{"event_type":"voice_query","store_id":"s","query_text":"%s"}', b"[%s]"])
    def test_half_a_character_is_replaced_and_whole_ones_stay(self, escaped: bytes, kept: str, form: bytes) -> None:
        single = b'{"event_type":"voice_query","store_id":"s","query_text":"%s"}' % escaped
        body = single if form.startswith(b"{") else form % single

        assert record_of(body).query_text == kept

    def test_half_a_character_in_an_own_field_is_replaced(self) -> None:
        body = rb'{"event_type":"voice_query","store_id":"s","query_text":"t","\ud83d":["\udc00"]}'

        assert record_of(body).extra == {REPLACEMENT: [REPLACEMENT]}

    @settings(max_examples=150, deadline=None)
    @given(st.text(st.characters(codec=None)))  # half characters too
    def test_mended_json_is_what_browsers_show(self, text: str) -> None:
        shown = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")

        assert json.loads(mend_surrogates(json.dumps(text).encode())) == shown

    @settings(max_examples=100, deadline=None)
    @given(st.binary(max_size=60))
    def test_mending_leaves_what_is_no_escape(self, text: bytes) -> None:
        if b"\\" not in text:
            assert mend_surrogates(text) == text

    @pytest.mark.parametrize(
        "text", ["", "a", "苹果在哪里", "où sont les pommes", "🛒🍎", "\t\n\r", "\x1b[31m", "\u202e", "\u2028"]
    )
    @dialects
    @ways
    def test_every_other_character_stays(self, text: str, dialect: Dialect, own: dict[str, Any]) -> None:
        assert record_of(event("query", dialect, query_text=text) | own).query_text == text


class TestShapes:
    @pytest.mark.parametrize(
        ("written", "code", "field"),
        [
            (b"{}", "missing_field", "event_type"),
            (b'{"event_type":null}', "missing_field", "event_type"),
            (b'{"event_type":"query","store_id":"s"}', "unknown_event_type", "event_type"),
            (b'{"event_type":"","type":"query"}', "unknown_event_type", "event_type"),
            (b'{"event_type":5}', "unknown_event_type", "event_type"),
            (b'{"event_type":["voice_query"]}', "unknown_event_type", "event_type"),
            (b'{"event_type":{"a":1}}', "unknown_event_type", "event_type"),
            (b'{"type":"voice_query"}', "unknown_event_type", "type"),
            (b'{"type":false}', "unknown_event_type", "type"),
            (b'{"Event_Type":"voice_query"}', "missing_field", "event_type"),
            (b"[]", "invalid_type", None),
            (b'"voice_query"', "invalid_type", None),
            (b"5", "invalid_type", None),
            (b"null", "invalid_type", None),
            (b"true", "invalid_type", None),
            (b"{", "malformed_json", None),
            (b'{"event_type"}', "malformed_json", None),
            (b"{'event_type':'voice_query'}", "malformed_json", None),
            (b'{"event_type":"voice_query",}', "malformed_json", None),
            (b'{"event_type":"voice_query","query_id":"a","store_id":"s","query_text":"t"} {}', "malformed_json", None),
            (b'{"event_type":"voice_query","query_id":"a","store_id":"s","query_text":NaN}', "malformed_json", None),
            (b'{"event_type":"voice_query","query_id":"a","store_id":"s","query_text":"\xff"}', "malformed_json", None),
            (b'{"event_type":"voice_query","store_id":"s","query_text":"t","x":"\xff"}', "malformed_json", None),
            (
                b'{"event_type":"voice_query","store_id":"s","query_text":"t","x":"\xed\xa0\x80"}',
                "malformed_json",
                None,
            ),
            (b'{"event_type":"voice_query","store_id":"s","query_text":"a\x00b"}', "malformed_json", None),
            (b'{"event_type":"voice_query","store_id":"s","query_text":"\\x"}', "malformed_json", None),
            (b"\xff\xfe{\x00}\x00", "malformed_json", None),
            (b"rubbish", "malformed_json", None),
        ],
    )
    def test_what_is_no_event_is_rejected(self, written: bytes, code: str, field: str | None) -> None:
        decoded = decode_events([Raw(written)], limits=LIMITS)

        assert decoded.events == []
        (rejection,) = decoded.rejected
        assert (rejection.index, rejection.code, rejection.field) == (0, code, field)

    def test_an_unknown_event_is_told_which_are_known(self) -> None:
        message = rejection_of({"event_type": "click"}).message

        assert all(f'"{field}": "{value}"' in message for field, values in TAGS.values() for value in values.values())

    def test_event_type_goes_before_type(self) -> None:
        assert isinstance(record_of(event("outcome") | {"type": "query"}), VoiceOutcome)
        assert isinstance(record_of(event("outcome", "older") | {"event_type": None}), VoiceOutcome)

    def test_of_a_field_that_comes_twice_the_last_counts(self) -> None:
        body = b'{"event_type":"voice_query","store_id":"a","store_id":"b","query_text":"t"%s}'

        assert record_of(body % b"").store_id == record_of(body % b',"own":1').store_id == "b"

    @pytest.mark.parametrize("nested", [b"[" * FAR_TOO_DEEP + b"]" * FAR_TOO_DEEP, b'{"a":' * FAR_TOO_DEEP + b"1"])
    @pytest.mark.parametrize("field", [b"own", b"query_text", b"event_type"])
    def test_what_is_nested_too_deeply_is_rejected(self, nested: bytes, field: bytes) -> None:
        body = b'{"event_type":"voice_query","store_id":"s","query_text":"t","%s":%s}' % (field, nested)

        (rejection,) = decode_events([Raw(body)], limits=LIMITS).rejected

        assert rejection.code == "nested_too_deeply"

    def test_moderate_depth_is_taken(self) -> None:
        own: Any = []
        for _ in range(50):
            own = [own]

        assert record_of(event("query") | {"own": own}).extra == {"own": own}

    @pytest.mark.parametrize(
        "number", [b"1e999", b"-1e999", b"1" * 5_000, b"9" * 400, b"1e-999", b"0." + b"0" * 5_000 + b"1"]
    )
    @pytest.mark.parametrize("field", [b"latency_ms", b"tokens_used", b"timestamp", b"cost_usd", b"own", b"tool_calls"])
    def test_a_number_that_no_machine_holds_harms_no_other_event(self, number: bytes, field: bytes) -> None:
        right = event("outcome")
        wrong = b'{"event_type":"voice_outcome","query_id":"q-2","%s":%s}' % (field, number)

        decoded = decode(right, wrong, right)

        kept = [record.query_id for record in decoded.events if isinstance(record, VoiceOutcome)]
        assert [id for id in kept if id != "q-2"] == ["q-1", "q-1"]
        assert len(decoded.events) + len(decoded.rejected) == 3
        assert all(rejection.index == 1 for rejection in decoded.rejected)
        assert all(storable(record) for record in decoded.events)

    @kinds
    @dialects
    def test_an_event_may_weigh_what_the_limit_says_and_no_more(self, kind: Kind, dialect: Dialect) -> None:
        body = text_of(event(kind, dialect))

        record_of(body, limits=Limits(event_bytes=len(body)))
        rejection = rejection_of(body, limits=Limits(event_bytes=len(body) - 1))
        assert (rejection.code, rejection.field) == ("event_too_large", None)

    def test_the_limit_of_an_event_is_1_mib(self) -> None:
        least = len(text_of(event("query", query_text="")))
        fits = "x" * (1024 * 1024 - least)

        assert record_of(event("query", query_text=fits)).query_text == fits
        assert rejection_of(event("query", query_text=fits + "x")).code == "event_too_large"


class TestBatches:
    def test_the_good_ones_are_kept_in_order_and_the_bad_ones_are_counted_from_0(self) -> None:
        events = [
            event("query", id="a"),
            event("query", "older", id="b") | {"storeId": 5},
            event("outcome", query_id="a"),
            {},
            event("query", "older", id="c"),
        ]

        decoded = decode(*events)

        ids = [record.query_id if isinstance(record, VoiceOutcome) else record.id for record in decoded.events]
        assert ids == ["a", "a", "c"]
        assert [(rejection.index, rejection.field) for rejection in decoded.rejected] == [
            (1, "storeId"),
            (3, "event_type"),
        ]

    def test_all_events_of_a_body_were_received_at_one_moment(self) -> None:
        ticks = iter(range(NOW, NOW + 100))

        decoded = decode_events(
            [Raw(text_of(event("query"))), Raw(text_of(event("outcome")))], limits=LIMITS, clock=lambda: next(ticks)
        )

        assert [record.received_at for record in decoded.events] == [NOW, NOW]

    def test_no_events_are_no_error(self) -> None:
        assert decode() == Decoded(events=[], rejected=[])


class TestSplitting:
    QUERY = text_of(event("query", id="q-1"))
    OUTCOME = text_of(event("outcome"))

    @pytest.mark.parametrize(
        "body",
        [
            QUERY,
            b"[%s]" % QUERY,
            b" \r\n\t[ %s ]\r\n " % QUERY,
            b"\xef\xbb\xbf" + QUERY,
            b"\xef\xbb\xbf[%s]" % QUERY,
            b"\xef\xbb\xbf \r\n" + QUERY,
            json.dumps(event("query", id="q-1"), indent=4).replace("\n", "\r\n").encode(),
        ],
    )
    def test_one_json_document_is_split(self, body: bytes) -> None:
        assert decode_events(split_json(body), limits=LIMITS, clock=lambda: NOW).events == [
            record_of(event("query", id="q-1"))
        ]

    def test_members_of_an_array_keep_their_order(self) -> None:
        assert [bytes(raw) for raw in split_json(b"[%s, %s,%s]" % (self.QUERY, self.OUTCOME, self.QUERY))] == [
            self.QUERY,
            self.OUTCOME,
            self.QUERY,
        ]

    def test_an_empty_array_holds_no_events(self) -> None:
        assert split_json(b" [ ] ") == []

    def test_members_that_are_no_events_are_for_the_decoder(self) -> None:
        decoded = decode_events(split_json(b'[1, %s, [], null, "x"]' % self.QUERY), limits=LIMITS)

        assert [rejection.index for rejection in decoded.rejected] == [0, 2, 3, 4]
        assert len(decoded.events) == 1

    @pytest.mark.parametrize("body", [b"", b" ", b"\r\n\t", b"\xef\xbb\xbf", b"\xef\xbb\xbf \n"])
    @pytest.mark.parametrize("split", [split_json, split_lines])
    def test_an_empty_body_says_what_would_do(self, body: bytes, split: Callable[[bytes], list[Raw]]) -> None:
        with pytest.raises(MalformedBody, match="empty; send"):
            split(body)

    @pytest.mark.parametrize(
        "body",
        [
            b"[",
            b"[%s" % QUERY,
            b"[%s,]" % QUERY,
            b"[%s %s]" % (QUERY, QUERY),
            b"[%s]]" % QUERY,
            b"[%s] %s" % (QUERY, QUERY),
            b"[nonsense]",
            b"[\xff]",
            b"[{]",
            b"[" * FAR_TOO_DEEP,
            b"[" * FAR_TOO_DEEP + b"]" * FAR_TOO_DEEP,
            b"[" + b'{"a":' * FAR_TOO_DEEP,
        ],
        ids=range(12),
    )
    def test_a_malformed_array_is_malformed_as_a_whole(self, body: bytes) -> None:
        with pytest.raises(MalformedBody):
            split_json(body)

    @pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\n\n", b"\n \r\n\t\n"])
    @pytest.mark.parametrize("begin", [b"", b"\xef\xbb\xbf", b"\n", b"\xef\xbb\xbf\r\n"])
    @pytest.mark.parametrize("last", [True, False])
    def test_lines_are_split_whatever_ends_them(self, end: bytes, begin: bytes, last: bool) -> None:
        body = begin + end.join([self.QUERY, self.OUTCOME, self.QUERY]) + (end if last else b"")

        assert [bytes(raw) for raw in split_lines(body)] == [self.QUERY, self.OUTCOME, self.QUERY]

    def test_a_bad_line_harms_no_other_line(self) -> None:
        decoded = decode_events(split_lines(b"%s\nrubbish\n\n{\n%s" % (self.QUERY, self.OUTCOME)), limits=LIMITS)

        assert [(rejection.index, rejection.code) for rejection in decoded.rejected] == [
            (1, "malformed_json"),
            (2, "malformed_json"),
        ]
        assert len(decoded.events) == 2


# What an event may hold, by the names of the record; `tool_calls` as a list.
texts = st.text(max_size=12)
ids = st.text(min_size=1, max_size=128)
counts = st.integers(0, 2**63 - 1)
amounts = st.floats(0, 1e300) | st.integers(0, 10**12)
flags = st.booleans() | st.integers(0, 1)
json_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)


@st.composite
def moments(draw: st.DrawFn) -> int | str:
    """Epoch milliseconds, or any way that people write ISO 8601."""
    milliseconds = draw(st.integers(0, 253_402_214_400_000))
    if draw(st.booleans()):
        return milliseconds
    minutes = draw(st.sampled_from([0, 0, 330, -480, 840]))
    shown = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=milliseconds, minutes=minutes)
    offset = f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02}{draw(st.sampled_from([':', '']))}{minutes % 60:02}"
    zone = offset if minutes else draw(st.sampled_from(["Z", "z", offset]))
    fraction = draw(st.sampled_from(["", ".5", ",25", ".123", ".123456", ".1234567", ".999999999", ".9999999"]))
    return shown.strftime(draw(st.sampled_from(["%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dt%H:%M:%S"]))).rjust(
        19, "0"
    ) + (fraction + zone)


def maybe(fields: dict[str, st.SearchStrategy[Any]], **required: st.SearchStrategy[Any]) -> Any:
    optional = {name: st.none() | value for name, value in fields.items()}
    return st.fixed_dictionaries(required, optional=optional)


query_fields = maybe(
    {
        "session_id": texts,
        "user_id": texts,
        "created_at": moments(),
        "query_source": st.sampled_from(["voice", "text", "test"]),
        "transcription_conf": st.floats(0, 1) | st.integers(0, 1),
        "audio_duration_ms": counts,
        "intent": texts,
        "fast_path": flags,
        "correlation_id": ids,
    },
    id=ids,
    store_id=ids,
    query_text=texts,
)
outcome_fields = maybe(
    {
        "occurred_at": moments(),
        "answer_text": texts,
        "model_name": texts,
        "latency_ms": amounts,
        "tokens_prompt": counts,
        "tokens_completion": counts,
        "tokens_total": counts,
        "cost_usd": amounts,
        "action_taken": texts | st.booleans(),
        "action_success": flags,
        "error_flag": flags,
        "error_message": texts,
        "tool_calls": st.lists(json_values, max_size=3),
        "correlation_id": ids,
    },
    query_id=ids,
)
conversion_fields = maybe(
    {
        "id": ids,
        "session_id": texts,
        "store_id": ids,
        "occurred_at": moments(),
        "value": amounts,
        "currency": st.text("abcXYZ", min_size=3, max_size=3),
        "order_id": ids,
        "correlation_id": ids,
    },
    query_id=ids,
)
fields_of: dict[Kind, st.SearchStrategy[dict[str, Any]]] = {
    "query": query_fields,
    "outcome": outcome_fields,
    "conversion": conversion_fields,
}
right: st.SearchStrategy[tuple[Kind, dict[str, Any]]] = st.sampled_from(KINDS).flatmap(
    lambda kind: st.tuples(st.just(kind), fields_of[kind])
)


@st.composite
def written_events(draw: st.DrawFn) -> dict[str, Any]:
    """An event in one of the dialects, of which any field may be wrong."""
    kind, fields = draw(right)
    written = spelled(kind, draw(st.sampled_from(DIALECTS)), fields)
    wrong = draw(st.dictionaries(st.sampled_from(sorted(written)), json_values, max_size=2))
    return written | wrong | draw(st.dictionaries(texts, json_values, max_size=2))


def storable(record: Event) -> bool:
    """Whether every database can hold it: texts are UTF-8 without NUL, numbers are numbers."""
    text = msgspec.json.encode(record)
    plain = json.dumps(msgspec.to_builtins(record), allow_nan=False, ensure_ascii=False)
    return b"\\u0000" not in text and "\\u0000" not in plain and bool(plain.encode())


def comparable(found: Event | Rejection) -> Any:
    """What of a result must be the same where two ways of writing mean the same event; of a minted id, only that it is."""
    if isinstance(found, Rejection):
        return (found.index, found.code, found.field)
    return without_extra(found)


def minted_aside(found: Event | Rejection) -> Any:
    """The same, but for an id that was minted."""
    if isinstance(found, VoiceQuery) and len(found.id) == 26:
        found = msgspec.structs.replace(found, id="minted")
    return comparable(found)


def spoiled(parts: tuple[dict[str, Any], int, bytes]) -> bytes:
    """An event as JSON with some of its bytes replaced."""
    event, at, bytes_ = parts
    text = json.dumps(event, ensure_ascii=False).encode()
    at %= len(text)
    return text[:at] + bytes_ + text[at + len(bytes_) :]


class TestProperties:
    @settings(max_examples=200, deadline=None)
    @given(right)
    def test_an_event_is_the_same_in_both_dialects(self, written: tuple[Kind, dict[str, Any]]) -> None:
        kind, fields = written

        documented, older = (record_of(spelled(kind, dialect, fields)) for dialect in DIALECTS)

        assert documented == older

    @settings(max_examples=100, deadline=None)
    @given(outcome_fields)
    def test_tool_calls_are_the_same_as_a_list_and_as_text(self, fields: dict[str, Any]) -> None:
        as_text = fields | {"tool_calls": json.dumps(fields.get("tool_calls"))}

        assert record_of(spelled("outcome", "older", as_text)) == record_of(spelled("outcome", "documented", fields))

    @settings(max_examples=200, deadline=None)
    @given(right, st.sampled_from(DIALECTS))
    @example(("query", {"id": "q", "store_id": "s", "query_text": "t", "created_at": NOON_ISO}), "documented")
    @example(
        ("query", {"id": "q", "store_id": "s", "query_text": "t", "created_at": "2024-01-01T12:00:00.9999999Z"}),
        "older",
    )
    @example(("query", {"id": "q", "store_id": "s", "query_text": "t", "created_at": "2024-01-01T12:00:00z"}), "older")
    def test_an_own_field_changes_nothing_but_extra(
        self, written: tuple[Kind, dict[str, Any]], dialect: Dialect
    ) -> None:
        kind, fields = written
        plain = spelled(kind, dialect, fields)

        record = record_of(plain)
        with_own = record_of(plain | {"own field": [1]})

        assert with_own.extra == {"own field": [1]}
        assert without_extra(with_own) == record

    @settings(max_examples=300, deadline=None)
    @given(written_events())
    def test_right_or_wrong_an_own_field_changes_nothing(self, written: dict[str, Any]) -> None:
        written = {"query_id": "q", "id": "q"} | written  # a minted id is never the same

        assert minted_aside(outcome_of(written)) == minted_aside(outcome_of(written | {"own field": 1}))

    @settings(max_examples=200, deadline=None)
    @given(written_events(), st.randoms(use_true_random=False))
    def test_the_order_of_the_fields_does_not_matter(self, written: dict[str, Any], random: Any) -> None:
        shuffled = list(written.items())
        random.shuffle(shuffled)

        first, second = outcome_of(written), outcome_of(dict(shuffled))

        assert isinstance(first, Rejection) == isinstance(second, Rejection)
        if not isinstance(first, Rejection) and not isinstance(second, Rejection):
            assert minted_aside(first) == minted_aside(second)
            assert first.extra == second.extra

    @settings(max_examples=300, deadline=None)
    @given(st.lists(json_values | written_events(), max_size=4))
    def test_whatever_json_holds_becomes_a_storable_record_or_a_rejection(self, events: list[Any]) -> None:
        decoded = decode_events(split_json(json.dumps(events).encode()), limits=LIMITS)

        assert len(decoded.events) + len(decoded.rejected) == len(events)
        assert all(0 <= rejection.index < len(events) for rejection in decoded.rejected)
        assert all(storable(record) for record in decoded.events)
        msgspec.json.encode(decoded.rejected)

    @settings(max_examples=300, deadline=None)
    @given(
        st.binary(max_size=200)
        | st.tuples(written_events(), st.integers(0, 10_000), st.binary(max_size=4)).map(spoiled)
    )
    def test_arbitrary_bytes_do_no_harm(self, body: bytes) -> None:
        for split in (split_json, split_lines):
            try:
                raws = split(body)
            except MalformedBody:
                continue
            decoded = decode_events(raws, limits=LIMITS)
            assert len(decoded.events) + len(decoded.rejected) == len(raws)
            assert all(storable(record) for record in decoded.events)
            msgspec.json.encode(decoded.rejected)
