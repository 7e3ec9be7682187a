"""The tables: every figure where it belongs, and nothing that people said does anything to a terminal."""

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.table import Table

from aura_analytics.terminal.figures import summary_table
from aura_analytics.terminal.tables import (
    dataset_table,
    differences_table,
    failed_table,
    hourly_table,
    intents_table,
    interactions_table,
    models_table,
    stores_table,
    top_queries_table,
    unanswered_table,
)
from unit.terminal.answers import (
    DATASET,
    DIFFERENCE,
    FAILED,
    GROUP,
    HOSTILE,
    HOUR,
    INTERACTION,
    SUMMARY,
    TOP,
    UNANSWERED,
    Row,
    cells,
    shown,
)

LAST_MOMENT = 253_402_300_799_999


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


class TestFigures:
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

    def test_hours_of_a_time_zone_say_its_offset(self) -> None:
        title, _, row = cells(hourly_table([HOUR | {"hour": "2024-01-01T12:00:00+01:00"}]))

        assert title == ["Hour", "by", "hour"]
        assert row[:3] == ["2024-01-01", "12:00", "+01:00"]

    @pytest.mark.parametrize("table", [intents_table, models_table, stores_table])
    def test_groups(self, table: Callable[[list[Row]], Table]) -> None:
        row = cells(table([GROUP]))[-1]

        assert row == ["find", "1,234", "97.5", "%", "5.0", "%", "812", "ms", "$0.1235", "75.0", "%", "2.0", "%"]

    def test_groups_beside_the_window_before(self) -> None:
        before = GROUP | {"queries": 617, "successRate": 99.53, "p95LatencyMs": None}
        known = GROUP | {"previous": before, "change": {}}
        new = GROUP | {"previous": None, "change": {}}

        *_, first, second = cells(intents_table([known, new]))

        assert first == ["find", "1,234", "+100.0", "%", "97.5", "%", "-2.0", "points", "812", "ms", "–"]
        assert second == ["find", "1,234", "–", "97.5", "%", "–", "812", "ms", "–"]

    def test_labelled_interactions(self) -> None:
        row = cells(dataset_table([DATASET]))[-1]

        assert row == ["2024-01-01", "12:00", "red", "apples", "Aisle", "3.", "find", "FIND"]

    def test_a_page_of_interactions(self) -> None:
        last = {"interactions": [INTERACTION], "nextCursor": None}

        assert cells(interactions_table(last))[-1] == [
            "2024-01-01", "12:00", "red", "apples", "find", "812", "ms", "GOOD", "q-1",
        ]  # fmt: skip
        assert "--cursor" not in shown(interactions_table(last))
        assert "--cursor" in shown(interactions_table(last | {"nextCursor": "abc"}))

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
