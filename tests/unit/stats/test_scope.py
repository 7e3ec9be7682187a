"""What a number is about: how people write windows, stores and limits, and what they are told when they write it wrong."""

import re
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aura_analytics.errors import ParameterError
from aura_analytics.projection.slices import ABSENT
from aura_analytics.stats.scope import MOST_ROWS, Scope, limit, moment, number, parse, whole

NOW = 1_760_000_000_000
MINUTE = 60_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR
NOON = 1_704_110_400_000


class TestPeriod:
    @pytest.mark.parametrize(
        ("period", "length"),
        [
            ("1h", HOUR),
            ("24h", DAY),
            ("7d", 7 * DAY),
            ("30d", 30 * DAY),
            ("1m", MINUTE),
            ("90m", 90 * MINUTE),
            ("1000h", 1000 * HOUR),
            ("365d", 365 * DAY),
            ("999999999d", 999_999_999 * DAY),
        ],
    )
    def test_it_reaches_back_from_now(self, period: str, length: int) -> None:
        assert parse({"period": period}, now=NOW) == Scope(start=NOW - length, end=None, period=period)

    def test_all_has_no_ends(self) -> None:
        assert parse({"period": "all"}, now=NOW) == Scope(start=None, end=None, period="all")

    @pytest.mark.parametrize(
        "values", [{}, {"period": None}, {"period": None, "from": None, "to": None}, {"period": ""}]
    )
    def test_the_default_is_a_day(self, values: dict[str, str | None]) -> None:
        assert parse(values, now=NOW) == Scope(start=NOW - DAY, end=None, period="24h")

    @pytest.mark.parametrize(
        "period",
        [
            "0h",
            "-1h",
            "1",
            "h",
            "1w",
            "1s",
            "1.5h",
            "1 h",
            " 1h",
            "1H",
            "01h",
            "ALL",
            "24hours",
            "1h1m",
            "1234567890d",
            "٣h",
            "24h\n",
            "today",
        ],
    )
    def test_another_one_is_told_what_would_do(self, period: str) -> None:
        with pytest.raises(
            ParameterError, match="period is a number of minutes, hours or days, such as 30m, 24h or 7d"
        ):
            parse({"period": period}, now=NOW)

    @pytest.mark.parametrize("window", [{"from": "0"}, {"to": "0"}, {"from": "0", "to": "1"}])
    def test_a_window_beside_it_is_one_too_many(self, window: dict[str, str]) -> None:
        with pytest.raises(ParameterError, match="either period, or from and to"):
            parse({"period": "24h", **window}, now=NOW)


class TestWindow:
    @pytest.mark.parametrize(
        ("window", "start", "end"),
        [
            ({"from": "5", "to": "9"}, 5, 9),
            ({"from": "5"}, 5, None),
            ({"to": "9"}, None, 9),
            ({"from": "5", "to": "5"}, 5, 5),
            ({"from": "2024-01-01T12:00:00Z", "to": str(NOON + 1)}, NOON, NOON + 1),
            ({"from": str(NOW + DAY)}, NOW + DAY, None),
        ],
    )
    def test_each_end_may_be_open(self, window: dict[str, str], start: int | None, end: int | None) -> None:
        assert parse(window, now=NOW) == Scope(start=start, end=end, period="custom")

    def test_from_after_to_is_told(self) -> None:
        with pytest.raises(ParameterError, match="from lies after to"):
            parse({"from": "6", "to": "5"}, now=NOW)

    @pytest.mark.parametrize("name", ["from", "to"])
    @pytest.mark.parametrize(
        "text", ["", " ", "yesterday", "2024-13-01T00:00:00Z", "12:00:00Z", "1e12", "-1", "1.5", "NaN"]
    )
    def test_an_end_that_can_not_be_read_is_named(self, name: str, text: str) -> None:
        with pytest.raises(ParameterError, match=f"^{name} is ISO 8601 with an offset or Z, or epoch milliseconds$"):
            parse({name: text}, now=NOW)

    @pytest.mark.parametrize("name", ["from", "to"])
    @pytest.mark.parametrize("text", ["2024-01-01", "2024-01-01T12:00:00", "20240101T120000"])
    def test_an_end_without_an_offset_is_named(self, name: str, text: str) -> None:
        with pytest.raises(ParameterError, match=f"^{name} lacks its offset; write Z for UTC$"):
            parse({name: text}, now=NOW)


