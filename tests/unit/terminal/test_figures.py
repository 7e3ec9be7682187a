"""The figures of a window: each a line, with its share, and beside the window before where that was asked for."""

import pytest

from aura_analytics.terminal.figures import (
    conversions_table,
    latency_table,
    quality_table,
    sessions_table,
    summary_table,
)
from unit.terminal.answers import (
    CONVERSIONS,
    LABELS,
    LATENCY,
    MOMENT,
    QUALITY,
    SESSIONS,
    SUMMARY,
    Row,
    cells,
    shown,
)

NOTHING: Row = dict.fromkeys(SUMMARY, 0) | {
    "storeId": "all",
    "period": "7d",
    "averageLatencyMs": None,
    "costPerSuccessfulQueryUsd": None,
    "labels": dict.fromkeys(LABELS, 0),
    "evaluationQueue": None,
}


class TestSummary:
    def test_each_figure_is_a_line(self) -> None:
        assert cells(summary_table(SUMMARY)) == [
            ["shop", "·", "24h"],
            ["queries", "12,345"],
            ["successful", "9,876", "80.0", "%"],
            ["failed", "123", "1.0", "%"],
            ["unanswered", "5.3", "%"],
            ["latency,", "average", "1,235", "ms"],
            ["latency,", "p50", "812", "ms"],
            ["latency,", "p95", "4,000", "ms"],
            ["latency,", "p99", "9,000", "ms"],
            ["cost", "$1,234.5679"],
            ["cost", "per", "success", "$0.1250"],
            ["tokens", "1,000,000"],
            ["sessions", "4,321"],
            ["conversion", "rate", "80.0", "%"],
            ["labelled", "GOOD", "9,000", "72.9", "%"],
            ["labelled", "REVIEW", "300", "2.4", "%"],
            ["labelled", "BAD", "45", "0.4", "%"],
            ["unlabelled", "3,000", "24.3", "%"],
            ["to", "be", "labelled", "7"],
            ["given", "up", "1"],
        ]

    def test_nothing_divides_by_nothing(self) -> None:
        found = cells(summary_table(NOTHING))

        assert found[0] == ["all", "stores", "·", "7d"]
        assert ["successful", "0"] in found
        assert ["latency,", "average", "–"] in found
        assert ["cost", "per", "success", "–"] in found
        assert not any(row[:3] == ["to", "be", "labelled"] for row in found)

    def test_beside_the_window_before(self) -> None:
        before = SUMMARY | {"totalQueries": 12_000, "conversionRate": 0.75, "averageLatencyMs": None}

        found = cells(summary_table(SUMMARY | {"previous": before, "change": {}}))

        assert found[1] == ["before", "change"]
        assert ["queries", "12,345", "12,000", "+2.9", "%"] in found
        assert ["conversion", "rate", "80.0", "%", "75.0", "%", "+5.0", "points"] in found
        assert ["latency,", "average", "1,235", "ms", "–", "–"] in found
        assert ["labelled", "GOOD", "9,000", "9,000", "+0.0", "%"] in found

    def test_from_nothing_there_is_no_relative_change(self) -> None:
        found = cells(summary_table(SUMMARY | {"previous": NOTHING, "change": {}}))

        assert ["queries", "12,345", "0", "–"] in found

    @pytest.mark.parametrize(
        ("start", "end", "said"),
        [(MOMENT, None, "2024-01-01 12:00 to …"), (None, MOMENT, "… to 2024-01-01 12:00")],
    )
    def test_a_window_of_its_own_is_named_by_its_ends(self, start: int | None, end: int | None, said: str) -> None:
        assert said in shown(summary_table(SUMMARY | {"period": "custom", "from": start, "to": end}))


class TestDistributions:
    def test_the_longest_bar_is_the_most(self) -> None:
        *_, first, second = cells(latency_table(LATENCY))

        assert first[:5] == ["500", "ms", "3", "75.0", "%"]
        assert second[:6] == ["2,000", "ms", "1", "25.0", "%", second[5]]
        assert len(first[5]) == 32
        assert 10 <= len(second[5]) <= 11

    def test_turns_are_named_by_their_numbers(self) -> None:
        text = shown(sessions_table(SESSIONS))

        assert all(part in text for part in (" 1 ", "6 to 10", "51 and more", "2.2", "30 s", "10 min"))

    @pytest.mark.parametrize(
        ("shows", "answer"),
        [(latency_table, LATENCY | {"histogram": []}), (sessions_table, SESSIONS | {"turns": []})],
    )
    def test_a_distribution_of_nothing_is_left_out(self, shows: object, answer: Row) -> None:
        assert callable(shows)
        assert "How" not in shown(shows(answer))


class TestQuality:
    def test_labels_reasons_and_their_course(self) -> None:
        text = shown(quality_table(QUALITY))

        assert all(part in text for part in ("GOOD", "9,000", "72.9 %", "96.3 %", "wrong_intent", "auto", "0.5 %"))
        assert "Each day (UTC)" in text
        assert "█▁" in text

    def test_where_nothing_is_labelled_nothing_is_explained(self) -> None:
        nothing = QUALITY | {"labels": dict.fromkeys(LABELS, 0), "quality": None, "reasons": [], "series": []}

        assert "Why" not in shown(quality_table(nothing))


class TestConversions:
    def test_amounts_of_several_currencies_stay_apart(self) -> None:
        text = shown(conversions_table(CONVERSIONS))

        assert all(part in text for part in ("89.90 EUR", "5.00", "find", "6.7 %", "after no known query"))
        assert "faq" not in text

    def test_what_filters_leave_unknown_is_left_out(self) -> None:
        text = shown(conversions_table(CONVERSIONS | {"unattributed": None, "conversions": 0, "byIntent": []}))

        assert "after no known query" not in text
        assert "After which" not in text
