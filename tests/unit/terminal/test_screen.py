"""Where output goes, what a pipe gets of it, and what is left of a text that means harm."""

import io
import sys
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from aura_analytics.logs import plain
from aura_analytics.terminal import screen
from aura_analytics.terminal.screen import Meter, notes, progress, results

REPLACEMENT = "\ufffd"


class TestPlain:
    @pytest.mark.parametrize("text", ["", "red apples", "苹果在哪里", "où", "🛒🍎", "[red]", "\\", "a b", "–"])
    def test_a_harmless_text_stays(self, text: str) -> None:
        assert plain(text) == text

    @pytest.mark.parametrize(
        ("text", "kept"),
        [
            ("\x1b[31mred", f"{REPLACEMENT}[31mred"),
            ("\x1b]0;title\x07", f"{REPLACEMENT}]0;title{REPLACEMENT}"),
            ("\x9b31m", f"{REPLACEMENT}31m"),
            ("two\nlines\r\n", f"two{REPLACEMENT}lines{REPLACEMENT}{REPLACEMENT}"),
            ("a\tb\0", f"a{REPLACEMENT}b{REPLACEMENT}"),
            ("\u202ereversed", f"{REPLACEMENT}reversed"),
            ("\u2028\u2029\u0085", REPLACEMENT * 3),
            ("\ud83d", REPLACEMENT),
            ("\x7f\x08", REPLACEMENT * 2),
        ],
    )
    def test_what_a_terminal_would_act_on_is_replaced(self, text: str, kept: str) -> None:
        assert plain(text) == kept

    @settings(max_examples=300, deadline=None)
    @given(st.text(st.characters(codec=None)))
    def test_the_result_is_one_printable_line_as_long_as_the_text(self, text: str) -> None:
        kept = plain(text)

        assert kept.isprintable()
        assert len(kept) == len(text)
        assert plain(kept) == kept
        assert kept.encode().decode() == kept


class TestConsoles:
    def test_results_go_to_standard_output_and_notes_to_standard_error(
        self, capsys: pytest.CaptureFixture[str]
    ) -> None:
        results().print("a result")
        notes().print("a note")

        assert capsys.readouterr() == ("a result\n", "a note\n")

    def test_a_pipe_gets_lines_unbroken_and_without_colour(self, capsys: pytest.CaptureFixture[str]) -> None:
        line = "x" * 79 + " " + "y" * 79

        results().print(line, style="bold red")

        assert capsys.readouterr().out == line + "\n"

    @pytest.mark.parametrize(("stream", "console"), [("stdout", results), ("stderr", notes)])
    def test_on_a_terminal_only_what_we_colour_is_coloured(
        self, monkeypatch: pytest.MonkeyPatch, stream: str, console: Callable[[], Console]
    ) -> None:
        file = TerminalText()
        monkeypatch.setattr(sys, stream, file)
        monkeypatch.setenv("TERM", "xterm-256color")
        monkeypatch.delenv("NO_COLOR", raising=False)

        console().print("42 True http://127.0.0.1 'text'")
        console().print("red", style="red")

        assert file.getvalue() == "42 True http://127.0.0.1 'text'\n\x1b[31mred\x1b[0m\n"


class TestProgress:
    def test_in_a_pipe_there_is_none(self, capsys: pytest.CaptureFixture[str]) -> None:
        with progress("loading", 10) as meter:
            for completed in range(11):
                meter.set(completed, "5 events")

        assert capsys.readouterr() == ("", "")

    @pytest.mark.parametrize("total", [10, None])
    def test_on_a_terminal_it_shows_and_goes_away(self, monkeypatch: pytest.MonkeyPatch, total: float | None) -> None:
        file = io.StringIO()
        monkeypatch.setattr(screen, "notes", lambda: terminal(file))

        with progress("loading", total) as meter:
            meter.set(10, "5 events")

        written = file.getvalue()
        assert "loading" in written
        assert "5 events" in written
        assert written.endswith("\x1b[2K")

    def test_an_error_inside_leaves_the_terminal_clean(self, monkeypatch: pytest.MonkeyPatch) -> None:
        file = io.StringIO()
        monkeypatch.setattr(screen, "notes", lambda: terminal(file))

        with pytest.raises(ValueError, match="it broke"), progress("loading", 1):
            raise ValueError("it broke")

        assert "\x1b[?25h" in file.getvalue()

    def test_a_meter_without_a_bar_does_nothing(self) -> None:
        Meter(None, None).set(5, "note")


def terminal(file: io.StringIO) -> Console:
    """A console that takes a text for a terminal."""
    return Console(file=file, force_terminal=True, width=80, highlight=False, color_system=None)


def test_a_terminal_is_asked_for_its_own_width(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "70")
    monkeypatch.setattr(sys, "stdout", TerminalText())

    assert results().width == 70


class TerminalText(io.StringIO):
    """A text that says that it is a terminal."""

    def isatty(self) -> bool:
        """Say so."""
        return True


def test_a_name_between_colons_is_no_emoji(capsys: pytest.CaptureFixture[str]) -> None:
    results().print("test:x: its model has no key")
    notes().print("test:x: its model has no key")
    assert capsys.readouterr() == ("test:x: its model has no key\n",) * 2
