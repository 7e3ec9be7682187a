"""Blocks and bars: as long as what they show, and never wider than their room."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from aura_analytics.terminal import cells
from aura_analytics.terminal.cells import Bar, Sparkline, gathered, sparkline

VALUES = st.lists(st.none() | st.floats(0, 1e12), max_size=300)


def drawn(what: Bar | Sparkline, width: int) -> str:
    """What is drawn in so much room."""
    file = io.StringIO()
    Console(file=file, width=width, color_system=None, legacy_windows=False).print(what)
    return file.getvalue().removesuffix("\n")


class TestSparkline:
    def test_it_goes_from_nothing_to_the_greatest(self) -> None:
        assert sparkline([0, 1, 2, 3, 4, 5, 6, 7, 8], 8) == "▁▂▃▄▅▆▇██"

    def test_what_is_absent_is_blank_and_nothing_is_the_lowest(self) -> None:
        assert sparkline([None, 0.0, 1.0], 1) == " ▁█"
        assert sparkline([0, 0], 0) == "▁▁"

    def test_where_there_is_less_room_neighbours_share_a_block(self) -> None:
        assert gathered([1, 3, None, None, 5, None], 3) == [2, None, 5]
        assert gathered([1, 2], 3) == [1, 2]
        assert drawn(Sparkline([1.0, 3.0, 8.0, 8.0]), 2) == "▃█"

    def test_two_lines_have_one_scale(self) -> None:
        assert drawn(Sparkline([1, 2], beside=[8]), 10) == "▂▃"

    @given(VALUES, st.integers(1, 120))
    def test_it_never_needs_more_room_than_it_has(self, values: list[float | None], width: int) -> None:
        assert len(drawn(Sparkline(values), width)) <= width


class TestBar:
    @pytest.mark.parametrize(
        ("share", "bar"),
        [(0, ""), (1, "█" * 8), (0.5, "████"), (1 / 64, "▏"), (7.5 / 8, "███████▌"), (-1, ""), (2, "█" * 8)],
    )
    def test_it_is_drawn_to_an_eighth(self, share: float, bar: str) -> None:
        assert drawn(Bar(share), 8) == bar

    def test_it_has_a_greatest_width(self) -> None:
        assert len(drawn(Bar(1), 200)) == 32
        assert len(drawn(Bar(1, 16), 200)) == 16


class TestTexts:
    def test_what_is_absent_is_a_dash(self) -> None:
        forms = (cells.count, cells.ms, cells.percent, cells.rate, cells.dollars, cells.length, cells.relative)

        assert {form(None) for form in forms} == {"–"}
        assert cells.amount(None, "EUR").plain == cells.lines([]).plain == "–"

    def test_amounts_name_their_currency_where_it_is_known(self) -> None:
        assert cells.amount(1234.5, "EUR").plain == "1,234.50 EUR"
        assert cells.amount(1234.5, None).plain == "1,234.50"

    @pytest.mark.parametrize(("value", "text"), [(0, "0 s"), (59_000, "59 s"), (90_000, "2 min"), (36e5, "60 min")])
    def test_lengths(self, value: float, text: str) -> None:
        assert cells.length(value) == text

    @pytest.mark.parametrize(
        ("moment", "text"),
        [("2024-01-01T00:00:00+01:00", "2024-01-01"), ("2024-01-01T13:00:00Z", "2024-01-01 13:00")],
    )
    def test_the_start_of_a_step(self, moment: str, text: str) -> None:
        assert cells.start(moment) == text
