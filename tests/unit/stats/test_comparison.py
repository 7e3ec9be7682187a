"""The window before, and what a change is."""

import msgspec
import pytest

from aura_analytics.errors import ParameterError
from aura_analytics.stats.comparison import Change, changes, compared, previous, read_compare
from aura_analytics.stats.scope import Scope
from contract.making import NOW


@pytest.mark.parametrize(
    ("scope", "start", "end"),
    [
        (Scope(start=10, end=19), 0, 9),
        (Scope(start=10, end=10), 9, 9),
        (Scope(start=NOW - 1_000, period="1s"), NOW - 2_000, NOW - 1_001),
        (Scope(start=5, end=9, stores=("a",)), 0, 4),
    ],
)
def test_it_is_as_long_and_ends_where_the_other_begins(scope: Scope, start: int, end: int) -> None:
    assert previous(scope, NOW) == msgspec.structs.replace(scope, start=start, end=end)


@pytest.mark.parametrize("scope", [Scope(), Scope(end=5)])
def test_a_window_without_a_beginning_has_none_before(scope: Scope) -> None:
    with pytest.raises(ParameterError, match="a window with a beginning"):
        previous(scope, NOW)


def test_neither_has_one_that_lies_in_the_future() -> None:
    with pytest.raises(ParameterError, match="lies in the future"):
        previous(Scope(start=NOW), NOW)


def test_what_is_no_number_on_both_sides_has_no_change() -> None:
    after = {"a": 3, "b": 1.5, "c": None, "d": "x", "e": True, "f": 1, "from": 5}
    before = {"a": 2, "b": 0, "c": 1, "d": "y", "e": False, "from": 1}
    assert changes(after, before) == {
        "a": Change(absolute=1, relative=0.5),
        "b": Change(absolute=1.5, relative=None),
    }


class Row(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A row to compare."""

    a_name: str | None = msgspec.field(name="other")
    a_count: int


def test_rows_are_put_side_by_side_under_their_own_names() -> None:
    one = compared(Row(a_name="x", a_count=3), Row(a_name="x", a_count=2))
    assert msgspec.to_builtins(one) == {
        "other": "x",
        "aCount": 3,
        "previous": {"other": "x", "aCount": 2},
        "change": {"aCount": {"absolute": 1, "relative": 0.5}},
    }
    alone = msgspec.to_builtins(compared(Row(a_name="x", a_count=3), None))
    assert (alone["previous"], alone["change"]) == (None, {})


@pytest.mark.parametrize(("text", "is_asked"), [(None, False), ("previous", True)])
def test_it_is_asked_for(*, text: str | None, is_asked: bool) -> None:
    assert read_compare(text) is is_asked


def test_another_word_is_told() -> None:
    with pytest.raises(ParameterError, match=r"^compare is previous, or left out$"):
        read_compare("next")