class TestStore:
    def test_none_is_all(self) -> None:
        assert parse({}, now=NOW).store is None
        assert parse({"store": None}, now=NOW).store is None

    @pytest.mark.parametrize("store", ["shop", "all", " ", "';--", "übergröße", "a" * 10_000])
    def test_any_other_text_is_a_store(self, store: str) -> None:
        assert parse({"store": store, "period": "all"}, now=NOW) == Scope(stores=(store,))

    def test_an_empty_one_is_told(self) -> None:
        with pytest.raises(ParameterError, match="leave it out for all stores"):
            parse({"store": ""}, now=NOW)


class TestMoment:
    @pytest.mark.parametrize(
        ("text", "meant"),
        [
            ("0", 0),
            (str(NOON), NOON),
            ("999999999999999", 999_999_999_999_999),
            (f" {NOON} ", NOON),
            ("2024-01-01T12:00:00Z", NOON),
            ("2024-01-01T12:00:00.250Z", NOON + 250),
            ("2024-01-01T12:00:00.2509Z", NOON + 250),
            ("2024-01-01T17:30:00+05:30", NOON),
            ("2024-01-01T17:30:00 05:30", NOON),
            ("2024-01-01T17:30:00 0530", NOON),
            ("2024-01-01T04:00:00-08:00", NOON),
            ("2024-01-01 12:00:00Z", NOON),
            ("2024-01-01 17:30:00 05:30", NOON),
            ("2024-01-01T12:00Z", NOON),
            ("20240101T120000Z", NOON),
            ("1969-12-31T23:59:59.999Z", -1),
        ],
    )
    def test_it_is_read(self, text: str, meant: int) -> None:
        assert moment("from", text) == meant

    @settings(max_examples=200, deadline=None)
    @given(
        st.datetimes(min_value=datetime(2, 1, 1), max_value=datetime(9998, 1, 1)),  # noqa: DTZ001 (the strategy's own way)
        st.integers(-(23 * 60 + 59), 23 * 60 + 59),
    )
    def test_every_offset_means_the_same_moment(self, naive: datetime, minutes: int) -> None:
        aware = naive.replace(tzinfo=timezone(timedelta(minutes=minutes)))
        meant = (aware - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)

        assert moment("from", aware.isoformat()) == meant
        assert moment("from", aware.isoformat().replace("+", " ")) == meant

    @settings(max_examples=200, deadline=None)
    @given(st.text(max_size=30))
    def test_any_text_is_a_moment_or_an_error_that_names_it(self, text: str) -> None:
        try:
            assert isinstance(moment("to", text), int)
        except ParameterError as error:
            assert str(error).startswith("to ")  # noqa: PT017 (it need not come at all)


class TestLimit:
    @pytest.mark.parametrize(
        ("text", "rows"), [("1", 1), ("20", 20), ("99999", 99_999), ("100000", MOST_ROWS), ("007", 7)]
    )
    def test_it_is_1_to_100000(self, text: str, rows: int) -> None:
        assert limit(text, 20) == rows

    @pytest.mark.parametrize("default", [None, 20])
    def test_without_one_it_is_the_default(self, default: int | None) -> None:
        assert limit(None, default) == default

    @pytest.mark.parametrize(
        "text",
        ["0", "100001", "-1", "+1", "1.0", "1e3", "", " ", " 1", "1\n", "ten", "1_000", "1,000", "٣", "9" * 5_000],
    )
    def test_another_one_is_told_what_would_do(self, text: str) -> None:
        with pytest.raises(ParameterError, match=r"^limit is a whole number from 1 to 100,000$"):
            limit(text, 20)


class TestNumber:
    @pytest.mark.parametrize(("text", "value"), [("0", 0), ("1", 1), ("0.85", 0.85), (" .5 ", 0.5), ("1e-3", 0.001)])
    def test_both_bounds_are_included(self, text: str, value: float) -> None:
        assert number("min_confidence", text, 0.8, least=0, most=1) == value

    def test_without_one_it_is_the_default(self) -> None:
        assert number("min_confidence", None, 0.8, least=0, most=1) == 0.8

    @pytest.mark.parametrize(
        "text", ["", "high", "-0.001", "1.001", "nan", "inf", "-inf", "1e999", "0,5", "0_1", "٠", "0x1"]
    )
    def test_another_one_is_told_what_would_do(self, text: str) -> None:
        with pytest.raises(ParameterError, match=r"^min_confidence is a number from 0 to 1$"):
            number("min_confidence", text, 0.8, least=0, most=1)


