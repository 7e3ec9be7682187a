"""The tree of errors is the one that its module draws, and says on the wire what the drawing says."""

import inspect
import pkgutil
import re
from importlib import import_module
from typing import NamedTuple

import pytest

import aura_analytics
from aura_analytics import errors
from aura_analytics.errors import (
    AuraError,
    EventsRejected,
    JudgeUnavailable,
    Rejection,
    RequestError,
    StoreUnavailable,
    Unavailable,
)

LINE = re.compile(r"^ {4}(?P<branches>(?:[│ ] {3})*)(?:(?:├──|└──) )?(?P<name>[A-Z]\w+)(?: +(?P<meaning>.+))?$")


class Drawn(NamedTuple):
    """One line of the drawing."""

    name: str
    parent: str | None
    meaning: str


def drawing() -> list[Drawn]:
    """Read the tree out of the docstring."""
    found: list[Drawn] = []
    path: list[str] = []
    for line in (errors.__doc__ or "").splitlines():
        if match := LINE.match(line):
            depth = len(match["branches"]) // 4 + ("──" in line)
            path[depth:] = [match["name"]]
            found.append(Drawn(match["name"], path[depth - 1] if depth else None, match["meaning"] or ""))
    return found


def classes() -> dict[str, type[AuraError]]:
    """The errors that there are."""
    return {
        name: found for name, found in vars(errors).items() if inspect.isclass(found) and issubclass(found, AuraError)
    }


DRAWN = drawing()
lines = pytest.mark.parametrize("line", DRAWN, ids=lambda line: line.name)
every = pytest.mark.parametrize("error", classes().values(), ids=lambda error: error.__name__)


def test_every_error_is_drawn_once_and_every_drawn_error_exists() -> None:
    names = [line.name for line in DRAWN]

    assert sorted(names) == sorted(classes())
    assert len(names) > 10


@lines
def test_an_error_hangs_where_it_is_drawn(line: Drawn) -> None:
    assert line.parent == (None if line.name == "AuraError" else classes()[line.name].__base__.__name__)  # type: ignore[union-attr]  # each has one


@lines
def test_the_drawing_says_the_status(line: Drawn) -> None:
    error = classes()[line.name]
    said = re.search(r"\((\d{3}|4xx)\)", line.meaning)

    if said is None:
        assert error.status == (classes()[line.parent].status if line.parent else 500)
    elif said[1] == "4xx":
        assert 400 <= error.status < 500
    else:
        assert error.status == int(said[1])


@every
def test_an_error_says_what_it_is(error: type[AuraError]) -> None:
    assert error.__doc__
    assert re.fullmatch(r"[a-z]+(_[a-z]+)*", error.code)
    assert error.title
    assert "\n" not in error.title


def test_what_goes_over_the_wire_has_a_code_and_a_title_of_its_own() -> None:
    spoken = [error for error in classes().values() if issubclass(error, RequestError | Unavailable)]

    assert len({error.code for error in spoken}) == len(spoken)
    assert len({error.title for error in spoken}) == len(spoken)
    assert not {error.code for error in spoken} & {AuraError.code}


def test_no_error_of_the_package_hangs_beside_the_tree() -> None:
    """But for the one that never leaves its room."""
    for module in pkgutil.walk_packages(aura_analytics.__path__, "aura_analytics."):
        if module.name.rpartition(".")[2] != "__main__":
            import_module(module.name)

    outside = {
        f"{found.__module__}.{found.__name__}"
        for found in _all_subclasses(Exception)
        if found.__module__.startswith("aura_analytics.") and not issubclass(found, AuraError)
    }

    # Both stay inside of their own room, where they become a rejection and a drop.
    assert outside == {"aura_analytics.events.rejection.InvalidEvent", "aura_analytics.client.spool.SpoolFull"}


def _all_subclasses(kind: type[Exception]) -> set[type[Exception]]:
    return {kind}.union(*(_all_subclasses(found) for found in kind.__subclasses__()))


def test_who_can_not_be_served_now_is_told_when_to_come_back() -> None:
    assert Unavailable("no").retry_after_s == 1
    assert StoreUnavailable("no", 30).retry_after_s == 30
    assert str(StoreUnavailable("no", 30)) == "no"


def test_a_database_s_trouble_is_that_it_is_away_unless_it_is_known_better() -> None:
    assert StoreUnavailable("no").trouble == "away"
    assert StoreUnavailable("no", 30, "full").trouble == "full"


@pytest.mark.parametrize("asked", [None, 1.5])
def test_a_provider_may_ask_for_a_pause(asked: float | None) -> None:
    assert JudgeUnavailable("no", asked).retry_after_s == asked


class TestEventsRejected:
    RIGHT = Rejection(index=0, code="missing_field", field="store_id", message="store_id is required")
    WHOLE = Rejection(index=3, code="malformed_json", field=None, message="this is no JSON")

    def test_one_rejection_speaks_for_itself(self) -> None:
        assert str(EventsRejected([self.RIGHT])) == "store_id: store_id is required"
        assert str(EventsRejected([self.WHOLE])) == "this is no JSON"

    def test_several_are_counted(self) -> None:
        assert str(EventsRejected([self.RIGHT, self.WHOLE])) == "all 2 events are invalid"

    def test_all_are_kept_with_what_the_caller_calls_the_request(self) -> None:
        error = EventsRejected([self.RIGHT, self.WHOLE], "c-1")

        assert (error.rejected, error.correlation_id) == ((self.RIGHT, self.WHOLE), "c-1")
