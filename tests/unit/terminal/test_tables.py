"""The tables: every figure where it belongs, and nothing that people said does anything to a terminal."""

import io
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console
from rich.table import Table

from aura_analytics.terminal.tables import (
    differences_table,
    failed_table,
    hourly_table,
    summary_table,
    top_queries_table,
    unanswered_table,
)

# Any, throughout: the endpoints' JSON.
Row = dict[str, Any]
MOMENT = 1_704_110_400_000
LAST_MOMENT = 253_402_300_799_999
HOSTILE = (
    "\x1b[31mred\x1b[0m",
    "\x1b]0;title\x07",
    "\x9b31m",
    "two\nlines",
    "over\rwritten",
    "\x08\x08\x08erased",
    "[red]markup[/red]",
    "[/]",
    "[/red]",
    "[link=a:b]here[/link]",
    "[",
    "\\[red]",
    ":apple:",
    "\u202ereversed",
    "\u2028",
    "nul\0",
    "\ud83d",
)

SUMMARY: Row = {
    "storeId": "shop",
    "period": "24h",
    "totalQueries": 12_345,
    "successfulQueries": 9_876,
    "failedQueries": 123,
    "unansweredRate": 0.0526,
    "averageLatencyMs": 1234.5678,
    "totalCostUsd": 1234.56789,
    "uniqueSessions": 4_321,
    "conversionRate": 0.8,
}
TOP: Row = {"queryText": "red apples", "intent": "find", "count": 1_234, "avgLatencyMs": 812.4, "successRate": 97.53}
UNANSWERED: Row = {
    "queryText": "red apples",
    "intent": "find",
    "occurrences": 1_234,
    "lastSeen": MOMENT,
    "reasons": ["error", "slow_response"],
}
HOUR: Row = {
    "hour": "2024-01-01T12:00:00Z",
    "queries": 1_234,
    "successes": 1_000,
    "failures": 34,
    "avgLatencyMs": 812.4,
    "costUsd": 0.12345,
    "sessions": 99,
}
FAILED: Row = {"query_id": "q-1", "attempts": 5, "last_error": "the model gave no verdict", "failed_at": MOMENT}
DIFFERENCE: Row = {"query_id": "q-1", "column": "latency_ms", "in_rows": 812, "in_columns": None}


def one(table: Callable[[list[Row]], Table], row: Row) -> Callable[[str, str], Table]:
    """A table of one row, of which one field is given."""
    return lambda field, value: table([row | {field: value}])


# Every cell that holds what somebody else wrote.
SAID = [
    pytest.param(lambda _, value: summary_table(SUMMARY | {"storeId": value}), "storeId", id="summary-storeId"),
    *(pytest.param(one(top_queries_table, TOP), field, id=f"top-{field}") for field in ("queryText", "intent")),
    *(pytest.param(one(unanswered_table, UNANSWERED), field, id=f"un-{field}") for field in ("queryText", "intent")),
    *(pytest.param(one(failed_table, FAILED), field, id=f"failed-{field}") for field in ("query_id", "last_error")),
    *(
        pytest.param(one(differences_table, DIFFERENCE), field, id=f"differences-{field}")
        for field in ("query_id", "in_rows", "in_columns")
    ),
]


def shown(table: Table, *, width: int = 240) -> str:
    """What a table looks like where nothing is coloured: every escape sequence is somebody else's."""
    file = io.StringIO()
    Console(file=file, width=width, highlight=False, color_system=None, legacy_windows=False).print(table)
    return file.getvalue()


def cells(table: Table) -> list[list[str]]:
    """The cells of a table, without their borders."""
    return [line.split() for line in shown(table).splitlines() if line.strip("─━ ")]