class TestWhole:
    @pytest.mark.parametrize(("text", "value"), [("0", 0), ("100", 100), ("007", 7), (None, 3)])
    def test_both_bounds_are_included(self, text: str | None, value: int) -> None:
        assert whole("examples", text, 3, least=0, most=100) == value

    @pytest.mark.parametrize("text", ["", "-1", "101", "1.5", "1.0", "1e1", "٣", "1\n", " 1", "9" * 5_000])
    def test_another_one_is_told_what_would_do(self, text: str) -> None:
        with pytest.raises(ParameterError, match=r"^examples is a whole number from 0 to 100$"):
            whole("examples", text, 3, least=0, most=100)


class TestFilters:
    @pytest.mark.parametrize(
        ("values", "scope"),
        [
            ({"store": ["a", "b", "a"]}, Scope(stores=("a", "b"))),
            ({"intent": "find,order"}, Scope(intents=("find,order",))),
            ({"intent": ["find", "(none)"]}, Scope(intents=("find", ABSENT))),
            (
                {"model": ["m"], "action": ["FAQ"], "reason": ["slow"]},
                Scope(models=("m",), actions=("FAQ",), reasons=("slow",)),
            ),
            ({"label": ["good", "Bad", "GOOD", "(NONE)"]}, Scope(labels=("GOOD", "BAD", ABSENT))),
            ({"source": ["Voice", "test"]}, Scope(sources=("voice", "test"))),
            ({"user": ["u", "v"], "session": "s", "text": " a "}, Scope(user="v", session="s", text=" a ")),
            ({"latency_min": "0", "latency_max": "1e12"}, Scope(latency_min=0, latency_max=1e12)),
            ({"confidence_min": "0.5", "confidence_max": ".5"}, Scope(confidence_min=0.5, confidence_max=0.5)),
            ({"store": [], "intent": [], "user": []}, Scope()),
        ],
    )
    def test_they_are_read(self, values: dict[str, str | list[str]], scope: Scope) -> None:
        assert parse({"period": "all", **values}, now=NOW) == scope

    @pytest.mark.parametrize("name", ["intent", "model", "reason", "action"])
    def test_an_empty_value_is_told_how_to_ask_for_what_is_absent(self, name: str) -> None:
        with pytest.raises(ParameterError, match=f"^{name} is empty; leave it out for all, or write "):
            parse({name: ["x", ""]}, now=NOW)

    @pytest.mark.parametrize("name", ["user", "session", "text"])
    def test_an_empty_text_is_told(self, name: str) -> None:
        with pytest.raises(ParameterError, match=f"^{name} is empty; leave it out for all$"):
            parse({name: ""}, now=NOW)

    @pytest.mark.parametrize(("name", "choices"), [("source", "voice, text, test"), ("label", "GOOD, REVIEW, BAD")])
    @pytest.mark.parametrize("text", ["other", ""])
    def test_a_choice_that_there_is_not_is_told_those_that_there_are(self, name: str, choices: str, text: str) -> None:
        with pytest.raises(ParameterError, match=f"^{name} is one of {choices}, or "):
            parse({name: [text]}, now=NOW)

    @pytest.mark.parametrize(
        ("name", "most"),
        [("latency_min", "1e+12"), ("latency_max", "1e+12"), ("confidence_min", "1"), ("confidence_max", "1")],
    )
    @pytest.mark.parametrize("text", ["-1", "nan", "much", "", "1e13"])
    def test_a_bound_that_is_none_is_told(self, name: str, most: str, text: str) -> None:
        with pytest.raises(ParameterError, match=f"^{name} is a number from 0 to {re.escape(most)}$"):
            parse({name: text}, now=NOW)

    @pytest.mark.parametrize("name", ["latency", "confidence"])
    def test_bounds_the_wrong_way_round_are_told(self, name: str) -> None:
        with pytest.raises(ParameterError, match=f"^{name}_min lies over {name}_max$"):
            parse({f"{name}_min": "0.5", f"{name}_max": "0.25"}, now=NOW)

    @pytest.mark.parametrize(
        ("stores", "store_id"), [((), "all"), (("a",), "a"), (("a", "b"), "a,b"), (("all",), "all")]
    )
    def test_the_stores_have_one_name(self, stores: tuple[str, ...], store_id: str) -> None:
        assert Scope(stores=stores).store_id == store_id


@pytest.mark.parametrize(("end", "is_past"), [(None, False), (NOW, True), (NOW - 1, True), (NOW + 1, False)])
def test_a_window_is_past_once_nothing_in_it_awaits_an_outcome(*, end: int | None, is_past: bool) -> None:
    assert Scope(end=end).is_past(NOW) is is_past