class TestFigures:
    def test_a_summary(self) -> None:
        assert cells(summary_table(SUMMARY)) == [
            ["shop", "·", "24h"],
            ["queries", "12,345"],
            ["successful", "9,876", "(80.0", "%)"],
            ["failed", "123", "(1.0", "%)"],
            ["unanswered", "5.3", "%"],
            ["average", "latency", "1,235", "ms"],
            ["cost", "$1,234.5679"],
            ["sessions", "4,321"],
            ["conversion", "rate", "80.0", "%"],
        ]

    def test_a_summary_of_nothing_divides_by_nothing(self) -> None:
        nothing = dict.fromkeys(SUMMARY, 0) | {"storeId": "all", "period": "7d", "averageLatencyMs": None}

        found = cells(summary_table(nothing))

        assert found[0] == ["all", "stores", "·", "7d"]
        assert ["successful", "0"] in found
        assert ["average", "latency", "–"] in found

    def test_what_shoppers_say_most(self) -> None:
        _, heading, row = cells(top_queries_table([TOP]))

        assert heading == ["query", "intent", "count", "latency", "success"]
        assert row == ["red", "apples", "find", "1,234", "812", "ms", "97.5", "%"]

    def test_what_they_did_not_get(self) -> None:
        _, heading, row = cells(unanswered_table([UNANSWERED]))

        assert heading == ["query", "intent", "times", "last", "seen", "why"]
        assert row == ["red", "apples", "find", "1,234", "2024-01-01", "12:00", "error,", "slow_response"]

    def test_hours(self) -> None:
        _, heading, row = cells(hourly_table([HOUR]))

        assert heading == ["hour", "queries", "successes", "failures", "latency", "cost", "sessions"]
        assert row == ["2024-01-01", "12:00", "1,234", "1,000", "34", "812", "ms", "$0.1235", "99"]

    def test_the_failed_ones(self) -> None:
        _, heading, row = cells(failed_table([FAILED]))

        assert heading == ["interaction", "tries", "given", "up", "last", "error"]
        assert row == ["q-1", "5", "2024-01-01", "12:00", "the", "model", "gave", "no", "verdict"]

    def test_differences(self) -> None:
        whole = {"query_id": "q-2", "column": None, "in_rows": 1, "in_columns": 0}

        _, heading, cell, row = cells(differences_table([DIFFERENCE, whole]))

        assert heading == ["interaction", "column", "in", "the", "rows", "in", "the", "columns"]
        assert cell == ["q-1", "latency_ms", "812", "None"]
        assert row == ["q-2", "the", "whole", "row", "1", "times", "0", "times"]

    @pytest.mark.parametrize(
        "table", [top_queries_table, unanswered_table, hourly_table, failed_table, differences_table]
    )
    def test_an_empty_table_has_its_headings(self, table: Callable[[list[Row]], Table]) -> None:
        assert len(cells(table([]))) == 2

    def test_rows_keep_their_order(self) -> None:
        rows = [TOP | {"queryText": f"query-{number}"} for number in (2, 0, 1)]

        assert [row[0] for row in cells(top_queries_table(rows))[2:]] == ["query-2", "query-0", "query-1"]


class TestAbsence:
    @pytest.mark.parametrize(
        ("table", "row", "field"),
        [
            (top_queries_table, TOP, "intent"),
            (top_queries_table, TOP, "avgLatencyMs"),
            (unanswered_table, UNANSWERED, "intent"),
            (hourly_table, HOUR, "avgLatencyMs"),
            (failed_table, FAILED, "last_error"),
        ],
    )
    def test_what_is_absent_is_a_dash(self, table: Callable[[list[Row]], Table], row: Row, field: str) -> None:
        assert "–" in shown(table([row | {field: None}]))
        assert "–" not in shown(table([row]))
        assert "None" not in shown(table([row | {field: None}]))


class TestHostileTexts:
    @pytest.mark.parametrize("text", HOSTILE)
    @pytest.mark.parametrize(("table", "field"), SAID)
    def test_a_text_is_shown_as_it_is_and_does_nothing(
        self, table: Callable[[str, str], Table], field: str, text: str
    ) -> None:
        lines = shown(table(field, text)).splitlines()
        harmless = shown(table(field, "x" * 20)).splitlines()
        as_is = repr(text) if field.startswith("in_") else text

        assert len(lines) == len(harmless)
        assert all(character.isprintable() for line in lines for character in line)
        assert any("".join(c if c.isprintable() else "\ufffd" for c in as_is) in line for line in lines)

    @settings(max_examples=100, deadline=None)
    @given(st.text(st.characters(codec=None), min_size=1, max_size=40))
    def test_whatever_people_say_is_one_row(self, text: str) -> None:
        rows = [TOP | {"queryText": text, "intent": text}, TOP]
        table = shown(top_queries_table(rows))

        assert all(character.isprintable() for character in table.replace("\n", ""))
        assert len(table.splitlines()) == len(shown(top_queries_table([TOP, TOP])).splitlines())

    @pytest.mark.parametrize("width", [20, 40, 80])
    def test_a_long_text_is_broken_and_figures_are_not(self, width: int) -> None:
        table = shown(top_queries_table([TOP | {"queryText": "word " * 100, "count": 1_234_567}]), width=width)

        assert all(len(line) <= width for line in table.splitlines())
        if width == 80:
            assert "1,234,567" in table

    @pytest.mark.parametrize("moment", [0, 999, LAST_MOMENT])
    def test_every_moment_that_can_be_stored_can_be_shown(self, moment: int) -> None:
        assert "-" in shown(unanswered_table([UNANSWERED | {"lastSeen": moment}]))
        assert "-" in shown(failed_table([FAILED | {"failed_at": moment}]))
